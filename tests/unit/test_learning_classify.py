"""The classifiers against scikit-learn's own pipelines, their states as arrays, and the choice of their options."""

import numpy as np
import pandas as pd
import pytest
from learning_toys import CLASSES, samples
from safetensors.numpy import load, save
from scipy.special import softmax
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from mer_lib import registry
from mer_lib.learning.fit import run_folds
from mer_lib.learning.folds import TEST, TRAIN
from mer_lib.learning.guard import Guarded, LeakError
from mer_lib.learning.learner import Recipe, class_weights, make
from mer_lib.learning.protocols import inner_folds, make_folds
from mer_lib.learning.samples import Samples
from mer_lib.learning.tuning import tuned
from mer_lib.problems import BadInput

ALL = sorted(registry.entries("classifier"))
BLIND = ("constant",)


def problem(classes=3, n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.choice(classes, n, p=np.array([0.6, 0.3, 0.1])[:classes] / np.array([0.6, 0.3, 0.1])[:classes].sum())
    return (rng.normal(size=(n, 4, 5)) * 3 + 2 * y[:, None, None]).astype(np.float32), y


def svm(c=1.0, classes=3, **recipe):
    return make("classifier", "svm_linear", classes, {"c": c}, Recipe(**recipe))


@pytest.mark.parametrize("weights", ["none", "balanced"])
@pytest.mark.parametrize("c", [0.01, 1.0])
def test_it_equals_scikit_learns_pipeline_after_a_round_trip_through_a_file(weights, c):
    x, y = problem()
    learner = svm(c, class_weights=weights)
    state = load(save(learner.fit(x[:40], y[:40], seed=0)))
    theirs = make_pipeline(
        StandardScaler(), LinearSVC(C=c, dual=False, class_weight=None if weights == "none" else "balanced")
    ).fit(x[:40].reshape(40, -1).astype(float), y[:40])
    values = theirs.decision_function(x[40:].reshape(20, -1).astype(float))
    np.testing.assert_allclose(learner.probabilities(state, x[40:]), softmax(values, axis=1), atol=1e-5)


def test_two_classes_are_mirror_images():
    x, y = problem(classes=2)
    learner = svm(classes=2)
    given = learner.probabilities(learner.fit(x, y, seed=0), x)
    flat = x.reshape(len(x), -1).astype(float)
    values = make_pipeline(StandardScaler(), LinearSVC(dual=False)).fit(flat, y).decision_function(flat)
    np.testing.assert_allclose(given[:, 1], 1 / (1 + np.exp(-2 * values)), atol=1e-5)


def machine(name, classes=3, options=None, **recipe):
    return make("classifier", name, classes, options or {}, Recipe(**recipe), "cpu")


def flat(x):
    return x.reshape(len(x), -1).astype(float)


def test_more_features_than_clips_are_solved_where_the_clips_span_them():
    """The same machine as scikit-learn's in all the features, up to the solver's tolerance."""
    rng = np.random.default_rng(2)
    y = rng.choice(3, 60)
    x = (rng.normal(size=(60, 10, 10)) + 0.3 * rng.normal(size=(3, 10, 10))[y]).astype(np.float32)
    learner = svm(0.1, class_weights="balanced")
    state = learner.fit(x[:50], y[:50], seed=0)
    assert state["coef"].shape == (3, 100)
    theirs = make_pipeline(StandardScaler(), LinearSVC(C=0.1, dual=False, tol=1e-8, class_weight="balanced"))
    values = theirs.fit(flat(x[:50]), y[:50]).decision_function(flat(x[50:]))
    np.testing.assert_allclose(learner.probabilities(state, x[50:]), softmax(values, axis=1), atol=1e-3)


@pytest.mark.parametrize("weights", ["none", "balanced"])
@pytest.mark.parametrize(("c", "gamma"), [(1.0, None), (10.0, 0.02)])
def test_the_radial_machine_is_one_svc_a_class_after_a_round_trip_through_a_file(weights, c, gamma):
    x, y = problem()
    learner = machine("svm_rbf", options={"c": c, "gamma": gamma}, class_weights=weights)
    state = load(save(learner.fit(x[:40], y[:40], seed=0)))
    scaler = StandardScaler().fit(flat(x[:40]))
    train, test = scaler.transform(flat(x[:40])), scaler.transform(flat(x[40:]))
    heavy = None if weights == "none" else class_weights(y[:40], 3, "balanced")[y[:40]]
    theirs = [SVC(C=c, gamma=gamma or "scale").fit(train, y[:40] == k, sample_weight=heavy) for k in range(3)]
    values = np.stack([one.decision_function(test) for one in theirs], 1)
    np.testing.assert_allclose(learner.probabilities(state, x[40:]), softmax(values, axis=1), atol=1e-3)


@pytest.mark.parametrize("neighbours", [1, 5, 100])
def test_neighbours_vote_as_scikit_learns_do(neighbours):
    x, y = problem()
    learner = machine("knn", options={"neighbours": neighbours})
    state = load(save(learner.fit(x[:40], y[:40], seed=0)))
    theirs = make_pipeline(StandardScaler(), KNeighborsClassifier(min(neighbours, 40))).fit(flat(x[:40]), y[:40])
    np.testing.assert_allclose(learner.probabilities(state, x[40:]), theirs.predict_proba(flat(x[40:])), atol=1e-6)


def test_neighbours_of_a_rare_class_weigh_more_when_classes_are_balanced():
    x, y = np.array([[0.0], [0.1], [0.2], [9.0]], np.float32), np.array([0, 0, 1, 0])
    learner = machine("knn", 2, options={"neighbours": 3}, class_weights="balanced")
    given = learner.probabilities(learner.fit(x, y, seed=0), np.zeros((1, 1), np.float32))
    np.testing.assert_allclose(given, [[2 * 4 / 6 / (2 * 4 / 6 + 2), 2 / (2 * 4 / 6 + 2)]], atol=1e-6)


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_the_forest_is_scikit_learns_after_a_round_trip_through_a_file(weights):
    x, y = problem(n=120)
    learner = machine("random_forest", options={"trees": 20, "leaf": 2}, class_weights=weights)
    state = load(save(learner.fit(x[:80], y[:80], seed=7)))
    scaler = StandardScaler().fit(flat(x[:80]))
    train, test = (scaler.transform(flat(part)).astype(np.float32) for part in (x[:80], x[80:]))
    how = {"n_estimators": 20, "min_samples_leaf": 2, "random_state": 7}
    theirs = RandomForestClassifier(**how, class_weight=None if weights == "none" else "balanced").fit(train, y[:80])
    np.testing.assert_allclose(learner.probabilities(state, x[80:]), theirs.predict_proba(test), atol=1e-6)
    assert save(learner.fit(x[:80], y[:80], seed=7)) == save(state)
    assert save(learner.fit(x[:80], y[:80], seed=8)) != save(state)


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_the_constant_answers_the_most_frequent_training_class(weights):
    data = samples(shape=(4,))
    labels = data.table["label"].where(data.table["subject"] != "toy/s01", "positive")
    data = Samples(data.x, data.table.assign(label=labels))  # without s01 all classes are equal: the first one wins
    run = run_folds(
        data, make_folds("loso", data.table), kind="classifier", name="constant", classes=CLASSES,
        train={"class_weights": weights},
    ).predictions  # fmt: skip
    assert set(run.loc[run["subject"] == "toy/s01", "predicted"]) == {"negative"}
    others = run[run["subject"] != "toy/s01"]
    assert set(others["predicted"]) == {"positive"}
    np.testing.assert_allclose(others["p_positive"], 5 / 9, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in ALL if name not in BLIND])
