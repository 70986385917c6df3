"""A fold: which clips train, which select, which are tested. Light, because it is made at every planning of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TRAIN, VALIDATION, TEST = 0, 1, 2
SIDES = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Fold:
    """One fold of a protocol over N clips.

    ``clips`` (N,) holds the ids of all clips of the protocol and is shared by its folds; ``side`` (N,) uint8 says for
    each whether it is TRAIN, VALIDATION or TEST, so that a fold costs one byte a clip (500 folds of 100,000 clips:
    50 MB). ``subject_disjoint`` is what its protocol declares, and the guard holds the fold to it.
    """

    name: str
    clips: np.ndarray
    side: np.ndarray
    subject_disjoint: bool = True

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


def jobs(folds: Sequence[Fold], folds_per_job: int) -> list[list[Fold]]:
    """The folds in groups of ``folds_per_job``, in their order: one group is one job."""
    return [list(folds[at : at + folds_per_job]) for at in range(0, len(folds), folds_per_job)]
