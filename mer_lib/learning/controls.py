"""Controls on features: how well they tell the subject apart, which recognition should not be able to lean on.

Permuted labels are a recipe's value (``train.control``), the constant classifier is an entry of its own (constant).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest
from sklearn.kernel_ridge import KernelRidge
from sklearn.preprocessing import StandardScaler

from mer_lib.learning.rows import pick, thinned
from mer_lib.learning.samples import Samples
from mer_lib.learning.seeds import derive
from mer_lib.problems import BadInput

FOLDS = 5
PERMUTED = 200  # times the identities are dealt out anew
MOST_CLIPS = 3000  # looked at; their kernel is MOST_CLIPS² numbers
MOST_COLUMNS = 4096  # of wider features (images, whole clips) as many, spread evenly, so that memory does not grow


def identity(samples: Samples, seed: int = 0, confidence: float = 0.95) -> dict[str, float | int]:
    """How well a linear classifier tells from the features whose face a clip shows, on clips it was not fitted on.

    Ridge regression on one column a subject, scaled inside the fold; each subject's clips are dealt out to FOLDS folds.
    Subjects with a single clip are left out, views and copies too; of more than MOST_CLIPS clips whole subjects are
    drawn. ``clips`` and ``subjects`` say what is left.

    accuracy : share of clips whose subject is found, with the exact binomial interval ``low`` to ``high``. Clips of one
        subject are not independent: the interval is, if anything, too narrow.
    chance, most_frequent : 1/subjects, and the share of the subject with most clips.
    permuted, permuted_high : accuracy with identities dealt out anew among the clips, PERMUTED times: mean and upper
        bound at ``confidence`` (one-sided); ``p``: how often it reaches the accuracy found, counting the true deal.

    Raises BadInput where fewer than two subjects have two clips.
    """
    rng = np.random.default_rng(derive(seed, "identity"))
    rows, owner = _clips(samples, rng)
    x, fold = thinned(pick(samples.x, rows), MOST_COLUMNS), _dealt(owner, rng)
    deals = np.repeat(owner[:, None], 1 + PERMUTED, 1)
    for k in range(FOLDS):  # within the fold, so that each deal has as many clips of everyone on either side
        deals[fold == k, 1:] = rng.permuted(deals[fold == k, 1:], axis=0)
    found = np.empty(deals.shape, owner.dtype)
    for test in (fold == k for k in range(FOLDS)):
        if test.any():
            found[test] = _predicted(x[~test], deals[~test], x[test])
    hits = (found == deals).sum(0)
    interval = binomtest(int(hits[0]), len(owner)).proportion_ci(confidence)
    return {
        "clips": len(owner),
        "subjects": int(owner.max()) + 1,
        "accuracy": float(hits[0] / len(owner)),
        "low": float(interval.low),
        "high": float(interval.high),
        "chance": 1 / (int(owner.max()) + 1),
        "most_frequent": float(np.bincount(owner).max() / len(owner)),
        "permuted": float(hits[1:].mean() / len(owner)),
        "permuted_high": float(np.quantile(hits[1:], confidence) / len(owner)),
        "p": float((1 + (hits[1:] >= hits[0]).sum()) / (1 + PERMUTED)),
    }


def _clips(samples: Samples, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n,) of the original clips of subjects who have two, and each one's subject as a number (n,)."""
    table = samples.table
    rows = np.flatnonzero(((table["yaw"] == 0) & (table["copy"] == "")).to_numpy())
    rows = rows[np.argsort(table["clip"].to_numpy(str)[rows], kind="stable")]  # not as they happen to come
    subject = table["subject"].to_numpy(str)[rows]
    names, clips = np.unique(subject, return_counts=True)
    names, clips = names[clips > 1], clips[clips > 1]
    if len(names) < 2:
        told = f"{len(names)} subjects have two clips: whose face it is cannot be tested"
        raise BadInput(told, "add clips")
    order = rng.permutation(len(names))
    drawn = names[order[np.cumsum(clips[order]) <= max(MOST_CLIPS, clips[order[:2]].sum())]]
    kept = np.isin(subject, drawn)
    return rows[kept], np.unique(subject[kept], return_inverse=True)[1]


def _dealt(owner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) fold of each clip: each owner's clips in a drawn order, one a fold, from a drawn fold on."""
    order = rng.permutation(len(owner))
    order = order[np.argsort(owner[order], kind="stable")]
    first = np.searchsorted(owner[order], owner[order])
    start = rng.integers(FOLDS, size=owner.max() + 1)
    fold = np.empty(len(owner), int)
    fold[order] = (np.arange(len(owner)) - first + start[owner[order]]) % FOLDS
    return fold


def _predicted(x: np.ndarray, deals: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(m, P) owners of rows ``other`` (m, D) by ridge regressions from x (n, D), one a column of ``deals`` (n, P).

    The penalty is D, the length of an average row: neither interpolation nor the class means alone.
    """
    scaler = StandardScaler().fit(x)
    x, other = scaler.transform(x), scaler.transform(other)
    machine = KernelRidge(alpha=x.shape[1], kernel="precomputed")
    count, given = deals.max() + 1, []
    kernel, across = x @ x.T, other @ x.T
    for deal in np.array_split(deals, 1 + deals.size * count // 10**7, axis=1):  # bounds memory
        columns = np.eye(count, dtype=np.float32)[deal]
        share = columns.mean(0)
        machine.fit(kernel, (columns - share).reshape(len(x), -1))
        given.append((machine.predict(across).reshape(len(other), *share.shape) + share).argmax(2))
    return np.concatenate(given, 1)
