"""A fold: which clips train, which select, which are tested. Light, because it is made at every planning of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

TRAIN, VALIDATION, TEST = 0, 1, 2
SIDES = ("train", "validation", "test")
Views = Literal["original", "all", "attended"]


@dataclass(frozen=True, eq=False)
class Fold:
    """One fold of a protocol over N clips.

    ``clips`` (N,) holds the ids of all clips of the protocol and is shared by its folds; ``side`` (N,) uint8 says for
    each whether it is TRAIN, VALIDATION or TEST, so that a fold costs one byte a clip (500 folds of 100,000 clips:
    50 MB). The rest is what its protocol declares, and the guard holds the fold to it; the defaults are the strictest:
    ``subject_disjoint``, no subject on two sides; ``video_disjoint``, no recording on two sides (the column source);
    ``trains_on`` and ``tests_on``, the original view of a clip or 'all' of them. A fold that trains on 'attended' views
    leaves out those that hide what matters: ``judged``, a row a generated view of a training clip (clip, yaw, seen,
    kept), says which, and comes from attention fitted on the fold's own training clips (geometry.attention).
    """

    name: str
    clips: np.ndarray
    side: np.ndarray
    subject_disjoint: bool = True
    video_disjoint: bool = False
    trains_on: Views = "original"
    tests_on: Literal["original", "all"] = "original"
    judged: pd.DataFrame | None = None

    @property
    def train(self) -> np.ndarray:
        """Ids of the training clips."""
        return self.clips[self.side == TRAIN]

    @property
    def validation(self) -> np.ndarray:
        """Ids of the clips that may choose an epoch or a parameter; empty unless the protocol sets some aside."""
        return self.clips[self.side == VALIDATION]

    @property
    def test(self) -> np.ndarray:
        """Ids of the clips that are scored, and serve nothing else."""
        return self.clips[self.side == TEST]

    @property
    def declared(self) -> dict[str, bool | str]:
        """What the protocol declares, by name."""
        return {name: getattr(self, name) for name in DECLARED}


DECLARED = tuple(field.name for field in fields(Fold))[3:-1]  # all but what follows from the data


def with_judged(folds: Sequence[Fold], table: pd.DataFrame) -> list[Fold]:
    """The folds, each with its rows of what attention says of views (columns fold, clip, yaw, seen, kept)."""
    return [replace(fold, judged=table[table["fold"] == fold.name].drop(columns="fold")) for fold in folds]


def jobs(folds: Sequence[Fold], folds_per_job: int) -> list[list[Fold]]:
    """The folds in groups of ``folds_per_job``, in their order: one group is one job."""
    return [list(folds[at : at + folds_per_job]) for at in range(0, len(folds), folds_per_job)]
