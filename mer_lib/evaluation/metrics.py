"""Every figure of merit, computed from a table of truth and prediction and from nothing else.

Confusion matrices have the truth in rows. They are pooled over the folds before anything is divided, as the MEGC 2019
protocol says (See, Yap, Li, Hong & Wang: MEGC 2019, doi:10.1109/FG.2019.8756611). With TP, FP and FN of class c
summed over all folds,

    F1_c = 2 TP_c / (2 TP_c + FP_c + FN_c),   UF1 = mean of F1_c,   UAR = mean of TP_c / (TP_c + FN_c).

The parts of a composite are cut from the same predictions. What the protocol leaves open is settled here:

* A class that does not occur in the truth (of a part, or of a bootstrap sample) has no recall, and UF1 and UAR are
  means over the classes that do occur. Predictions of it still count, as misses of the true class.
* A class that occurs and is never predicted has F1 and recall 0, and no precision (None).
* A subject of whom nothing was scored is in no figure, no interval and no count; the report names the clips.
* Where two classes share the highest probability, ``predicted`` says which was chosen (ours: the first in order);
  figures are of ``predicted`` and never look at probabilities, except for calibration.
* Several seeds: every figure is computed for each seed and then averaged; confusion matrices are summed over seeds.
* Where views (yaw) were tested beside the original, the headline figures are the original's; ``by_yaw`` has them all.
* A row without truth is not scored; a row without a prediction is an error, since abstaining must not pay. So is a clip
  with a row for one seed and none for another, one tested in two folds, one with two truths, one without the original
  view where others have it, and a row without a subject in a table that has subjects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mer_lib.evaluation.calibration import calibration, probabilities
from mer_lib.evaluation.predictions import clips, infer_classes, prepare
from mer_lib.evaluation.statistics import figure, interval, resample
from mer_lib.problems import BadInput

HEADLINE = ("uf1", "uar", "accuracy")
F1 = ("f1_micro", "f1_macro", "f1_weighted")


class Scores(NamedTuple):
    """Figures of confusion matrices (…, C, C): the first six (…), the others (…, C). NaN where undefined."""

    uf1: np.ndarray
    uar: np.ndarray
    accuracy: np.ndarray
    f1_micro: np.ndarray
    f1_macro: np.ndarray
    f1_weighted: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


def scores(confusion: np.ndarray) -> Scores:
    """All figures of (…, C, C) confusion matrices, truth in rows.

    ``f1_macro`` averages F1 over the classes that occur in truth or prediction, as scikit-learn does; it differs from
    UF1 only where a class that is predicted never occurs. ``f1_weighted`` weights F1 by the true counts.
    ``f1_micro`` sums TP, FP and FN over the classes; with one answer a clip that is the accuracy.
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
        f1_micro=_ratio(2 * hits.sum(-1), truth.sum(-1) + predicted.sum(-1)),
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
    predictions = predictions.reset_index(drop=True)
    table = prepare(predictions, classes)
    first = original(table)
    bounds = {"resamples": resamples, "confidence": confidence}
    parts = ((name, part) for name, part in first.groupby("dataset", sort=True) if name != "")
    return {
        "classes": list(classes),
        **_part(first, classes, bounds),
        "parts": {str(name): _part(part, classes, bounds) for name, part in parts},
        "by_yaw": _by_yaw(table, classes, bounds),
        "seeds": _seeds(first, classes),
        "calibration": _calibration(predictions, first, classes),
    }


