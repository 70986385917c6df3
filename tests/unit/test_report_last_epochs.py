"""Mean and deviation over the last epochs of experiments with one split."""

import re
import statistics
from dataclasses import replace

import pandas as pd
from report_toys import made_up, shown

HITS = [3, 5, 4, 6, 5, 4, 7, 6, 5, 5]  # of 10 clips, epochs 21 to 30


def curve(folds=("split",), splits=("train", "test")):
    epochs = {1: 2, 10: 9, 20: 1} | dict(zip(range(21, 31), HITS, strict=True))
    return pd.DataFrame([
        {"fold": fold, "seed": seed, "epoch": epoch, "split": split, "loss": 1.0, "uf1": 0.5,
         "accuracy": (hits + seed) / 10 if split == "test" else 1.0}
        for fold in folds for seed in (0, 1) for split in splits for epoch, hits in epochs.items()
    ])  # fmt: skip


def page(table):
    return replace(made_up(), curves={("clip_split_80_20", "ststnet"): table})


def test_last_ten_epochs_and_the_best_of_all():
    text = shown(page(curve()), "last_epochs")
    found = [re.sub("<[^>]*>", " ", row).split() for row in re.findall("<tr>(.*?)</tr>", text, re.DOTALL)]
    for seed in (0, 1):
        values = [(hits + seed) / 10 for hits in HITS]
        told = [f"{v:.3f}" for v in (values[-1], statistics.mean(values), statistics.stdev(values), min(values),
                                     max(values), (9 + seed) / 10)]  # fmt: skip
        assert found[seed + 1][-8:] == [str(seed), *told, "10"]  # the best stands before the last ten


def test_folds_by_turns_and_untested_curves_have_no_such_row():
    assert shown(page(curve()), "last_epochs")
    assert not shown(page(curve(folds=("a", "b"))), "last_epochs")
    assert not shown(page(curve(splits=("train",))), "last_epochs")
    assert not shown(replace(made_up(), curves={("loso", "none"): pd.DataFrame()}), "last_epochs")
