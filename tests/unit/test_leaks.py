"""Each known leak between training and test is planted and refused by its name: the list of the docs, as tests."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from learning_toys import CLASSES, samples, table
from sklearn import preprocessing
from sklearn.decomposition import PCA, TruncatedSVD

from mer_lib.learning import guard
from mer_lib.learning.curves import Curves, best_epoch
from mer_lib.learning.fit import run_folds
from mer_lib.learning.folds import TEST, TRAIN, VALIDATION, Fold
from mer_lib.learning.guard import Guarded, LeakError
from mer_lib.learning.protocols import inner_split, make_folds
from mer_lib.learning.samples import Samples
from mer_lib.problems import BadInput

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
     ("s1", "s01"), ("s1", "\uff53\uff11"), ("sub01", "sub1"), ("sub_01", "sub01"), ("sub-1", "Sub 01"), ("01.", "1")],
)  # fmt: skip
def test_leak_subject_spelt_two_ways_by_system_or_spreadsheet(one, other):
    clips = table(subjects=2, clips=1)
    clips["subject"] = [f"toy/{one}", f"toy/{other}"]
    clips["clip"] = clips["subject"] + "/c0"
    with refuses("subject_spelt_two_ways"):
        make_folds("loso", clips)


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


def test_leak_test_opened_before_fit_ended():
    guarded = Guarded(data := vectors(), first_fold(data))
    with refuses("test_opened_before_fit_ended"):
        guarded.take(guarded.rows(TEST), "prediction")
    guarded.seal()
    x, rows = guarded.take(guarded.rows(TEST), "prediction")
    assert len(x) == 3 and set(rows["subject"]) == {"toy/s00"}


def test_leak_subject_spelt_two_ways_by_its_data_set():
    one, two = table(dataset="casme2"), table(dataset="CASME_2")
    with refuses("subject_spelt_two_ways"):
        make_folds("loso", pd.concat([one, two]))


def test_leak_subject_on_both_sides_by_a_macro_expression():
    """Long recordings hold macro- and micro-expressions of one person; a macro clip is no stranger's."""
    data = vectors()
    macro = data.table.iloc[:1].assign(clip="toy/s00/macro1", type="macro")
    both = Samples(np.concatenate([data.x, data.x[:1] + 1]), pd.concat([data.table, macro]))
    with refuses("subject_on_both_sides") as caught:
        run_folds(both, [moved(make_folds("loso", both.table)[0], "toy/s00/macro1", TRAIN)], **SVM)
    assert "toy/s00" in str(caught.value)


def with_views(data, **columns):
    """The samples, and behind them the same clips once more: turned, or as copies."""
    return Samples(np.concatenate([data.x, data.x + 0.1]), pd.concat([data.table, data.table.assign(**columns)]))


@pytest.mark.parametrize("columns", [{"yaw": 15.0}, {"copy": "magnified"}, {"copy": "synthetic 3"}])
def test_leak_test_view_in_training(columns):
    """Views and copies are not listed in folds; they are known by the clip id that they carry."""
    both = with_views(vectors(), **columns)
    guarded = Guarded(both, replace(make_folds("loso", both.table)[0], trains_on="all"))
    assert len(guarded.rows(TRAIN)) == 18
    with refuses("test_view_in_training"):
        guarded.take(np.append(guarded.rows(TRAIN), 12), "weights")  # row 12: the first test clip's second row


def judged(clips, kept):
    """What attention says of the view at 15 degrees of these clips."""
    return pd.DataFrame({"clip": clips, "yaw": 15.0, "seen": np.where(kept, 0.9, 0.1), "kept": kept})


def test_leak_test_view_judged():
    """A test view must not be dropped, and its clip's attention not even be looked at."""
    both = with_views(vectors(), yaw=15.0)
    fold = make_folds("loso_views_refined", both.table)[0]
    for kept in (True, False):
        table = judged([*fold.train, fold.test[0]], [True] * len(fold.train) + [kept])
        with refuses("test_view_judged") as caught:
            Guarded(both, replace(fold, judged=table))
        assert fold.test[0] in str(caught.value)


def test_leak_test_view_judged_by_another_folds_attention():
    both = with_views(vectors(), yaw=15.0)
    one, other = make_folds("loso_views_refined", both.table)[:2]
    with refuses("test_view_judged"):
        run_folds(both, [replace(one, judged=judged(other.train, True))], **SVM)


def test_leak_tuning_outside_training_by_attention():
    both = with_views(vectors(), yaw=15.0)
    fold = make_folds("loso_views_refined", both.table)[0]
    with refuses("tuning_outside_training"):
        Guarded(both, replace(fold, judged=judged([*fold.train, "toy/s99/c0"], True)))