def original(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that headline figures are of: the original view's, or all where only generated views were tested.

    Raises BadInput where some clips were tested in generated views only: without them the headline is of fewer clips.
    """
    first = table[table["yaw"] == 0]
    if first.empty:
        return table
    if "clip" in table and (lost := clips(table) - clips(first)):
        raise BadInput(f"{lost} clips lack the original view, which others have", "predict yaw 0 of every clip")
    return first


def count(table: pd.DataFrame, classes: int) -> np.ndarray:
    """(S subjects, K seeds, C, C) confusion counts of a prepared table, truth in the rows, subjects and seeds in order.

    S is 1 where subjects are unknown.
    """
    subject, _ = pd.factorize(table["subject"] if "subject" in table else np.zeros(len(table), int), sort=True)
    seed, _ = pd.factorize(table["seed"], sort=True)
    shape = (subject.max() + 1, seed.max() + 1, classes, classes)
    flat = np.ravel_multi_index((subject, seed, table["truth"], table["predicted"]), shape)
    return np.bincount(flat, minlength=np.prod(shape)).reshape(shape)


def _part(table: pd.DataFrame, classes: Sequence[str], bounds: dict[str, float]) -> dict[str, Any]:
    """All figures of some rows: the whole corpus, or one data set of a composite."""
    counts = count(table, len(classes))
    each = scores(counts.sum(0))
    return {
        **_averages(each, HEADLINE),
        "clips": clips(table) if "clip" in table else int(counts.sum((0, 2, 3)).max()),
        "subjects": len(counts) if "subject" in table else None,
        "intervals": _intervals(counts, **bounds),
        **_averages(each, F1),
        "per_class": _per_class(classes, counts, each),
        "confusion": counts.sum((0, 1)).tolist(),
    }


def _intervals(counts: np.ndarray, resamples: int, confidence: float) -> dict[str, Any]:
    """Bootstrap over subjects; one subject alone (or unknown ones) says nothing of others: no interval."""
    if len(counts) < 2:
        return {"uf1": None, "uar": None}
    drawn = scores(resample(counts, resamples))
    bounds = {name: interval(average(getattr(drawn, name)), confidence) for name in ("uf1", "uar")}
    return {name: [figure(low), figure(high)] for name, (low, high) in bounds.items()}


def _per_class(classes: Sequence[str], counts: np.ndarray, each: Scores) -> dict[str, dict[str, Any]]:
    support = counts.sum((0, 3))
    return {
        name: {
            "precision": figure(average(each.precision[:, c])),
            "recall": figure(average(each.recall[:, c])),
            "f1": figure(average(each.f1[:, c])),
            "support": int(support[:, c].max()),
        }
        for c, name in enumerate(classes)
    }


def _by_yaw(table: pd.DataFrame, classes: Sequence[str], bounds: dict[str, float]) -> dict[str, dict[str, Any]]:
    """UF1, UAR and accuracy of each view in degrees, with intervals; empty where only one was tested."""
    if table["yaw"].nunique() < 2:
        return {}
    found = {}
    for yaw, part in table.groupby("yaw", sort=True):
        counts = count(part, len(classes))
        found[f"{yaw:g}"] = {**_averages(scores(counts.sum(0)), HEADLINE), "intervals": _intervals(counts, **bounds)}
    return found


def _seeds(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """UF1 and UAR of each seed, their mean and their sample standard deviation (None for one seed)."""
    names, seeds = ("uf1", "uar"), sorted(table["seed"].unique())
    each = scores(count(table, len(classes)).sum(0))
    return {
        "each": {str(s): {name: figure(getattr(each, name)[k]) for name in names} for k, s in enumerate(seeds)},
        "mean": _averages(each, names),
        "std": {name: figure(getattr(each, name).std(ddof=1)) if len(seeds) > 1 else None for name in names},
    }


def _calibration(predictions: pd.DataFrame, table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any] | None:
    """Of the original view's scored rows; None where the table has no probabilities."""
    found = probabilities(predictions.loc[table.index], classes)
    if found is None:
        return None
    return calibration(found, *(table[name].to_numpy() for name in ("truth", "predicted", "seed")))


def _averages(each: Scores, names: Sequence[str]) -> dict[str, float | None]:
    return {name: figure(average(getattr(each, name))) for name in names}


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.full(np.shape(bottom), np.nan), where=bottom > 0)


def _mean(values: np.ndarray, over: np.ndarray) -> np.ndarray:
    """Mean along the last axis of the values that ``over`` names; NaN where it names none."""
    return _ratio(np.sum(np.where(over, values, 0.0), -1), np.sum(over, -1))


def average(values: np.ndarray) -> np.ndarray:
    """Mean along the last axis, the seeds, of what is defined."""
    return _mean(values, np.isfinite(values))