@pytest.mark.parametrize("there", [(0, 2), (1,)])
def test_a_class_that_is_absent_in_training_has_probability_zero(name, there):
    x, y = problem()
    keep = np.isin(y, there)
    learner = machine(name, class_weights="balanced")
    given = learner.probabilities(learner.fit(x[keep], y[keep], seed=0), x)
    absent = [k for k in range(3) if k not in there]
    assert (given[:, absent] == 0).all()
    np.testing.assert_allclose(given.sum(1), 1, atol=1e-6)
    assert (given[keep].argmax(1) == y[keep]).mean() > 0.95


@pytest.mark.parametrize("name", ALL)
def test_the_same_rows_give_the_same_bytes(name):
    x, y = problem()
    one, two = (machine(name).fit(x, y, seed=3) for _ in range(2))
    assert save(one) == save(two)
    assert all(isinstance(array, np.ndarray) for array in one.values())


@pytest.mark.parametrize("name", ALL)
def test_constant_features_do_no_harm(name):
    x, y = problem()
    x[:, 0] = 3
    learner = machine(name)
    assert np.isfinite(learner.probabilities(learner.fit(x, y, seed=0), x)).all()
    flatland = np.ones_like(x)
    assert np.isfinite(learner.probabilities(learner.fit(flatland, y, seed=0), flatland)).all()


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("svm_linear", {"c": 0.0}, "option c: 0.0 is not above 0"),
        ("svm_rbf", {"gamma": -1.0}, "option gamma: -1.0 is not above 0"),
        ("svm_rbf", {"gamma": "auto"}, "option gamma: 'auto' is not above 0"),
        ("knn", {"neighbours": 0}, "option neighbours"),
        ("knn", {"grid": {"neighbours": [3, 2.5]}}, "option neighbours: 2.5 is no whole number"),
        ("random_forest", {"trees": 0}, "option trees"),
        ("svm_linear", {"grid": {"cc": [1]}}, "grid: no option 'cc'; did you mean 'c'"),
        ("svm_linear", {"grid": {"c": 1}}, r"grid: c holds no list of values; such as {c: \[1.0\]}"),
    ],
)
def test_options_that_make_no_machine_are_refused(name, options, told):
    with pytest.raises(BadInput, match=told):
        machine(name, options=options)


