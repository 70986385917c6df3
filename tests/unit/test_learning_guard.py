"""The guard: each known leak is planted once and refused by its name."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from learning_toys import CLASSES, samples, table

from mer_lib.learning import guard
from mer_lib.learning.curves import Curves, best_epoch
from mer_lib.learning.fit import run_folds
from mer_lib.learning.folds import TEST, TRAIN, VALIDATION, Fold
from mer_lib.learning.guard import Guarded, LeakError
from mer_lib.learning.protocols import inner_split, make_folds
from mer_lib.learning.samples import Samples

SVM = {"kind": "classifier", "name": "svm_linear", "classes": CLASSES}


def refuses(kind):
    """The leak must be refused under this very name, which the guard explains."""
    assert kind in guard.KINDS
    return pytest.raises(LeakError, match=rf"leak refused \({kind}: ")


def vectors(**changes):
    return samples(shape=(6,), **changes)


def first_fold(data):
    return make_folds("loso", data.table)[0]


def renamed(data, **columns):
    """The samples with whole columns of their table replaced."""
    return Samples(data.x, data.table.assign(**columns))


def moved(fold, clip, side):
    sides = fold.side.copy()
    sides[fold.clips == clip] = side
    return replace(fold, side=sides)


def test_leak_subject_in_two_datasets():
    clips = table()
    clips.loc[5, "dataset"] = "other"
    with refuses("subject_in_two_datasets"):
        make_folds("loso", clips)


def test_leak_subject_without_dataset():
    one, two = table(dataset="casme2"), table(dataset="smic")
    for clips in (one, two):  # both sets number their subjects s00, s01 …
        clips["subject"] = clips["subject"].str.split("/").str[1] + "_" + clips["dataset"]
    with refuses("subject_without_dataset"):
        make_folds("loso", pd.concat([one, two]))


def test_leak_subject_spelt_two_ways():
    clips = table()
    clips.loc[0, ["clip", "subject"]] = ["toy/S00/c0", "toy/S00"]
    with refuses("subject_spelt_two_ways"):
        make_folds("loso", clips)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Zo\u00eb", "Zoe\u0308"), ("ANNA", "anna"), ("Stra\u00dfe", "STRASSE"), ("anna b", "anna\u00a0b"), ("006", "6"),
     ("s1", "s01"), ("s1", "\uff53\uff11")],
)  # fmt: skip
def test_leak_subject_spelt_two_ways_by_system_or_spreadsheet(one, other):
    clips = table(subjects=2, clips=1)
    clips["subject"] = [f"toy/{one}", f"toy/{other}"]
    clips["clip"] = clips["subject"] + "/c0"
    with refuses("subject_spelt_two_ways"):
        make_folds("loso", clips)


@pytest.mark.parametrize(("one", "other"), [("s1", "s10"), ("s1", "s2"), ("100", "10"), ("0", "00a"), ("1_1", "11")])
def test_subjects_who_are_two_people_are_let_pass(one, other):
    clips = table(subjects=2, clips=1)
    clips["subject"] = [f"toy/{one}", f"toy/{other}"]
    clips["clip"] = clips["subject"] + "/c0"
    assert len(make_folds("loso", clips)) == 2


def test_leak_clip_of_another_subject():
    clips = table()
    clips.loc[0, "subject"] = "toy/s01"
    with refuses("clip_of_another_subject"):
        make_folds("loso", clips)


def test_leak_clip_with_two_labels():
    clips = table()
    again = clips.iloc[[0]].assign(label="surprise", yaw=15.0)
    with refuses("clip_with_two_labels"):
        make_folds("loso", pd.concat([clips, again]))


def test_leak_clip_on_two_sides():
    data = vectors()
    fold = first_fold(data)
    twice = Fold(fold.name, np.append(fold.clips, fold.test[:1]), np.append(fold.side, TRAIN).astype(np.uint8))
    with refuses("clip_on_two_sides"):
        run_folds(data, [twice], **SVM)


@pytest.mark.parametrize("side", [TRAIN, TEST])
def test_leak_clip_listed_twice(side):
    data = vectors()
    fold = first_fold(data)
    again = fold.clips[fold.side == side][:1]
    twice = replace(fold, clips=np.append(fold.clips, again), side=np.append(fold.side, side).astype(np.uint8))
    with refuses("clip_listed_twice") as caught:
        Guarded(data, twice)
    assert again[0] in str(caught.value)


def test_leak_clip_tested_twice():
    data = vectors()
    fold = first_fold(data)
    with refuses("clip_tested_twice"):
        run_folds(data, [fold, replace(fold, name="again")], **SVM)


@pytest.mark.parametrize("side", [TRAIN, VALIDATION])
def test_leak_subject_on_both_sides(side):
    data = vectors()
    fold = first_fold(data)
    with refuses("subject_on_both_sides"):
        run_folds(data, [moved(fold, fold.test[0], side)], **SVM)


def test_leak_subject_on_both_sides_of_the_samples_though_not_of_the_folds():
    """The fold was made from one table, the samples say otherwise: what is fitted counts."""
    data = vectors()
    folds = make_folds("loso", data.table)
    clips = data.table["clip"].to_numpy(object).copy()
    subject = data.table["subject"].to_numpy(object).copy()
    clips[3:6], subject[3:6] = [f"toy/s00/d{i}" for i in range(3)], "toy/s00"
    ids = dict(zip(data.table["clip"], clips, strict=True))
    renamed_folds = [replace(fold, clips=np.array([ids[c] for c in fold.clips], object)) for fold in folds]
    with refuses("subject_on_both_sides"):
        run_folds(renamed(data, clip=clips, subject=subject), renamed_folds, **SVM)


def test_leak_subject_selects_for_itself():
    data = vectors()
    fold = first_fold(data)
    with refuses("subject_selects_for_itself"):
        run_folds(data, [moved(fold, fold.train[0], VALIDATION)], **SVM)


def test_leak_test_clip_in_training():
    guarded = Guarded(data := vectors(), first_fold(data))
    rows = np.append(guarded.rows(TRAIN), guarded.rows(TEST)[0])
    with refuses("test_clip_in_training"):
        guarded.take(rows, "weights")


def test_leak_test_view_in_training():
    """Views are not listed in folds; they are known by the clip id that they carry."""
    data = vectors()
    turned = data.table.assign(yaw=15.0)
    both = Samples(np.concatenate([data.x, data.x + 0.1]), pd.concat([data.table, turned]))
    guarded = Guarded(both, first_fold(data))
    view = np.flatnonzero((both.table["yaw"] == 15) & (both.table["subject"] == "toy/s00"))[0]
    assert view in guarded.rows(TEST)
    assert len(guarded.rows(TRAIN)) == 18
    with refuses("test_view_in_training"):
        guarded.take(np.append(guarded.rows(TRAIN), view), "weights")


def test_leak_validation_clip_in_training():
    data = vectors()
    fold = inner_split(first_fold(data), data.table, seed=0)
    guarded = Guarded(data, fold)
    with refuses("validation_clip_in_training"):
        guarded.take(guarded.rows(VALIDATION), "weights")


def test_leak_selection_on_test():
    guarded = Guarded(data := vectors(), first_fold(data))
    with refuses("selection_on_test"):
        guarded.take(guarded.rows(TEST), "selection")


def test_leak_selection_on_test_by_curve():
    curves = Curves("toy/s00", 0)
    curves.add(1, "validation", np.array([0, 1]), np.eye(3)[:2])
    assert best_epoch(curves.frame()) == 1
    curves.add(2, "test", np.array([0, 1]), np.eye(3)[:2])
    with refuses("selection_on_test"):
        best_epoch(curves.frame())


def test_leak_selection_on_test_by_inner_split():
    guarded = Guarded(data := vectors(), first_fold(data))
    aside = replace(guarded.fold, side=np.where(guarded.fold.side == TEST, VALIDATION, TRAIN).astype(np.uint8))
    with refuses("selection_on_test"):
        guarded.inner(aside)


@pytest.mark.parametrize("side", [TEST, VALIDATION])
def test_leak_normalisation_outside_training(side):
    data = vectors()
    guarded = Guarded(data, inner_split(first_fold(data), data.table, seed=0))
    with refuses("normalisation_outside_training"):
        guarded.take(np.append(guarded.rows(TRAIN), guarded.rows(side)), "normalisation")


def test_leak_feature_selection_outside_training():
    guarded = Guarded(data := vectors(), first_fold(data))
    with refuses("feature_selection_outside_training"):
        guarded.take(np.arange(len(data)), "feature_selection")


@pytest.mark.parametrize("ddof", [0, 1])
def test_leak_normalised_over_all_clips(ddof):
    data = samples(shape=(4, 4, 1))
    scaled = (data.x - data.x.mean(0)) / data.x.std(0, ddof=ddof)
    with refuses("normalised_over_all_clips"):
        run_folds(Samples(scaled, data.table), make_folds("loso", data.table), **SVM)


def test_scaling_that_looks_at_one_clip_at_a_time_is_let_pass():
    data = samples(shape=(4, 4, 1))
    own = data.x - data.x.mean((1, 2, 3), keepdims=True)
    own /= own.std((1, 2, 3), keepdims=True)
    Guarded(Samples(own, data.table), first_fold(data))


def test_leak_copy_under_another_name():
    data = vectors()
    x = data.x.copy()
    x[5] = x[1]  # a clip of s01 is a copy of a test clip of s00
    with refuses("copy_under_another_name") as caught:
        run_folds(Samples(x, data.table), make_folds("loso", data.table), **SVM)
    assert "toy/s00/c1" in str(caught.value) and "toy/s01/c2" in str(caught.value)


def test_copies_on_one_side_and_motionless_clips_are_let_pass():
    data = vectors()
    x = data.x.copy()
    x[1] = x[0]
    x[[4, 8]] = 0  # nothing moves in two clips of two subjects
    for fold in make_folds("loso", data.table):
        Guarded(Samples(x, data.table), fold)


def test_leak_test_opened_before_fit_ended():
    guarded = Guarded(data := vectors(), first_fold(data))
    with refuses("test_opened_before_fit_ended"):
        guarded.take(guarded.rows(TEST), "prediction")
    guarded.seal()
    x, rows = guarded.take(guarded.rows(TEST), "prediction")
    assert len(x) == 3 and set(rows["subject"]) == {"toy/s00"}


def test_a_protocol_that_mixes_subjects_says_so_and_is_recorded():
    data = vectors()
    clips = data.table["clip"].to_numpy(object)
    side = np.where(np.arange(len(clips)) % 4 == 0, TEST, TRAIN).astype(np.uint8)
    run = run_folds(data, [Fold("split", clips, side, subject_disjoint=False)], **SVM)
    assert run.mixed_subjects == {"split": ["toy/s00", "toy/s01", "toy/s02"]}
    assert not run_folds(data, make_folds("loso", data.table), **SVM).mixed_subjects


def test_every_kind_of_leak_is_planted_here():
    planted = {kind for kind in guard.KINDS if any(name.startswith(f"test_leak_{kind}") for name in globals())}
    assert planted == set(guard.KINDS)


def test_a_leak_survives_the_way_back_from_a_worker():
    error = LeakError("clip_tested_twice", "clip a/b/c")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
