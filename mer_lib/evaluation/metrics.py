"""Every figure of merit, computed from a table of truth and prediction and from nothing else.

Confusion matrices have the truth in rows. They are pooled over the folds before anything is divided, as the MEGC 2019
protocol says (See, Yap, Li, Hong & Wang: MEGC 2019, doi:10.1109/FG.2019.8756611). With TP, FP and FN of class c
summed over all folds,

    F1_c = 2 TP_c / (2 TP_c + FP_c + FN_c),   UF1 = mean of F1_c,   UAR = mean of TP_c / (TP_c + FN_c).

What the protocol leaves open is settled here:

* A class that does not occur in the truth (of a part, or of a bootstrap sample) has no recall, and UF1 and UAR are
  means over the classes that do occur. Predictions of it still count, as misses of the true class.
* A class that occurs and is never predicted has F1 and recall 0, and no precision (None).
* Several seeds: every figure is computed for each seed and then averaged; confusion matrices are summed over seeds.
* Where views (yaw) were tested beside the original, the headline figures are the original's; ``by_yaw`` has them all.
* A row without truth is not scored; a row without a prediction is an error, since abstaining must not pay. So is a clip
  with a row for one seed and none for another, and a clip tested in two folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mer_lib.evaluation.predictions import infer_classes, prepare
from mer_lib.evaluation.statistics import interval, resample

DIGITS = 6  # of the figures in metrics files, which go into git


class Scores(NamedTuple):
    """Figures of confusion matrices (…, C, C): the first five (…), the others (…, C). NaN where undefined."""

    uf1: np.ndarray
    uar: np.ndarray
    accuracy: np.ndarray
    f1_macro: np.ndarray
    f1_weighted: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


def scores(confusion: np.ndarray) -> Scores:
    """All figures of (…, C, C) confusion matrices, truth in rows.

    ``f1_macro`` averages F1 over the classes that occur in truth or prediction, as scikit-learn does; it differs from
    UF1 only where a class that is predicted never occurs. ``f1_weighted`` weights F1 by the true counts.
    """
    confusion = np.asarray(confusion, float)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    truth, predicted = confusion.sum(-1), confusion.sum(-2)
    total = truth.sum(-1)
    precision, recall = _ratio(hits, predicted), _ratio(hits, truth)
    f1 = _ratio(2 * hits, truth + predicted)
    return Scores(
        uf1=_mean(f1, truth > 0),
        uar=_mean(recall, truth > 0),
        accuracy=_ratio(hits.sum(-1), total),
        f1_macro=_mean(f1, truth + predicted > 0),
        f1_weighted=_ratio(np.sum(truth * np.nan_to_num(f1), -1), total),
        precision=precision,
        recall=recall,
        f1=f1,
    )


def summary(
    predictions: pd.DataFrame,
    classes: Sequence[str] | None = None,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
) -> dict[str, Any]:
    """The metrics file of an experiment (docs/contract.md), ready for JSON.

    ``predictions`` needs ``truth`` and ``predicted``, as class names or as positions in ``classes`` (default:
    ``predictions.infer_classes``). ``subject``, ``dataset``, ``seed``, ``yaw`` and ``clip`` are used where present:
    without subjects there are no intervals, without data sets no parts. ``resamples`` bootstrap samples of subjects
    give intervals of ``confidence``. Raises BadInput for a table that cannot be scored.
    """
    classes = tuple(classes or infer_classes(predictions))
    table = prepare(predictions, classes)
    original = table[table["yaw"] == 0] if (table["yaw"] == 0).any() else table
    counts = _count(original, len(classes))
    seeds = sorted(original["seed"].unique())
    each = scores(counts.sum(0))
    bounds = {"resamples": resamples, "confidence": confidence}
    return {
        "classes": list(classes),
        **_headline(original, counts, bounds),
        "f1_macro": _figure(_average(each.f1_macro)),
        "f1_weighted": _figure(_average(each.f1_weighted)),
        "per_class": _per_class(classes, counts, each),
        "confusion": counts.sum((0, 1)).tolist(),
        "parts": {
            str(name): _headline(part, _count(part, len(classes)), bounds)
            for name, part in original.groupby("dataset", sort=True)
            if name != ""
        },
        "by_yaw": _by_yaw(table, len(classes)),
        "seeds": _seeds(seeds, each),
    }


def _count(table: pd.DataFrame, classes: int) -> np.ndarray:
    """(S subjects, K seeds, C, C) confusion counts, truth in the rows; S is 1 where subjects are unknown."""
    subject, _ = pd.factorize(table["subject"] if "subject" in table else np.zeros(len(table), int), sort=True)
    seed, _ = pd.factorize(table["seed"], sort=True)
    shape = (subject.max() + 1, seed.max() + 1, classes, classes)
    flat = np.ravel_multi_index((subject, seed, table["truth"], table["predicted"]), shape)
    return np.bincount(flat, minlength=np.prod(shape)).reshape(shape)


def _headline(table: pd.DataFrame, counts: np.ndarray, bounds: dict[str, float]) -> dict[str, Any]:
    each = scores(counts.sum(0))
    return {
        "uf1": _figure(_average(each.uf1)),
        "uar": _figure(_average(each.uar)),
        "accuracy": _figure(_average(each.accuracy)),
        "clips": int(table["clip"].nunique() if "clip" in table else counts.sum((0, 2, 3)).max()),
        "subjects": len(counts) if "subject" in table else None,
        "intervals": _intervals(counts, **bounds),
    }


def _intervals(counts: np.ndarray, resamples: int, confidence: float) -> dict[str, Any]:
    """Bootstrap over subjects; one subject alone (or unknown ones) says nothing of others: no interval."""
    if len(counts) < 2:
        return {"uf1": None, "uar": None}
    drawn = scores(resample(counts, resamples))
    bounds = {name: interval(_average(getattr(drawn, name)), confidence) for name in ("uf1", "uar")}
    return {name: [_figure(low), _figure(high)] for name, (low, high) in bounds.items()}


def _per_class(classes: tuple[str, ...], counts: np.ndarray, each: Scores) -> dict[str, dict[str, Any]]:
    support = counts.sum((0, 3))
    return {
        name: {
            "precision": _figure(_average(each.precision[:, c])),
            "recall": _figure(_average(each.recall[:, c])),
            "f1": _figure(_average(each.f1[:, c])),
            "support": int(support[:, c].max()),
        }
        for c, name in enumerate(classes)
    }


def _by_yaw(table: pd.DataFrame, classes: int) -> dict[str, dict[str, Any]]:
    """UF1, UAR and accuracy of each view in degrees; empty where only one was tested."""
    if table["yaw"].nunique() < 2:
        return {}
    found = {}
    for yaw, part in table.groupby("yaw", sort=True):
        each = scores(_count(part, classes).sum(0))
        found[f"{yaw:g}"] = {name: _figure(_average(getattr(each, name))) for name in ("uf1", "uar", "accuracy")}
    return found


def _seeds(seeds: list, each: Scores) -> dict[str, Any]:
    """UF1 and UAR of each seed, their mean and their sample standard deviation (None for one seed)."""
    names = ("uf1", "uar")
    return {
        "each": {str(s): {name: _figure(getattr(each, name)[k]) for name in names} for k, s in enumerate(seeds)},
        "mean": {name: _figure(_average(getattr(each, name))) for name in names},
        "std": {name: _figure(getattr(each, name).std(ddof=1)) if len(seeds) > 1 else None for name in names},
    }


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.full(np.shape(bottom), np.nan), where=bottom > 0)


def _mean(values: np.ndarray, over: np.ndarray) -> np.ndarray:
    """Mean along the last axis of the values that ``over`` names; NaN where it names none."""
    return _ratio(np.sum(np.where(over, values, 0.0), -1), np.sum(over, -1))


def _average(values: np.ndarray) -> np.ndarray:
    """Mean along the last axis, the seeds, of what is defined."""
    return _mean(values, np.isfinite(values))


def _figure(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), DIGITS)
