"""Calibration against scikit-learn's reliability curve, a plain loop and methods whose honesty is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from mer_lib import problems
from mer_lib.clips import OFFICIAL_CLASSES as C
from mer_lib.evaluation.calibration import BINS, ece
from mer_lib.evaluation.metrics import summary


def by_loop(confidence, right) -> float:
    """ECE as the definition reads."""
    total = 0.0
    for k in range(BINS):
        held = [(c, r) for c, r in zip(confidence, right, strict=True) if k / BINS < c <= (k + 1) / BINS or c == k == 0]
        if held:
            total += len(held) / len(confidence) * abs(np.mean([r for _, r in held]) - np.mean([c for c, _ in held]))
    return total


def told(rows: int, sure: float, *, seeds: int = 1, honest: bool = True, seed: int = 0) -> pd.DataFrame:
    """Predictions with probabilities: honest ones are right as often as they say, the others one time in three."""
    rng = np.random.default_rng(seed)
    tables = []
    for run in range(seeds):
        probability = rng.dirichlet([1 / sure, 1, 1], rows)
        predicted = probability.argmax(1)
        chances = probability if honest else np.tile([1 / 3] * 3, (rows, 1))
        truth = (rng.random(rows)[:, None] > chances.cumsum(1)).sum(1).clip(max=2)
        columns = {f"p_{name}": probability[:, k] for k, name in enumerate(C)}
        names = {"truth": np.take(C, truth), "predicted": np.take(C, predicted)}
        tables.append(pd.DataFrame({"clip": np.arange(rows).astype(str), "seed": run, **names, **columns}))
    return pd.concat(tables)  # indices repeat, as they do in tables that were put together


@given(st.lists(st.tuples(st.integers(0, 40).map(lambda k: k / 40), st.booleans()), min_size=1, max_size=30))
def test_ece_is_its_definition_edges_included(pairs):
    confidence, right = map(np.array, zip(*pairs, strict=True))
    assert ece(confidence, right) == pytest.approx(by_loop(confidence, right))


def test_the_curve_is_scikit_learns():
    table = told(500, 3.0)
    found = summary(table)["calibration"]
    confidence = table[[f"p_{name}" for name in C]].to_numpy().max(1)
    right = table["truth"] == table["predicted"]
    accuracy, mean = calibration_curve(right, confidence, n_bins=BINS, strategy="uniform")
    curve = pd.DataFrame(found["reliability"])
    np.testing.assert_allclose(curve["accuracy"], accuracy, atol=1e-6)
    np.testing.assert_allclose(curve["confidence"], mean, atol=1e-6)
    expected = np.sum(curve["predictions"] / 500 * np.abs(accuracy - mean))
    assert found["ece"] == pytest.approx(expected, abs=1e-6)
    assert curve["predictions"].sum() == 500


def test_an_honest_method_shows_what_chance_explains():
    found = [summary(told(100, 3.0, seed=s))["calibration"] for s in range(30)]
    shown, explained = (np.mean([one[name] for one in found]) for name in ("ece", "ece_if_calibrated"))
    assert shown > 0.05  # a hundred clips: far from 0 although every probability is right
    assert shown == pytest.approx(explained, abs=0.01)
    sure = summary(told(100, 3.0, honest=False))["calibration"]
    assert sure["ece"] > 2 * sure["ece_if_calibrated"]


def test_seeds_are_averaged_in_the_figure_and_together_in_the_curve():
    table = told(80, 3.0, seeds=2)
    table["truth"] = np.tile(table["truth"].to_numpy()[:80], 2)
    both, alone = summary(table)["calibration"], [summary(rows)["calibration"] for _, rows in table.groupby("seed")]
    for name in ("ece", "ece_if_calibrated"):
        assert both[name] == pytest.approx(np.mean([one[name] for one in alone]), abs=2e-6)
    assert sum(each["predictions"] for each in both["reliability"]) == 160


def test_without_probabilities_there_is_none():
    table = told(20, 3.0)
    assert summary(table.drop(columns="p_surprise"), C)["calibration"] is None
    with problems.collect() as found:
        assert summary(table.assign(p_surprise=7.0))["calibration"] is None
    assert "no probabilities" in found[0].what


def test_unscored_rows_and_other_views_are_in_no_curve():
    table = told(60, 3.0)
    more = pd.concat([table, table.head(9).assign(truth="", clip="x" + table["clip"].head(9)), table.assign(yaw=45)])
    with problems.collect():
        assert summary(more.assign(yaw=more["yaw"].fillna(0)))["calibration"] == summary(table)["calibration"]
