"""The guard lets pass what is no leak, and its refusals travel."""

import pickle

import numpy as np
import pandas as pd
import pytest
from learning_toys import CLASSES, samples, table

from mer_lib.descriptors.flow28 import stretch
from mer_lib.learning import marks
from mer_lib.learning.fit import run_folds
from mer_lib.learning.folds import TEST, TRAIN, Fold
from mer_lib.learning.guard import Guarded, LeakError
from mer_lib.learning.protocols import everything, make_folds
from mer_lib.learning.samples import Samples
from mer_lib.problems import BadInput

SVM = {"kind": "classifier", "name": "svm_linear", "classes": CLASSES}


def vectors(**changes):
    return samples(shape=(6,), **changes)


def first_fold(data):
    return make_folds("loso", data.table)[0]


@pytest.mark.parametrize(("one", "other"), [("s1", "s10"), ("s1", "s2"), ("100", "10"), ("0", "00a"), ("1_1", "11")])
def test_subjects_who_are_two_people_are_let_pass(one, other):
    clips = table(subjects=2, clips=1)
    clips["subject"] = [f"toy/{one}", f"toy/{other}"]
    clips["clip"] = clips["subject"] + "/c0"
    assert len(make_folds("loso", clips)) == 2


def test_scaling_that_looks_at_one_clip_at_a_time_is_let_pass():
    data = samples(shape=(4, 4, 1))
    own = data.x - data.x.mean((1, 2, 3), keepdims=True)
    own /= own.std((1, 2, 3), keepdims=True)
    Guarded(Samples(own, data.table), first_fold(data))


def test_copies_on_one_side_and_motionless_clips_are_let_pass():
    data = vectors()
    x = data.x.copy()
    x[1] = x[0]
    x[[4, 8]] = 0  # nothing moves in two clips of two subjects
    for fold in make_folds("loso", data.table):
        Guarded(Samples(x, data.table), fold)


COARSE = {
    "action units, there or not": lambda rng: rng.random((60, 20)) < 0.1,
    "action units from 0 to 5": lambda rng: rng.integers(0, 6, (60, 4)),
    "shares of four events": lambda rng: rng.multinomial(4, np.full(10, 0.1), 60) / 4,
}


@pytest.mark.parametrize("draw", COARSE.values(), ids=COARSE)
def test_two_clips_with_the_same_few_counts_are_no_copies(draw):
    x = draw(np.random.default_rng(0)).astype(np.float32)
    x[30] = x[0]
    data = Samples(x, table(subjects=20))
    for fold in make_folds("loso", data.table):
        Guarded(data, fold)


def test_a_protocol_that_mixes_subjects_says_so_and_is_recorded():
    data = vectors()
    clips = data.table["clip"].to_numpy(object)
    side = np.where(np.arange(len(clips)) % 4 == 0, TEST, TRAIN).astype(np.uint8)
    run = run_folds(data, [Fold("split", clips, side, subject_disjoint=False)], **SVM)
    assert run.mixed_subjects == {"split": ["toy/s00", "toy/s01", "toy/s02"]}
    assert not run_folds(data, make_folds("loso", data.table), **SVM).mixed_subjects


def test_a_leak_survives_the_way_back_from_a_worker():
    error = LeakError("clip_tested_twice", "clip a/b/c")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def smooth(n, side=8):
    """Pictures (n, side, side, 3) of neighbouring pixels that resemble each other, as flow fields do."""
    noise = np.random.default_rng(3).normal(size=(n, side + 2, side + 2, 3))
    rows = noise[:, :-2] + noise[:, 1:-1] + noise[:, 2:]
    return (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]).astype(np.float32)


