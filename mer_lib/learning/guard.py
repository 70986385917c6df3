"""The one guard between training and test: it refuses every known way of mixing them, by name, at every fit.

Ids are checked when a table comes in, sides when folds are made, and the samples themselves when a fold is fitted:
:class:`Guarded` hands out rows only for the purpose that their side allows, keeps the test rows locked until the fit is
over, and looks for copies of test clips under other names and for scaling over all clips. What each leak does to
published figures: docs, 'How to read these numbers'.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mer_lib.learning.folds import SIDES, TEST, TRAIN, VALIDATION, Fold
from mer_lib.learning.rows import Features, pick
from mer_lib.problems import BadInput

if TYPE_CHECKING:
    from mer_lib.learning.samples import Samples

KINDS = {
    "subject_in_two_datasets": "one subject id in two data sets",
    "subject_without_dataset": "a subject id that does not carry its data set, so that ids of two sets may collide",
    "subject_spelt_two_ways": "two subject ids that differ in capitals, separators, leading zeros or Unicode form only",
    "clip_of_another_subject": "a clip filed under a subject other than the one in its id",
    "clip_with_two_labels": "one clip, or copies of it, with different labels",
    "clip_on_two_sides": "a clip listed on two sides of a fold",
    "clip_listed_twice": "a clip listed twice on one side of a fold",
    "clip_tested_twice": "a clip tested in two folds of a protocol",
    "sample_listed_twice": "one view of a clip that stands twice among the samples",
    "subject_on_both_sides": "a subject trained on and tested in a protocol that keeps subjects apart",
    "subject_selects_for_itself": "a subject on both sides of the split that chooses the epoch",
    "video_on_both_sides": "a recording cut into training and test clips in a protocol that keeps recordings whole",
    "protocol_loosened": "an inner split that allows more than its protocol does",
    "test_clip_in_training": "fitting on a test clip",
    "test_view_in_training": "fitting on another view or copy of a test clip",
    "view_outside_protocol": "fitting on or scoring a view or a copy that the protocol leaves out",
    "validation_clip_in_training": "fitting on a clip that is to choose the epoch",
    "selection_on_test": "choosing an epoch or a parameter on test clips",
    "normalisation_outside_training": "scaling fitted on clips outside the training side",
    "feature_selection_outside_training": "features chosen on clips outside the training side",
    "tuning_outside_training": "apex spotting, magnification or attention fitted on clips outside the training side",
    "test_view_judged": "a view of a test clip dropped, or weighed, by what attention says of its label or prediction",
    "normalised_over_all_clips": "features that were scaled over all clips before the folds were made",
    "projected_over_all_clips": "features that were projected (PCA, SVD) over all clips before the folds were made",
    "label_in_features": "a feature that is the label in other words",
    "copy_under_another_name": "the same features, if brightened, rescaled or 8-bit, under two clip ids on two sides",
    "auxiliary_subject_in_corpus": "a subject among the auxiliary clips whom the corpus itself tests",
    "test_opened_before_fit_ended": "test clips asked for while the model could still change",
    "fit_after_test_opened": "a model fitted, or anything chosen, after its test clips were opened",
}
# Which sides may be handed out for what; every other row is a leak.
ALLOWED = {
    "weights": (TRAIN,),
    "normalisation": (TRAIN,),
    "feature_selection": (TRAIN,),
    "tuning": (TRAIN,),
    "selection": (TRAIN, VALIDATION),
    "prediction": (TEST,),
}


class LeakError(RuntimeError):
    """A leak between training and test: ``kind`` is one of KINDS, the message names what and where."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind, self.message = kind, message
        super().__init__(f"leak refused ({kind}: {KINDS[kind]}): {message}")

    def __reduce__(self):
        return LeakError, (self.kind, self.message)


def check_table(table: pd.DataFrame) -> None:
    """Refuse ids and labels that make a clean split impossible. Columns: clip, dataset, subject, label; any rows."""
    people = table[["dataset", "subject"]].drop_duplicates()
    _refuse(
        "subject_in_two_datasets", people["subject"][people["subject"].duplicated()],
        "subject {} stands in two data sets; prefix subject ids with their data set",
    )  # fmt: skip
    bare = [s for d, s in people.itertuples(index=False) if not s.startswith(f"{d}/")]
    _refuse("subject_without_dataset", bare, "subject {} lacks its data set; write dataset/subject")
    spelt = people["subject"].map(_spelt)
    _refuse(
        "subject_spelt_two_ways", people["subject"][spelt.duplicated()],
        "subject {} is also written otherwise; use one spelling",
    )  # fmt: skip
    clips = table[["clip", "subject", "label"]].drop_duplicates()
    astray = [c for c, s in zip(clips["clip"], clips["subject"], strict=True) if not c.startswith(f"{s}/")]
    _refuse("clip_of_another_subject", astray, "clip {} is filed under another subject; correct its subject")
    _refuse(
        "clip_with_two_labels", clips["clip"][clips["clip"].duplicated()],
        "clip {} has two labels; correct the sheet",
    )  # fmt: skip


