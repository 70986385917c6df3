"""The linear SVM against scikit-learn's own pipeline, and its state as arrays."""

import numpy as np
import pytest
from safetensors.numpy import load, save
from scipy.special import softmax
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from mer_lib.learning.learner import Recipe, class_weights, make


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


@pytest.mark.parametrize("there", [(0, 2), (1,)])
def test_a_class_that_is_absent_in_training_has_probability_zero(there):
    x, y = problem()
    keep = np.isin(y, there)
    learner = svm()
    given = learner.probabilities(learner.fit(x[keep], y[keep], seed=0), x)
    absent = [k for k in range(3) if k not in there]
    assert (given[:, absent] == 0).all()
    np.testing.assert_allclose(given.sum(1), 1, atol=1e-6)
    assert (given[keep].argmax(1) == y[keep]).mean() > 0.95


def test_the_same_rows_give_the_same_bytes():
    x, y = problem()
    one, two = svm().fit(x, y, seed=0), svm().fit(x, y, seed=0)
    assert save(one) == save(two)


def test_constant_features_do_no_harm():
    x, y = problem()
    x[:, 0] = 3
    learner = svm()
    assert np.isfinite(learner.probabilities(learner.fit(x, y, seed=0), x)).all()


def test_balanced_weights_give_each_class_the_same_say():
    y = np.array([0, 0, 0, 0, 0, 2])
    np.testing.assert_allclose(class_weights(y, 3, "balanced"), [6 / (2 * 5), 0, 6 / 2])
    np.testing.assert_allclose(class_weights(y, 3, "none"), 1)
