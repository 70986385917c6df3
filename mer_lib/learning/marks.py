"""Marks that a wrong preparation leaves in features: fitted over all clips at once, or told the labels.

What was fitted over all clips has seen the test clips of every fold. Such a fit leaves each column with the same exact
figure (mean 0, greatest value 1, no correlation with the others …), which the features themselves never have; scaling
that looks at one clip at a time leaves no such mark. Up to 64 columns are looked at, so that the cost does not grow
with their number. What leaves no mark: a choice of columns made over all clips, a projection on fewer than five.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from mer_lib.learning.rows import spread

LOOKED_AT = 64  # columns
CANDIDATES = 4 * LOOKED_AT  # among which those that vary are sought
FEWEST_ROWS, FEWEST_COLUMNS = 10, 10  # so that no mark is there by chance
EXACT = 1e-5  # relative; features are float32
NEAR = 0.3  # standard errors: a clip lost after the scaling moves each mean by less
FEWEST_VALUES = 5  # of a column, for its scaling to be told; 0 and 1, or signs, are as they are by nature
CHANCE = 1e-6  # probability that a column of so few values falls into the classes by itself
LEVELS = 200  # of a column that may hold the label: noise below that does not hide it


def scaling(x: np.ndarray) -> str:
    """How the columns of x (N, D) were scaled over all rows, in words; "" where they were not."""
    x = _columns(x)
    x = x[:, np.count_nonzero(np.diff(np.sort(x, axis=0), axis=0), axis=0) >= FEWEST_VALUES - 1]
    if len(x) < FEWEST_ROWS or x.shape[1] < FEWEST_COLUMNS:
        return ""
    mean, spread, near = x.mean(0), x.std(0), NEAR / np.sqrt(len(x))
    low, high = x.min(0), x.max(0)
    first, median, third = np.percentile(x, [25, 50, 75], axis=0)
    if (np.abs(mean) < near * spread).all() and (np.abs(spread - 1) < near).all():
        return "mean 0 and deviation 1"
    if (np.abs(mean) < 1e-3 / np.sqrt(len(x)) * spread).all():
        return "mean 0"
    if _same(high) and _once(x, high):
        return "the same greatest value"
    if _same(np.maximum(high, -low)) and _once(np.abs(x), np.maximum(high, -low)):
        return "the same greatest magnitude"
    if _same(np.linalg.norm(x, axis=0)):
        return "the same length"
    if (np.abs(median) < EXACT).all() and _same(third - first) and np.abs(third - first - 1).max() < EXACT:
        return "median 0 and quartiles 1 apart"
    return ""


def projection(x: np.ndarray) -> bool:
    """Whether the columns of x (N, D) are orthogonal to each other: the mark of a PCA or SVD over all rows."""
    x = _columns(x)
    length = np.linalg.norm(x, axis=0)
    x = x[:, (length > 1e-3 * length.max(initial=0)) & ((x != 0).mean(0) > 0.5)]  # empty bins are orthogonal too
    if len(x) < FEWEST_ROWS or x.shape[1] < FEWEST_COLUMNS // 2:
        return False
    x = x / np.linalg.norm(x, axis=0)
    cosine = x.T @ x - np.eye(x.shape[1])
    return bool(np.abs(cosine).max() < NEAR / 3 / np.sqrt(len(x)))


class Bounds:
    """The least and greatest value (K, D) of each column within each class, gathered a block of rows at a time.

    labels: of all rows that will be added; rows of another label, as "", are passed over.
    """

    def __init__(self, labels: np.ndarray) -> None:
        self._classes, self._counts = np.unique(labels, return_counts=True)
        self._low = self._high = np.zeros((len(self._classes), 0))

    def add(self, x: np.ndarray, labels: np.ndarray) -> None:
        """Look at rows x (n, D)."""
        if not self._low.size:
            self._low = np.full((len(self._classes), x.shape[1]), np.inf, np.float32)
            self._high = -self._low
        for k, name in enumerate(self._classes):
            own = x[labels == name]
            np.minimum(self._low[k], own.min(0, initial=np.inf), out=self._low[k])
            np.maximum(self._high[k], own.max(0, initial=-np.inf), out=self._high[k])

    def tell_the_label(self) -> bool:
        """Whether a column tells a class apart, or all: one value within each, not the same in all.

        Values are told apart to one in LEVELS of their column's range. Columns of few values that could have come out
        so by chance do not count.
        """
        if len(self._classes) < 2:
            return False
        least = self._low.min(0)
        span = self._high.max(0) - least
        scale = LEVELS / np.where(span > 0, span, 1)
        low, high = np.rint((self._low - least) * scale), np.rint((self._high - least) * scale)
        for column in np.flatnonzero((low == high).all(0) & (low.min(0) < low.max(0))):
            groups = [self._counts[low[:, column] == value].sum() for value in np.unique(low[:, column])]
            logarithm = np.log(low.shape[1]) + gammaln(np.add(groups, 1)).sum() - gammaln(self._counts.sum() + 1)
            if logarithm < np.log(CHANCE):
                return True
        return False


def _columns(x: np.ndarray) -> np.ndarray:
    """Up to LOOKED_AT columns that vary, spread evenly over all, as float64."""
    some = x[:, spread(x.shape[1], CANDIDATES)].astype(np.float64)
    some = some[:, np.ptp(some, axis=0) > 0] if len(some) else some
    return some[:, spread(some.shape[1], LOOKED_AT)]


def _same(values: np.ndarray) -> bool:
    return bool(np.ptp(values) <= EXACT * np.abs(values).max())


def _once(x: np.ndarray, bound: np.ndarray) -> bool:
    """Whether most columns reach their bound in one row only: features that end there by nature do so again and again.

    Images stretched clip by clip reach 255 in each clip, and in all pixels only where there are many clips; of few
    columns each may be reached by few clips, once by each clip.
    """
    reached = x >= bound - EXACT * np.abs(bound)
    return bool(np.median(reached.sum(0)) == 1 and (reached.sum(1) != 1).any())
