"""The choice of a classifier's options from its grid, on the training subjects alone."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mer_lib.learning.curves import figures
from mer_lib.learning.folds import TRAIN, VALIDATION
from mer_lib.learning.guard import Guarded
from mer_lib.learning.learner import Learner
from mer_lib.learning.protocols import inner_folds
from mer_lib.learning.seeds import derive

if TYPE_CHECKING:
    from mer_lib.learning.classify import Classifier

log = logging.getLogger(__name__)


def tuned(learner: Learner, guarded: Guarded, labels: pd.Series, seed: int) -> Learner:
    """The learner with the options that serve best on the fold's training side; itself where it has no grid.

    Each group of training subjects is predicted by machines that were fitted without it (protocols.inner_folds). Over
    all of them together the highest UF1 wins, among equals the lowest loss, then what stands first in the grid.
    ``labels``: class position by clip, as training sees them. Raises BadInput where one subject is all there is.
    """
    variants = getattr(learner, "variants", [])
    if len(variants) < 2:
        return learner
    folds = inner_folds(guarded.fold, guarded.training_table, seed)
    seen = [_predicted(variants, guarded.inner(fold), labels, derive(seed, fold.name, "tuning")) for fold in folds]
    truth = np.concatenate([truth for truth, _ in seen])
    found = [figures(truth, np.concatenate(p)) for p in zip(*(p for _, p in seen), strict=True)]
    best = min(range(len(found)), key=lambda i: (-found[i]["uf1"], found[i]["loss"], i))
    told = (guarded.fold.name, seed, variants[best].machine, found[best]["uf1"])
    log.info("fold %s seed %d: %s, UF1 %.3f on the subjects set aside", *told)
    return variants[best]


def _predicted(
    variants: list[Classifier], inner: Guarded, labels: pd.Series, seed: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Truth of the validation rows (n,), and each variant's probabilities (n, K), fitted on the inner training rows."""
    x, table = inner.take(inner.rows(TRAIN), *variants[0].fits)
    other, told = inner.take(inner.rows(VALIDATION), "selection")
    y = labels[table["clip"]].to_numpy()
    given = [learner.probabilities(learner.fit(x, y, seed=seed), other) for learner in variants]
    return labels[told["clip"]].to_numpy(), given
