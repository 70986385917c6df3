"""Protocols that draw lots: k folds of subjects, and the single split of clips that papers A and B report."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mer_lib.learning.folds import TEST, TRAIN, Fold
from mer_lib.learning.protocols import holding_out
from mer_lib.learning.seeds import derive
from mer_lib.problems import BadInput
from mer_lib.registry import register


@register("protocol", "k_fold_subjects", subject_disjoint=True, title="k folds of subjects")
def k_fold_subjects(table: pd.DataFrame, *, k: int = 5, seed: int = 0) -> list[Fold]:
    """k folds of whole subjects, the classes spread over them as evenly as whole subjects allow.

    Subjects go, those with most clips first, to the fold where they repeat the fewest classes; ``seed`` orders equals.
    """
    subject, names = pd.factorize(table["subject"], sort=True)
    if not 2 <= k <= len(names):
        raise BadInput(f"{k} folds of {len(names)} subjects", "set k from 2 to the number of subjects, or use loso")
    counts = pd.crosstab(subject, table["label"]).to_numpy().astype(float)
    share = counts / counts.sum(0)  # of each class, so that a rare one weighs as much as a common one
    lots = np.random.default_rng(derive(seed, "k_fold_subjects")).permutation(len(names))
    filled, sizes = np.zeros((k, share.shape[1])), np.zeros(k)
    of_subject = np.empty(len(names), int)
    for s in np.lexsort([lots, -counts.sum(1)]):
        repeated = filled @ share[s]
        fold = np.lexsort([sizes, repeated.round(12)])[0]  # an empty fold repeats nothing: none stays empty
        of_subject[s] = fold
        filled[fold] += share[s]
        sizes[fold] += counts[s].sum()
    width = len(str(k - 1))
    return holding_out(table, of_subject[subject], [f"fold{i:0{width}d}" for i in range(k)])


@register(
    "protocol", "quick_subjects", subject_disjoint=True, quick=True, title="a quick look at few folds of subjects"
)
def quick_subjects(table: pd.DataFrame, *, k: int = 3, seed: int = 0) -> list[Fold]:
    """As ``k_fold_subjects``, in so few folds that too little is trained on: it shows that a network runs, no ranks."""
    return k_fold_subjects(table, k=min(k, table["subject"].nunique()), seed=seed)


@register(
    "protocol",
    "clip_split_80_20",
    subject_disjoint=False,
    tests_all=False,
    title="one random 80/20 split of clips, which mixes subjects",
    paper="Reddy, Karri, Dubey, Mukherjee: Spontaneous facial micro-expression recognition using 3D spatiotemporal "
    "convolutional neural networks (2019)",
    doi="10.48550/arXiv.1904.01390",
)
@register(
    "protocol",
    "clip_split_80_20_to_views",
    subject_disjoint=False,
    tests_all=False,
    tests_on="all",
    title="one random 80/20 split of clips, which mixes subjects, trained on the original view and tested on all",
)
@register(
    "protocol",
    "clip_split_80_20_views",
    subject_disjoint=False,
    tests_all=False,
    trains_on="all",
    tests_on="all",
    title="one random 80/20 split of clips, which mixes subjects, trained and tested on all views",
)
def clip_split_80_20(table: pd.DataFrame, *, seed: int = 4) -> list[Fold]:
    """A fifth of the clips, drawn at random, is tested: the split of papers A and B, which tests faces it trained on.

    One fold. As in the code that Reddy et al. publish the classes are not balanced, and a fraction of a clip goes to
    the test side (SMIC's 156 clips: 124 and 32); their seed is 4 too, but their clips came in the order of the file
    system, so that nobody can draw the same ones.
    """
    if len(table) < 2:
        raise BadInput(f"a split of {len(table)} labelled clips", "add labelled clips")
    drawn = np.random.default_rng(derive(seed, "clip_split_80_20")).permutation(len(table))
    tested = drawn < -(-len(table) // 5)
    return [Fold("split", table["clip"].to_numpy(object), np.where(tested, TEST, TRAIN).astype(np.uint8))]