GRID = {"c": [1e-4, 1.0], "gamma": [None, 5.0]}


def watched(grid):
    """A fold of people, its clips' class positions, and the machine whose options are open."""
    data = samples(subjects=9, clips=6, shape=(8,), signal=0.6)
    fold = make_folds("loso", data.table)[0]
    codes = pd.Series([CLASSES.index(label) for label in data.table["label"]], data.table["clip"])
    return data, fold, codes, machine("svm_rbf", options={"grid": grid}, class_weights="balanced")


def test_options_are_chosen_on_training_subjects_set_aside_in_turn():
    data, fold, codes, learner = watched(GRID)
    guarded = Guarded(data, fold)
    chosen = tuned(learner, guarded, codes, seed=2)
    scores = {}
    for at, one in enumerate({"c": c, "gamma": gamma} for c in GRID["c"] for gamma in GRID["gamma"]):
        truth, predicted = [], []
        for inner in inner_folds(fold, data.table, seed=2):
            rows, other = (data.table["clip"].isin(side).to_numpy() for side in (inner.train, inner.validation))
            fresh = machine("svm_rbf", options=one, class_weights="balanced")
            state = fresh.fit(data.x[rows], codes[data.table["clip"][rows]].to_numpy(), seed=0)
            predicted.extend(fresh.probabilities(state, data.x[other]).argmax(1))
            truth.extend(codes[data.table["clip"][other]])
        scores[at] = f1_score(truth, predicted, average="macro")
    assert len(set(scores.values())) == 4
    best = list({"c": c, "gamma": gamma} for c in GRID["c"] for gamma in GRID["gamma"])[max(scores, key=scores.get)]
    x, table = guarded.take(guarded.rows(TRAIN), "weights")
    y = codes[table["clip"]].to_numpy()
    by_hand = machine("svm_rbf", options=best, class_weights="balanced")
    assert save(chosen.fit(x, y, seed=0)) == save(by_hand.fit(x, y, seed=0))


def test_the_choice_is_blind_to_the_test_side():
    data, fold, codes, learner = watched(GRID)
    spoilt, test = data.x.copy(), data.table["clip"].isin(fold.test).to_numpy()
    spoilt[test] = 50 * np.random.default_rng(0).normal(size=spoilt[test].shape)
    noise = codes.where(~codes.index.isin(fold.test), 0)
    one = tuned(learner, Guarded(data, fold), codes, seed=2)
    other = tuned(learner, Guarded(Samples(spoilt, data.table), fold), noise, seed=2)
    x, y = data.x[~test], codes.to_numpy()[~test]
    assert save(one.fit(x, y, seed=0)) == save(other.fit(x, y, seed=0))


def test_a_grid_is_searched_in_every_fold_of_a_run():
    data, fold, codes, learner = watched(GRID)
    named = {"kind": "classifier", "name": "svm_rbf", "classes": CLASSES, "train": {"class_weights": "balanced"}}
    run = run_folds(data, [fold], **named, options={"grid": GRID}, seeds=[2])
    state = run.models[fold.name, 2].state
    x, table = Guarded(data, fold).take(np.flatnonzero(data.table["clip"].isin(fold.train)), "weights")
    chosen = tuned(learner, Guarded(data, fold), codes, seed=2)
    assert save(state) == save(chosen.fit(x, codes[table["clip"]].to_numpy(), seed=0))


def test_a_choice_on_the_test_side_is_refused_by_name():
    data, fold, *_ = watched(GRID)
    guarded = Guarded(data, fold)
    with pytest.raises(LeakError, match="selection_on_test"):
        guarded.inner(inner_folds(fold, data.table, 0)[0]).take(guarded.rows(TEST), "selection")


def test_options_that_are_still_open_are_not_fitted():
    data, _, codes, learner = watched(GRID)
    with pytest.raises(ValueError, match="still to be chosen"):
        learner.fit(data.x, codes.to_numpy(), seed=0)


def test_without_a_grid_nothing_is_chosen():
    data, fold, codes, _ = watched(GRID)
    for learner in (machine("svm_rbf"), object()):  # a network has no variants
        assert tuned(learner, Guarded(data, fold), codes, seed=0) is learner


def test_a_single_training_subject_leaves_nothing_to_choose_on():
    data = samples(subjects=2, shape=(8,))
    codes = pd.Series([CLASSES.index(label) for label in data.table["label"]], data.table["clip"])
    guarded = Guarded(data, make_folds("loso", data.table)[0])
    with pytest.raises(BadInput, match=r"to choose a classifier's options; drop its option grid"):
        tuned(machine("svm_rbf", options={"grid": GRID}), guarded, codes, seed=0)


def test_balanced_weights_give_each_class_the_same_say():
    y = np.array([0, 0, 0, 0, 0, 2])
    np.testing.assert_allclose(class_weights(y, 3, "balanced"), [6 / (2 * 5), 0, 6 / 2])
    np.testing.assert_allclose(class_weights(y, 3, "none"), 1)
