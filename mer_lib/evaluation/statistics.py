"""How far a figure, and a difference of two, can be trusted: bootstrap and permutation, both over subjects.

Clips of one face are not independent, so whole subjects are resampled or swapped, never clips. Figures are recomputed
from counts: a resample only weights each subject's confusion matrix, and a swap only moves it from one method to the
other, which makes ten thousand of either one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

DIGITS = 6  # of the figures in files that go into git
_SAME = 1e-9  # figures closer than this are equal: the same counts added up in another order


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


def figure(value: float) -> float | None:
    """A figure as files hold it: rounded, None where it is undefined."""
    return None if np.isnan(value) else round(float(value), DIGITS)


def permutation(
    a: np.ndarray, b: np.ndarray, figures: Callable[[np.ndarray], np.ndarray], permutations: int, seed: int = 0
) -> np.ndarray:
    """Two-sided p values (F,) of the paired permutation test over subjects (Good 2005, ch. 3; sign flips).

    ``a`` and ``b`` are the counts of two methods on the same clips, (S subjects, K seeds, …); ``figures`` turns counts
    (R, …) into F figures (R, F). The statistic is the difference of the figures, each the mean over the seeds. Under
    the null hypothesis it does not matter which method said what of a subject: both methods' answers for a subject, of
    all seeds, are swapped or not. Subjects of whom both said the same cannot move the statistic and are left out; if
    the others can be swapped in no more than ``permutations`` ways, all ways are tried and p is exact. Otherwise as
    many are drawn, and the arrangement found counts as one of them: p is never 0 (Phipson & Smyth 2010,
    doi:10.2202/1544-6115.1585). Ties count as reached.
    """
    moved = (a != b).reshape(len(a), -1).any(axis=1)
    gap = (b - a)[moved].astype(float)  # what a gains and b loses where a subject is swapped
    swapped, exact = _swaps(len(gap), permutations, seed)
    seeds = a.shape[1]
    found, drawn = 0.0, 0.0
    for k in range(seeds):  # one seed at a time: ten thousand confusion matrices of every seed would be much memory
        one, other = a[:, k].sum(0), b[:, k].sum(0)
        shift = np.tensordot(swapped, gap[:, k], axes=1)
        found = found + (figures(one[None]) - figures(other[None]))[0] / seeds
        drawn = drawn + (figures(one + shift) - figures(other - shift)) / seeds
    reached = np.abs(drawn) >= np.abs(found) - _SAME
    return reached.mean(0) if exact else (1 + reached.sum(0)) / (1 + len(reached))


def _swaps(subjects: int, permutations: int, seed: int) -> tuple[np.ndarray, bool]:
    """(R, S) of 0 and 1, which subjects are swapped; whether these are all ways there are."""
    if 2**subjects <= permutations:
        return (np.arange(2**subjects)[:, None] >> np.arange(subjects) & 1).astype(float), True
    return np.random.default_rng(seed).integers(0, 2, (permutations, subjects)).astype(float), False


def holm(p: np.ndarray) -> np.ndarray:
    """p values (F,) of a family of tests, corrected so that the chance of any false finding stays below the level
    (Holm 1979, Scand. J. Statist. 6: the smallest times F, the next times F - 1, …; never falling). NaN stay NaN and
    are no part of the family.
    """
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")[: np.isfinite(p).sum()]
    corrected = np.full_like(p, np.nan)
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return corrected