def check_folds(folds: Sequence[Fold], table: pd.DataFrame) -> None:
    """Refuse folds that break what their protocol declares.

    ``table``: a row (or several) for each of their clips; with the column source recordings are kept whole.
    """
    check_table(table)
    _check_sides(folds, table)


def check_samples(samples: Samples) -> None:
    """Refuse samples whose ids, labels or features make a clean split impossible, whatever the fold."""
    check_table(samples.table)
    _samples_once(samples.table)
    _refuse_marks(samples)


def check_auxiliary(auxiliary: Samples, samples: Samples) -> None:
    """Refuse auxiliary samples, which train in every fold, that share a person or a clip with the corpus.

    Each person of the corpus is held out in some fold, so that there is no fold to look at. A person is known by the
    id, however spelt; a clip under another name by its features.
    """
    check_samples(auxiliary)
    spelt = {_spelt(subject) for subject in samples.table["subject"].unique()}
    shared = [subject for subject in auxiliary.table["subject"].unique() if _spelt(subject) in spelt]
    _refuse("auxiliary_subject_in_corpus", shared, "subject {}; take an auxiliary corpus of other people")
    seen = auxiliary.fingerprints
    copied = np.flatnonzero((seen != 0) & np.isin(seen, samples.fingerprints))
    names = auxiliary.table["clip"].iloc[copied]
    _refuse("copy_under_another_name", names, "auxiliary clip {} has the very features of a clip of the corpus")


def _check_sides(folds: Sequence[Fold], table: pd.DataFrame) -> None:
    once = table.drop_duplicates("clip")
    owner = once.set_index("clip")["subject"]
    recording = pd.Series(recordings(once).to_numpy(object), owner.index)
    tested: dict[str, str] = {}
    shared: np.ndarray | None = None
    for fold in folds:
        if fold.clips is not shared:
            shared = fold.clips
            subjects = pd.factorize(owner.reindex(shared).to_numpy(object))
            videos = pd.factorize(recording.reindex(shared).to_numpy(object))
            repeated = not pd.Index(shared).is_unique
        if repeated:
            _clips_once(fold)
        if fold.subject_disjoint:
            _apart(fold, *subjects, "subject", "subject_on_both_sides", "subject_selects_for_itself")
        if fold.video_disjoint:
            _apart(fold, *videos, "recording", "video_on_both_sides")
        for clip in fold.test:
            if clip in tested:
                raise LeakError("clip_tested_twice", f"clip {clip} is tested in folds {tested[clip]} and {fold.name}")
            tested[clip] = fold.name


def recordings(table: pd.DataFrame) -> pd.Series:
    """What each clip was cut from, as data set/source; the clip itself where its source is unknown."""
    if "source" not in table:
        return table["clip"]
    return (table["dataset"] + "/" + table["source"]).where(table["source"].fillna("") != "", table["clip"])


def check_selection(splits: Iterable[str]) -> None:
    """Refuse to choose anything from figures of the test side; ``splits``: where the figures come from."""
    if "test" in set(splits):
        raise LeakError("selection_on_test", "figures of test clips were offered to choose an epoch from")


