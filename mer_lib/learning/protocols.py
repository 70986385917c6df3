"""Protocols: who is trained on and who is tested, as lists of folds.

Every fold that is ever fitted is made here, and none leaves without the guard's check. A protocol is a registered
function over the table of labelled clips; ``subject_disjoint`` and, where they differ from a Fold's defaults,
``video_disjoint``, ``trains_on`` and ``tests_on`` are facts of its registration. Views and copies are no clips of their
own: they follow the clip whose id they carry (see ``guard.Guarded``). Protocols that hold out what the data name are
below, those that draw lots in ``splits``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mer_lib import registry
from mer_lib.learning import guard
from mer_lib.learning.folds import DECLARED, TEST, TRAIN, VALIDATION, Fold
from mer_lib.learning.seeds import derive
from mer_lib.problems import BadInput
from mer_lib.registry import register

INNER_SHARE = 0.2  # of the training subjects go to the inner validation set, at least one
INNER_FOLDS = 5  # groups of training subjects that take turns in choosing a classifier's options


@register("protocol", "loso", subject_disjoint=True, title="leave-one-subject-out cross-validation")
@register(
    "protocol",
    "loso_to_views",
    subject_disjoint=True,
    tests_on="all",
    title="leave-one-subject-out cross-validation, trained on the original view and tested on all",
    paper="Lu, Kasabov, Lu: Multi-view geometry consistency network for facial micro-expression recognition from "
    "various perspectives (2021)",
    doi="10.1109/IJCNN52387.2021.9533434",
)
@register(
    "protocol",
    "loso_views",
    subject_disjoint=True,
    trains_on="all",
    tests_on="all",
    title="leave-one-subject-out cross-validation, trained and tested on all views",
    paper="Lu, Kasabov, Lu: Multi-view geometry consistency network for facial micro-expression recognition from "
    "various perspectives (2021)",
    doi="10.1109/IJCNN52387.2021.9533434",
)
@register(
    "protocol",
    "loso_views_refined",
    subject_disjoint=True,
    trains_on="attended",
    tests_on="all",
    title="leave-one-subject-out cross-validation, trained on the views that show what matters and tested on all",
    paper="Lu, Kasabov, Lu: Multi-view geometry consistency network for facial micro-expression recognition from "
    "various perspectives (2021)",
    doi="10.1109/IJCNN52387.2021.9533434",
)
def loso(table: pd.DataFrame) -> list[Fold]:
    """Leave one subject out: a fold a subject, named by it; over several data sets the composite protocol of MEGC 2019.

    ``table``: N labelled clips. See et al. 2019, doi:10.1109/FG.2019.8756611.
    """
    held, names = pd.factorize(table["subject"], sort=True)
    if len(names) < 2:
        raise BadInput(
            f"LOSO needs labelled clips of at least two subjects, here are {len(names)} ({len(table)} clips)",
            "add subjects, or train on another corpus and use mer predict",
        )
    return holding_out(table, held, names)


@register("protocol", "hold_out_database", subject_disjoint=True, title="hold-out-database evaluation")
def hold_out_database(table: pd.DataFrame) -> list[Fold]:
    """Hold one data set out: a fold a data set, named by it; trained on all the others.

    ``table``: N labelled clips of at least two data sets. See et al. 2019, doi:10.1109/FG.2019.8756611.
    """
    held, names = pd.factorize(table["dataset"], sort=True)
    if len(names) < 2:
        told = f"hold_out_database needs labelled clips of at least two data sets, here is {', '.join(names) or 'none'}"
        raise BadInput(told, "join data sets in one corpus, or use the protocol loso")
    return holding_out(table, held, names)


@register(
    "protocol",
    "leave_one_video_out",
    subject_disjoint=False,
    video_disjoint=True,
    title="leave-one-video-out cross-validation, which mixes subjects",
)
def leave_one_video_out(table: pd.DataFrame) -> list[Fold]:
    """Leave one recording out: a fold a source, named data set/source; all clips cut from it are tested together.

    ``table``: N labelled clips, with the column source where it is known; a clip without one is its own recording.
    The other recordings of the tested subject are trained on: figures are not comparable with LOSO.
    """
    held, names = pd.factorize(guard.recordings(table), sort=True)
    if len(names) < 2:
        told = f"leave_one_video_out needs labelled clips of at least two recordings, here are {len(names)}"
        raise BadInput(told, "add recordings, or correct the column source")
    return holding_out(table, held, names)


def holding_out(table: pd.DataFrame, held: np.ndarray, names: Sequence[str]) -> list[Fold]:
    """A fold for each name, testing the clips whose ``held`` (N,) is its position and training on all others."""
    clips = table["clip"].to_numpy(object)
    sides = (np.where(held == i, TEST, TRAIN).astype(np.uint8) for i in range(len(names)))
    return [Fold(str(name), clips, side) for name, side in zip(names, sides, strict=True)]


def make_folds(protocol: str, table: pd.DataFrame, **options: Any) -> list[Fold]:
    """The folds of a protocol over the labelled clips of a table, checked, in the order of their names.

    ``table`` needs clip, dataset, subject and label; clips without a label are in no fold. The order of its rows does
    not matter. ``options`` are the protocol's own. Raises BadInput (unknown protocol or option, a side without clips)
    or LeakError.
    """
    entry = registry.get("protocol", protocol)
    options = entry.complete(options)
    guard.check_table(table)
    labelled = labelled_clips(table)
    declared = {name: entry.meta[name] for name in DECLARED if name in entry.meta}
    folds = [replace(fold, **declared) for fold in entry.load()(labelled, **options)]
    for fold in folds:
        if not (len(fold.train) and len(fold.test)):
            counts = f"trains on {len(fold.train)} clips and tests {len(fold.test)}"
            raise BadInput(f"fold {fold.name} of {protocol} {counts}", "add labelled clips, or use another protocol")
    guard.check_folds(folds, labelled)
    return sorted(folds, key=lambda fold: fold.name)


def everything(table: pd.DataFrame) -> Fold:
    """The one fold of a model that is trained on all labelled clips and views and scored elsewhere. Raises BadInput."""
    labelled = labelled_clips(table)
    if labelled.empty:
        raise BadInput("no clip with a label is left to train on", "add labels to the sheet")
    clips = labelled["clip"].to_numpy(object)
    return Fold("all", clips, np.full(len(clips), TRAIN, np.uint8), trains_on="all")


def inner_split(fold: Fold, table: pd.DataFrame, seed: int) -> Fold:
    """The fold with a share of its training subjects moved to validation; the test side stays as it is.

    A fold that has a validation side already is returned unchanged. Subjects are drawn by a seed derived from ``seed``
    and the fold's name.
    """
    if len(fold.validation):
        return fold
    subject, present = _training_subjects(fold, table, "the epoch", "set train.selection: fixed")
    count = max(1, round(INNER_SHARE * len(present)))
    chosen = np.random.default_rng(derive(seed, fold.name, "inner")).choice(present, count, replace=False)
    return _set_aside(fold, subject, chosen)


def inner_folds(fold: Fold, table: pd.DataFrame, seed: int) -> list[Fold]:
    """The fold several times, each time with another group of its training subjects in validation: each is there once.

    INNER_FOLDS groups, fewer where there are fewer subjects; a validation side that the fold has already is the one.
    """
    if len(fold.validation):
        return [fold]
    subject, present = _training_subjects(fold, table, "a classifier's options", "drop its option grid")
    order = np.random.default_rng(derive(seed, fold.name, "inner")).permutation(present)
    return [_set_aside(fold, subject, group) for group in np.array_split(order, min(INNER_FOLDS, len(order)))]


def labelled_clips(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each clip that has a label, in the order of their ids."""
    labelled = table[table["label"].fillna("") != ""].drop_duplicates("clip")
    return labelled.sort_values("clip", kind="stable").reset_index(drop=True)


def _training_subjects(fold: Fold, table: pd.DataFrame, what: str, remedy: str) -> tuple[np.ndarray, list[str]]:
    """Each clip's subject (no text for clips lost on the way) and the training subjects, at least two."""
    owner = table.drop_duplicates("clip").set_index("clip")["subject"]
    subject = owner.reindex(fold.clips).to_numpy(object)
    present = sorted({s for s in subject[fold.side == TRAIN] if isinstance(s, str)})
    if len(present) < 2:
        told = f"fold {fold.name} trains on {len(present)} subject: none can be set aside to choose {what}"
        raise BadInput(told, remedy)
    return subject, present


def _set_aside(fold: Fold, subject: np.ndarray, chosen: np.ndarray) -> Fold:
    moved = (fold.side == TRAIN) & np.isin(subject.astype(str), chosen)
    return replace(fold, side=np.where(moved, VALIDATION, fold.side).astype(np.uint8))