def test_views_that_attention_drops_train_nothing_and_are_tested_all_the_same():
    both = with_views(vectors(), yaw=15.0)
    fold = make_folds("loso_views_refined", both.table)[0]
    dropped = fold.train[:4]
    fold = replace(fold, judged=judged(fold.train[:-1], ~np.isin(fold.train[:-1], dropped)))
    guarded = Guarded(both, fold)
    rows = both.table.iloc[guarded.rows(TRAIN)]
    assert set(rows["clip"]) == set(fold.train), "recordings are never dropped"
    assert set(rows.loc[rows["yaw"] == 15, "clip"]) == set(fold.train[4:-1]), "nor kept where nobody has judged them"
    tested = both.table.iloc[guarded.rows(TEST)]
    assert sorted(tested["yaw"]) == [0, 0, 0, 15, 15, 15]
    hidden = np.flatnonzero(both.table["clip"].isin(dropped) & (both.table["yaw"] == 15))
    with refuses("view_outside_protocol"):
        guarded.take(hidden, "weights")
    inner = guarded.inner(inner_split(fold, both.table, seed=0))
    assert not set(inner.rows(TRAIN)) & set(hidden) and not set(inner.rows(VALIDATION)) & set(hidden)


def test_attended_views_need_a_judgement():
    both = with_views(vectors(), yaw=15.0)
    with pytest.raises(BadInput, match="none is judged"):
        Guarded(both, make_folds("loso_views_refined", both.table)[0])


@pytest.mark.parametrize("protocol", ["loso", "loso_to_views"])
def test_leak_view_outside_protocol(protocol):
    both = with_views(vectors(), yaw=15.0)
    guarded = Guarded(both, make_folds(protocol, both.table)[0])
    assert (both.table["yaw"].iloc[guarded.rows(TRAIN)] == 0).all()
    with refuses("view_outside_protocol") as caught:
        guarded.take(np.append(guarded.rows(TRAIN), 15), "weights")
    assert "toy/s01/c0 (yaw 15)" in str(caught.value)


@pytest.mark.parametrize(("protocol", "columns"), [("loso", {"yaw": 15.0}), ("loso", {"copy": "magnified"})])
def test_leak_view_outside_protocol_when_scored(protocol, columns):
    both = with_views(vectors(), **columns)
    guarded = Guarded(both, make_folds(protocol, both.table)[0])
    guarded.seal()
    assert guarded.rows(TEST).tolist() == [0, 1, 2]
    with refuses("view_outside_protocol"):
        guarded.take(np.array([0, 12]), "prediction")


def test_leak_sample_listed_twice():
    both = with_views(vectors())
    with refuses("sample_listed_twice"):
        run_folds(both, make_folds("loso", both.table), **SVM)


def recorded():
    """Two recordings a subject: two clips cut from the first, one from the second."""
    data = vectors()
    video = data.table["subject"] + np.where(data.table["clip"].str.endswith("c2"), "/b.avi", "/a.avi")
    return renamed(data, source=video.str.removeprefix("toy/"))


def test_leak_video_on_both_sides():
    data = recorded()
    fold = make_folds("leave_one_video_out", data.table)[0]
    assert fold.name == "toy/s00/a.avi"
    with refuses("video_on_both_sides"):
        run_folds(data, [moved(fold, fold.test[0], TRAIN)], **SVM)


def test_leak_protocol_loosened():
    guarded = Guarded(data := vectors(), first_fold(data))
    inner = inner_split(guarded.fold, data.table, seed=0)
    for loose in ({"subject_disjoint": False}, {"trains_on": "all"}, {"tests_on": "all"}):
        with refuses("protocol_loosened"):
            guarded.inner(replace(inner, **loose))


def test_leak_selection_on_test_by_an_inner_split_of_other_clips():
    """The sides are where they were, but stand for other clips."""
    guarded = Guarded(data := vectors(), first_fold(data))
    inner = inner_split(guarded.fold, data.table, seed=0)
    with refuses("selection_on_test"):
        guarded.inner(replace(inner, clips=np.roll(inner.clips, 3)))


def test_leak_test_opened_before_fit_ended_by_an_inner_fit():
    guarded = Guarded(data := vectors(), first_fold(data))
    inner = guarded.inner(inner_split(guarded.fold, data.table, seed=0))
    with refuses("test_opened_before_fit_ended"):
        inner.seal()
    with refuses("test_opened_before_fit_ended"):
        inner.take(inner.rows(TEST), "prediction")


@pytest.mark.parametrize("purpose", ["weights", "normalisation", "selection"])
def test_leak_fit_after_test_opened(purpose):
    guarded = Guarded(data := vectors(), first_fold(data))
    guarded.seal()
    guarded.take(guarded.rows(TEST), "prediction")
    with refuses("fit_after_test_opened"):
        guarded.take(guarded.rows(TRAIN), purpose)


