"""The curve over yaw is what the metrics say of each view."""

import numpy as np
import pandas as pd
from report_toys import CLASSES, answers

from mer_lib.evaluation.metrics import summary
from mer_lib.evaluation.yaw import COLUMNS, curve


def made(subjects):
    rows = pd.DataFrame({"clip": [f"t/s{i}/c" for i in range(12)], "dataset": "t"})
    rows["subject"] = [f"t/s{i % subjects}" for i in range(12)]
    rows["label"] = [CLASSES[i % 3] for i in range(12)]
    return answers(rows, np.random.default_rng(3), seeds=2, views=(-45, 0, 5))


def test_a_row_a_yaw_in_their_order():
    told = made(subjects=4)
    found = curve(summary(told, CLASSES, resamples=100))
    assert tuple(found) == COLUMNS and found["yaw"].tolist() == [-45.0, 0.0, 5.0]
    for row in found.itertuples():
        alone = summary(told[told["yaw"] == row.yaw].assign(yaw=0), CLASSES, resamples=100)
        assert (row.uf1, row.uar, row.accuracy) == tuple(alone[name] for name in ("uf1", "uar", "accuracy"))
        assert [row.uf1_low, row.uf1_high] == alone["intervals"]["uf1"]


def test_one_subject_has_no_interval_and_one_view_no_curve():
    found = curve(summary(made(subjects=1), CLASSES))
    assert found[["uf1_low", "uf1_high"]].isna().all(axis=None) and len(found) == 3
    assert curve(summary(made(subjects=4).query("yaw == 0"), CLASSES, resamples=100)).empty
