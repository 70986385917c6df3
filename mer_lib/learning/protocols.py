"""Protocols: who is trained on and who is tested, as lists of folds.

Every fold that is ever fitted is made here, and none leaves without the guard's check. A protocol is a registered
function over the table of labelled clips; it declares whether it keeps subjects apart (``subject_disjoint``). Views and
copies are no clips of their own: they follow the clip whose id they carry (see ``guard.Guarded``).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from mer_lib import registry
from mer_lib.learning import guard
from mer_lib.learning.folds import TEST, TRAIN, VALIDATION, Fold
from mer_lib.learning.seeds import derive
from mer_lib.problems import BadInput
from mer_lib.registry import register

INNER_SHARE = 0.2  # of the training subjects go to the inner validation set, at least one


@register("protocol", "loso", subject_disjoint=True, title="leave-one-subject-out cross-validation")
def loso(table: pd.DataFrame) -> list[Fold]:
    """Leave one subject out: a fold a subject, named by it; over several data sets the composite protocol of MEGC 2019.

    ``table``: N labelled clips. See et al. 2019, doi:10.1109/FG.2019.8756611.
    """
    clips = table["clip"].to_numpy(object)
    subject, names = pd.factorize(table["subject"], sort=True)
    if len(names) < 2:
        raise BadInput(
            f"LOSO needs labelled clips of at least two subjects, here are {len(names)} ({len(clips)} clips)",
            "add subjects, or train on another corpus and use mer predict",
        )
    sides = (np.where(subject == i, TEST, TRAIN).astype(np.uint8) for i in range(len(names)))
    return [Fold(str(name), clips, side) for name, side in zip(names, sides, strict=True)]


def make_folds(protocol: str, table: pd.DataFrame) -> list[Fold]:
    """The folds of a protocol over the labelled clips of a table, checked, in the order of their names.

    ``table`` needs clip, dataset, subject and label; clips without a label are in no fold. The order of its rows does
    not matter. Raises BadInput (unknown protocol, too few subjects) or LeakError.
    """
    entry = registry.get("protocol", protocol)
    guard.check_table(table)
    labelled = labelled_clips(table)
    folds = entry.load()(labelled)
    folds = [replace(fold, subject_disjoint=entry.meta["subject_disjoint"]) for fold in folds]
    guard.check_folds(folds, labelled)
    return sorted(folds, key=lambda fold: fold.name)


def everything(table: pd.DataFrame) -> Fold:
    """The one fold of a model that is trained on all labelled clips and scored elsewhere. Raises BadInput."""
    labelled = labelled_clips(table)
    if labelled.empty:
        raise BadInput("no clip with a label is left to train on", "add labels to the sheet")
    return Fold("all", labelled["clip"].to_numpy(object), np.full(len(labelled), TRAIN, np.uint8))


def inner_split(fold: Fold, table: pd.DataFrame, seed: int) -> Fold:
    """The fold with a share of its training subjects moved to validation; the test side stays as it is.

    A fold that has a validation side already is returned unchanged. Subjects are drawn by a seed derived from ``seed``
    and the fold's name.
    """
    if len(fold.validation):
        return fold
    owner = table.drop_duplicates("clip").set_index("clip")["subject"]
    subject = owner.reindex(fold.clips).to_numpy(object)
    training = fold.side == TRAIN
    present = sorted({s for s in subject[training] if isinstance(s, str)})
    if len(present) < 2:
        raise BadInput(
            f"fold {fold.name} trains on {len(present)} subject: none can be set aside to choose the epoch",
            "set train.selection: fixed",
        )
    count = max(1, round(INNER_SHARE * len(present)))
    chosen = np.random.default_rng(derive(seed, fold.name, "inner")).choice(present, count, replace=False)
    moved = training & np.isin(subject.astype(str), chosen)
    return replace(fold, side=np.where(moved, VALIDATION, fold.side).astype(np.uint8))


def labelled_clips(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each clip that has a label, in the order of their ids."""
    labelled = table[table["label"].fillna("") != ""].drop_duplicates("clip")
    return labelled.sort_values("clip", kind="stable").reset_index(drop=True)