@pytest.mark.parametrize("n", [12, 441, 3000])
@pytest.mark.parametrize(
    "prepare",
    [
        lambda x: stretch(x),
        lambda x: np.rint(stretch(x)),
        lambda x: stretch(x) / 255,
        lambda x: x / np.linalg.norm(x.reshape(len(x), -1), axis=1).reshape(-1, 1, 1, 1),
        lambda x: np.maximum(x - 2, 0),
    ],
    ids=["stretched to 0–255", "as 8-bit pictures", "stretched to 0–1", "of length 1", "mostly 0, as histograms"],
)
def test_what_looks_at_one_clip_at_a_time_is_let_pass(n, prepare):
    """However many clips there are: of 3,000 stretched ones each pixel reaches 0 and 255 in some."""
    data = Samples(prepare(smooth(n)), table(subjects=n // 3))
    assert not data.scaling and not data.projected and not data.tell_the_label
    Guarded(data, first_fold(data))


FEW_COLUMNS = {  # honest features of which 200 draws must pass, since a refusal cannot be argued with
    "signs": lambda rng: rng.choice([-1, 1], (12, 10)),
    "seldom there": lambda rng: rng.random((16, 30)) < 0.1,
    "the strongest of ten": lambda rng: np.eye(10)[rng.integers(0, 10, 15)],
    "shares of the greatest": lambda rng: (lambda x: x / x.max(1, keepdims=True))(rng.random((15, 10))),
    "ranks within the clip": lambda rng: rng.random((15, 10)).argsort(1).argsort(1),
}


@pytest.mark.parametrize("draw", FEW_COLUMNS.values(), ids=FEW_COLUMNS)
def test_few_clips_of_few_features_are_let_pass(draw):
    rng = np.random.default_rng(0)
    for x in (draw(rng).astype(np.float32) for _ in range(200)):
        assert not marks.scaling(x) and not marks.projection(x)


def test_a_rare_great_movement_does_not_tell_its_class():
    """Of a heavy-tailed feature nearly all clips share the lowest level."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        x, labels = rng.pareto(0.5, (60, 100)), rng.choice(["a", "b", "c"], 60)
        bounds = marks.Bounds(labels)
        bounds.add(x, labels)
        assert not bounds.tell_the_label()


def test_a_feature_that_agrees_with_the_labels_of_few_clips_is_let_pass():
    data = samples(subjects=2, clips=3, shape=(400,))
    x = data.x.copy()
    x[:, 0] = [CLASSES.index(label) for label in data.table["label"]]
    Guarded(Samples(x, data.table), first_fold(data))


def test_rows_are_handed_out_for_a_purpose_only():
    guarded = Guarded(data := vectors(), first_fold(data))
    with pytest.raises(ValueError, match="what the rows are for"):
        guarded.take(guarded.rows(TEST))


def test_views_and_copies_train_and_are_tested_as_the_protocol_says():
    data = vectors()
    rows = [data.table, data.table.assign(yaw=15.0), data.table.assign(copy="magnified")]
    all_three = Samples(np.concatenate([data.x, data.x + 0.1, data.x + 0.2]), pd.concat(rows))
    expected = {"loso": (9 + 9, 3), "loso_to_views": (9 + 9, 3 + 3), "loso_views": (9 + 9 + 9, 3 + 3)}
    for protocol, (train, test) in expected.items():
        guarded = Guarded(all_three, make_folds(protocol, all_three.table)[0])
        assert (len(guarded.rows(TRAIN)), len(guarded.rows(TEST))) == (train, test)
        assert len(guarded.training_table) == train
        guarded.take(guarded.rows(TRAIN), "weights", "normalisation", "tuning")
    assert len(Guarded(all_three, everything(all_three.table)).rows(TRAIN)) == 36


def test_a_protocol_of_views_without_views_is_refused():
    with pytest.raises(BadInput, match="of the original only"):
        Guarded(data := vectors(), make_folds("loso_views", data.table)[0])


def test_a_recording_of_two_people_is_no_leak_unless_the_protocol_keeps_recordings_whole():
    data = vectors()
    shared = Samples(data.x, data.table.assign(source="one.avi"))
    Guarded(shared, first_fold(shared))