class Guarded:
    """The samples of one fold behind the guard; making one checks ids, sides, copies and what was done to the features.

    ``samples`` are those that exist: clips lost on the way are in the fold but have no rows, and rows of clips that
    are in no fold, or of views and copies that its protocol leaves out, are never handed out. Raises BadInput where the
    protocol tests views and there are none.
    """

    def __init__(self, samples: Samples, fold: Fold) -> None:
        self.fold = fold
        self._samples = samples.checked
        self._sealed, self._inner = False, False
        _check_sides([fold], samples.table)
        at = pd.Index(fold.clips).get_indexer(samples.table["clip"])
        self._side = np.where(at >= 0, fold.side[at], len(SIDES))
        _check_judged(fold)
        self._left_out = _left_out(samples.table, fold, self._side == TEST)
        _refuse_copies(samples, self._side, fold.name)

    @property
    def mixed_subjects(self) -> list[str]:
        """Subjects that are trained on and tested, which only a protocol that says so may have."""
        subject = self._samples.table["subject"]
        return sorted(set(subject[self._side == TEST]) & set(subject[self._side < TEST]))

    def rows(self, side: int) -> np.ndarray:
        """Positions of the samples on a side, with the views and copies that the protocol lets train or be tested."""
        return np.flatnonzero((self._side == side) & ~self._left_out)

    @property
    def training_table(self) -> pd.DataFrame:
        """Rows of every sample that may train or select."""
        return self._samples.table[(self._side < TEST) & ~self._left_out]

    def inner(self, fold: Fold) -> Guarded:
        """The same samples behind a fold whose training side was split. Its test side stays as it is, and locked."""
        if not (np.array_equal(fold.clips, self.fold.clips) and np.array_equal(fold.test, self.fold.test)):
            raise LeakError("selection_on_test", f"the inner split of fold {fold.name} moves its test clips")
        if fold.declared != self.fold.declared:
            raise LeakError("protocol_loosened", f"the inner split of fold {fold.name} is no fold of the same protocol")
        made = Guarded(self._samples, fold)
        made._inner = True
        return made

    def take(self, rows: np.ndarray, *purposes: str) -> tuple[Features, pd.DataFrame]:
        """Features (n, ...) and table of these rows, if all of them may serve all ``purposes`` (keys of ALLOWED)."""
        if not purposes:
            raise ValueError(f"say what the rows are for: {', '.join(ALLOWED)}")
        for purpose in purposes:
            outside = rows[~np.isin(self._side[rows], ALLOWED[purpose])]
            if len(outside):
                self._refuse(outside[0], purpose)
        if self._left_out[rows].any():
            self._refuse_view(rows[self._left_out[rows]][0])
        if "prediction" in purposes and not self._sealed:
            raise LeakError("test_opened_before_fit_ended", f"fold {self.fold.name}")
        if self._sealed and set(purposes) != {"prediction"}:
            raise LeakError(
                "fit_after_test_opened", f"fold {self.fold.name}; put another fit behind a guard of its own"
            )
        return pick(self._samples.x, rows), self._samples.table.iloc[rows]

    def seal(self) -> None:
        """Declare the fit over: from here on test rows are open. An inner fit's end is not the end of the fit."""
        if self._inner:
            raise LeakError(
                "test_opened_before_fit_ended", f"the inner split of fold {self.fold.name} opens no test clip"
            )
        self._sealed = True

    def watch(self, score: Callable[[Features, pd.DataFrame], None]) -> None:
        """Let a recorder see the test rows while the fit goes on. For curves only; see ``check_selection``."""
        rows = self.rows(TEST)
        score(pick(self._samples.x, rows), self._samples.table.iloc[rows])

    def _refuse(self, row: int, purpose: str) -> None:
        sample = self._samples.table.iloc[row]
        side = self._side[row]
        if purpose == "weights" and side == TEST:
            kind = "test_clip_in_training" if _is_original(sample) else "test_view_in_training"
        elif purpose == "weights" and side == VALIDATION:
            kind = "validation_clip_in_training"
        elif purpose == "selection" and side == TEST:
            kind = "selection_on_test"
        elif f"{purpose}_outside_training" in KINDS:
            kind = f"{purpose}_outside_training"
        else:
            raise ValueError(f"clip {sample['clip']} is not there for {purpose} in fold {self.fold.name}")
        where = f"the {SIDES[side]} side of" if side < len(SIDES) else "no side of"
        raise LeakError(kind, f"{_told(sample)} is on {where} fold {self.fold.name}")

    def _refuse_view(self, row: int) -> None:
        scored = self._side[row] == TEST
        views = self.fold.tests_on if scored else self.fold.trains_on
        raise LeakError(
            "view_outside_protocol",
            f"{_told(self._samples.table.iloc[row])}: its protocol {'tests' if scored else 'trains'} on {views} "
            f"view{'s' if views == 'all' else ''}{' and on no copy' if scored else ''}",
        )


