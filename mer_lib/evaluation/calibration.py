"""Whether a method is as sure as it is right: reliability curve and expected calibration error.

The confidence of a prediction is the probability given to the predicted class. Predictions are sorted into equally wide
bins of confidence, (0, .1], (.1, .2], …, (.9, 1]; with n of N predictions in a bin, of which the share ``accuracy`` is
right at a mean confidence ``confidence`` (Guo, Pleiss, Sun & Weinberger 2017, arXiv:1706.04599, eq. 3),

    ECE = sum over bins of n / N · |accuracy − confidence|.

Few clips make an ECE above 0 even where every probability is right, since the shares of small bins scatter. What such
a method would show is computed beside it (``ece_if_calibrated``): the mean ECE over draws in which each prediction is
right with the probability it states (Bröcker & Smith 2007, doi:10.1175/WAF993.1). An ECE near that says nothing against
a method.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mer_lib.evaluation.statistics import figure
from mer_lib.problems import note

BINS = 10
_DRAWS = 1000
_SLACK = 1e-3  # by which the probabilities of a row may miss 1: they are stored as float32, some tables round


def probabilities(predictions: pd.DataFrame, classes: Sequence[str]) -> np.ndarray | None:
    """(N, C) from the columns p_<class>; None where there are none, and with a note where they are no probabilities."""
    columns = [f"p_{name}" for name in classes]
    if not set(columns) <= set(predictions.columns):
        return None
    found = predictions[columns].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    if not ((found >= 0).all() and np.allclose(found.sum(1), 1, rtol=0, atol=_SLACK)):
        note("the columns p_… are no probabilities: calibration is left out", "they must be positive and add up to 1")
        return None
    return found


def ece(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error, a share, of confidence (N,) and right (N,) bool."""
    gaps = np.bincount(_bin(confidence), weights=right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def calibration(probability: np.ndarray, truth: np.ndarray, predicted: np.ndarray, seed: np.ndarray) -> dict[str, Any]:
    """``ece`` and ``ece_if_calibrated``, each the mean over the seeds, and the reliability curve of all seeds together.

    ``probability`` (N, C); ``truth``, ``predicted`` (N,) class positions; ``seed`` (N,). The curve lists the bins that
    hold predictions: low, high, predictions, confidence, accuracy.
    """
    confidence = np.minimum(probability[np.arange(len(predicted)), predicted], 1)
    right = truth == predicted
    runs = [seed == k for k in np.unique(seed)]
    return {
        "ece": figure(np.mean([ece(confidence[run], right[run]) for run in runs])),
        "ece_if_calibrated": figure(np.mean([_if_calibrated(confidence[run]) for run in runs])),
        "reliability": _curve(confidence, right),
    }


def _if_calibrated(confidence: np.ndarray) -> float:
    rng = np.random.default_rng(0)
    return float(np.mean([ece(confidence, rng.random(len(confidence)) < confidence) for _ in range(_DRAWS)]))


def _curve(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    at = _bin(confidence)
    return [
        {
            "low": figure(k / BINS),
            "high": figure((k + 1) / BINS),
            "predictions": int((at == k).sum()),
            "confidence": figure(confidence[at == k].mean()),
            "accuracy": figure(right[at == k].mean()),
        }
        for k in np.unique(at).tolist()
    ]


def _bin(confidence: np.ndarray) -> np.ndarray:
    """Position of each confidence's bin; edges belong to the bin below them, 0 to the first."""
    return np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence, side="left")
