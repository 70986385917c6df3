"""How far a figure can be trusted: bootstrap intervals over subjects.

Clips of one face are not independent, so subjects are resampled, never clips. The statistic is recomputed from counts:
a resample only weights each subject's confusion matrix, which makes a thousand resamples one matrix product.
"""

from __future__ import annotations

import numpy as np


def resample(counts: np.ndarray, resamples: int, seed: int = 0) -> np.ndarray:
    """Counts of ``resamples`` bootstrap samples of subjects.

    ``counts`` is (S subjects, …) of whole numbers; the result (resamples, …) holds the sums over S subjects drawn with
    replacement (Efron & Tibshirani 1993, ch. 8: the unit of resampling is the independent one). Exact: whole numbers
    below 2^53 add up the same in any order, so threads do not change a bit.
    """
    subjects = len(counts)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=resamples)
    return np.tensordot(weights.astype(float), counts.astype(float), axes=1)


def interval(samples: np.ndarray, confidence: float) -> tuple[float, float]:
    """The central ``confidence`` share of ``samples`` (R,): the percentile interval."""
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(samples, [tail, 1 - tail])
    return float(low), float(high)