def _spelt(subject: str) -> str:
    """What all spellings of a subject's id share: a name typed on two systems, '006' that a spreadsheet made 6.

    Separators count between digits only, where they tell numbers apart.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", subject).casefold())
    bare = re.sub(r"(?<!\d)[-_.]+|[-_.]+(?!\d)", "", re.sub(r"\s+", "", text))
    return re.sub(r"(?<!\d)0+(?=\d)", "", bare)


def _samples_once(table: pd.DataFrame) -> None:
    again = table.duplicated(["clip", "yaw", "copy"])
    if again.any():
        raise LeakError("sample_listed_twice", f"{_told(table[again].iloc[0])}; join the tables once")


def _is_original(sample: pd.Series) -> bool:
    return sample["yaw"] == 0 and not sample["copy"]


def _told(sample: pd.Series) -> str:
    return f"clip {sample['clip']} (yaw {sample['yaw']:g}{sample['copy'] and ', copy '}{sample['copy']})"


def _left_out(table: pd.DataFrame, fold: Fold, tested: np.ndarray) -> np.ndarray:
    """(N,) whether a row is a view that its side does not use, or a copy on the test side; ``tested`` (N,)."""
    turned, copied = (table["yaw"] != 0).to_numpy(), (table["copy"] != "").to_numpy()
    if fold.tests_on == "all" and not turned.any():
        raise BadInput("the protocol tests all views, but the features are of the original only", "use loso")
    unused = np.where(tested, fold.tests_on != "all", fold.trains_on == "original")
    if fold.trains_on == "attended":
        unused |= ~tested & ~_kept(table, fold)
    return (turned & unused) | (copied & tested)


def _check_judged(fold: Fold) -> None:
    """Refuse attention that has seen other than training clips. Raises BadInput where a fold needs it and has none."""
    if fold.judged is None:
        if fold.trains_on == "attended":
            raise BadInput(f"fold {fold.name} trains on attended views and none is judged", "run the stage attention")
        return
    clips = fold.judged["clip"]
    _refuse("test_view_judged", clips[clips.isin(fold.test)], "a view of clip {}, tested in fold " + fold.name)
    told = "attention of fold " + fold.name + " has seen clip {}, which is not on its training side"
    _refuse("tuning_outside_training", clips[~clips.isin(fold.clips[fold.side < TEST])], told)


def _kept(table: pd.DataFrame, fold: Fold) -> np.ndarray:
    """(N,) whether a row is a view that attention found to show what matters; no view that nobody has judged is."""
    kept = fold.judged[fold.judged["kept"].astype(bool)]
    return pd.MultiIndex.from_frame(table[["clip", "yaw"]]).isin(pd.MultiIndex.from_frame(kept[["clip", "yaw"]]))


def _clips_once(fold: Fold) -> None:
    listed = pd.DataFrame({"clip": fold.clips, "side": fold.side})
    sides = listed.drop_duplicates()
    _refuse("clip_on_two_sides", sides["clip"][sides["clip"].duplicated()], "clip {} in fold " + fold.name)
    _refuse("clip_listed_twice", listed["clip"][listed.duplicated()], "clip {} in fold " + fold.name)


def _apart(
    fold: Fold, owner: np.ndarray, names: np.ndarray, what: str, tested: str, selects: str | None = None
) -> None:
    """Refuse an owner of clips on the test side and another (``tested``), on those of the inner split (``selects``).

    ``owner`` (N,): position in ``names`` of each clip's subject or recording, -1 for clips that were lost on the way.
    """
    there = owner >= 0
    on = np.zeros((len(SIDES), len(names)), bool)
    on[fold.side[there], owner[there]] = True
    for kind, one, other in ((tested, TEST, TRAIN), (tested, TEST, VALIDATION), (selects, VALIDATION, TRAIN)):
        if kind:
            both = names[on[one] & on[other]]
            _refuse(
                kind, both, what + " {} is on the " + f"{SIDES[one]} and the {SIDES[other]} side of fold {fold.name}"
            )


def _refuse_copies(samples: Samples, side: np.ndarray, fold: str) -> None:
    """Copies as ``Samples.fingerprints`` know them. Constant features (no motion) are no one's, and are let pass."""
    test, other = side == TEST, side < TEST
    seen = samples.fingerprints
    copied = test & (seen != 0) & np.isin(seen, seen[other])
    if copied.any():
        at = np.flatnonzero(copied)[0]
        twin = np.flatnonzero(other & (seen == seen[at]))[0]
        clip = samples.table["clip"]
        raise LeakError(
            "copy_under_another_name",
            f"test clip {clip.iloc[at]} of fold {fold} has the very features of training clip {clip.iloc[twin]}; "
            "remove one of the two from the sheet",
        )


def _refuse_marks(samples: Samples) -> None:
    """What was done to the features before any fold was made."""
    raw = "hand over the raw features, what is fitted to them is fitted within the fold"
    if samples.projected:
        raise LeakError("projected_over_all_clips", f"the features are orthogonal to each other over all clips; {raw}")
    if samples.scaling:
        raise LeakError("normalised_over_all_clips", f"every feature has {samples.scaling} over all clips; {raw}")
    if samples.tell_the_label:
        told = "a feature has one value within each class; take the annotation out of the features"
        raise LeakError("label_in_features", told)


def _refuse(kind: str, found: Iterable[str], message: str) -> None:
    for name in found:
        raise LeakError(kind, message.replace("{}", str(name)))