def test_leak_tuning_outside_training():
    """The window of an apex spotter, a magnification factor, an attention map."""
    guarded = Guarded(data := vectors(), first_fold(data))
    with refuses("tuning_outside_training"):
        guarded.take(np.arange(len(data)), "tuning")


def by_subject(x):
    people = x.reshape(4, 3, -1)
    return ((people - people.mean(1, keepdims=True)) / people.std(1, keepdims=True)).reshape(12, -1)


OVER_ALL = {
    "standardised": preprocessing.StandardScaler().fit_transform,
    "standardised, n − 1": lambda x: (x - x.mean(0)) / x.std(0, ddof=1),
    "standardised by subject": by_subject,
    "centred": lambda x: x - x.mean(0),
    "0 to 1": preprocessing.MinMaxScaler().fit_transform,
    "−1 to 1": preprocessing.MinMaxScaler((-1, 1)).fit_transform,
    "0 to 255": preprocessing.MinMaxScaler((0, 255)).fit_transform,
    "greatest magnitude 1": preprocessing.MaxAbsScaler().fit_transform,
    "length 1": lambda x: preprocessing.normalize(x, axis=0),
    "median and quartiles": preprocessing.RobustScaler().fit_transform,
    "ranks": preprocessing.QuantileTransformer(n_quantiles=12).fit_transform,
}


@pytest.mark.parametrize("how", OVER_ALL)
def test_leak_normalised_over_all_clips(how):
    data = samples(shape=(40,))
    scaled = OVER_ALL[how]((data.x * np.geomspace(0.1, 10, 40) + 3).astype(float))
    with refuses("normalised_over_all_clips"):
        run_folds(Samples(scaled, data.table), make_folds("loso", data.table), **SVM)


def test_leak_normalised_over_all_clips_of_which_one_was_lost_since():
    data = samples(subjects=40, clips=5, shape=(6, 6, 1))
    scaled = (data.x - data.x.mean(0)) / data.x.std(0)
    with refuses("normalised_over_all_clips"):
        Guarded(Samples(scaled[1:], data.table[1:]), first_fold(data))


@pytest.mark.parametrize("fit", [PCA(8), PCA(8, whiten=True), PCA(), TruncatedSVD(8)], ids=str)
def test_leak_projected_over_all_clips(fit):
    data = samples(subjects=8, shape=(60,))
    with refuses("projected_over_all_clips"):
        run_folds(Samples(fit.fit_transform(data.x + 1), data.table), make_folds("loso", data.table), **SVM)


@pytest.mark.parametrize("noise", [0, 1e-3])
@pytest.mark.parametrize("columns", [[0], [0, 1, 2]], ids=["a number", "one column a class"])
def test_leak_label_in_features(columns, noise):
    data = samples(subjects=12, shape=(60,))
    x = data.x.copy()
    code = np.array([CLASSES.index(label) for label in data.table["label"]])
    x[:, columns] = code[:, None] if columns == [0] else np.eye(3)[code]
    x[:, columns] += noise * np.random.default_rng(0).uniform(-1, 1, (len(x), len(columns)))
    with refuses("label_in_features"):
        run_folds(Samples(x, data.table), make_folds("loso", data.table), **SVM)


COPIES = {
    "itself": lambda row: row,
    "as an 8-bit picture": np.rint,
    "a grey level brighter": lambda row: row + 1,
    "in units of 1": lambda row: row / 255,
    "with less contrast": lambda row: 0.8 * row + 20,
}


@pytest.mark.parametrize("how", COPIES)
def test_leak_copy_under_another_name(how):
    data = vectors()
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 255, (len(data), 300)).astype(np.float32)
    x[:, :2] = 0, 255
    x[5] = COPIES[how](x[1])  # a clip of s01 is a copy of a test clip of s00
    with refuses("copy_under_another_name") as caught:
        run_folds(Samples(x, data.table), make_folds("loso", data.table), **SVM)
    assert "toy/s00/c1" in str(caught.value) and "toy/s01/c2" in str(caught.value)


def test_leak_copy_under_another_name_of_few_features():
    data = vectors()
    x = data.x.copy()
    x[5] = x[1]
    with refuses("copy_under_another_name"):
        run_folds(Samples(x, data.table), make_folds("loso", data.table), **SVM)


def test_leak_auxiliary_subject_in_corpus():
    data, other = vectors(), np.random.default_rng(8).normal(size=(3, 6)).astype(np.float32)
    theirs = data.table[data.table["subject"] == "toy/s02"]
    one_of_us = Samples(other, theirs.assign(clip=theirs["clip"] + "x"))
    with refuses("auxiliary_subject_in_corpus"):
        run_folds(data, make_folds("loso", data.table), **SVM, auxiliary=one_of_us)


def test_every_kind_of_leak_is_planted_here():
    planted = {kind for kind in guard.KINDS if any(name.startswith(f"test_leak_{kind}") for name in globals())}
    assert planted == set(guard.KINDS)
