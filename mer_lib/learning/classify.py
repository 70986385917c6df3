"""Classifiers on feature vectors, scaled inside the fold; their probabilities are the softmax of decision values.

scikit-learn's own probabilities would come from an inner split of the clips that mixes subjects.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.special import softmax
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from mer_lib.learning.learner import Observe, Recipe, State, class_weights
from mer_lib.registry import register


class Machine(Protocol):
    """What a registered classifier is: arrays in, arrays out; it sees scaled training rows only."""

    def fit(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> State:
        """State from features (n, D) float64, class positions (n,) and class weights (K,)."""
        ...

    def decide(self, state: State, x: np.ndarray) -> np.ndarray:
        """(n, K) decision values; -inf for a class that was not there in training."""
        ...


@register(
    "classifier",
    "svm_linear",
    title="Linear SVM, one machine a class",
    paper="Fan, Chang, Hsieh, Wang, Lin: LIBLINEAR: A Library for Large Linear Classification (2008)",
)
def svm_linear(*, c: float = 1.0) -> Machine:
    """Linear support vector machine; ``c`` weighs the errors against the margin."""
    return LinearSVM(c)


class LinearSVM:
    """One-against-rest with squared hinge loss, solved in the primal: no random numbers, and fit for 100,000 clips."""

    def __init__(self, c: float) -> None:
        self._c = c

    def fit(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> State:
        there = np.unique(y)
        state = {"coef": np.zeros((len(weights), x.shape[1])), "intercept": np.full(len(weights), -np.inf)}
        if len(there) == 1:  # nothing to tell apart
            state["intercept"][there] = 0
            return state
        machine = LinearSVC(C=self._c, dual=False, class_weight={k: weights[k] for k in there.tolist()}).fit(x, y)
        coef, intercept = machine.coef_, machine.intercept_
        if len(coef) == 1:  # two classes share one machine: the first's is its mirror image
            coef, intercept = np.concatenate([-coef, coef]), np.concatenate([-intercept, intercept])
        state["coef"][there], state["intercept"][there] = coef, intercept
        return state

    def decide(self, state: State, x: np.ndarray) -> np.ndarray:
        return x @ state["coef"].T + state["intercept"]


class Classifier:
    """Learner around a Machine: flatten, standardise by the rows it is given, fit, softmax."""

    epochs: int | None = None
    fits = ("normalisation", "weights")

    def __init__(self, machine: Machine, recipe: Recipe, classes: int) -> None:
        self._machine, self._recipe, self._classes = machine, recipe, classes

    def fit(
        self, x: np.ndarray, y: np.ndarray, *, seed: int = 0, epochs: int | None = None, observe: Observe | None = None
    ) -> State:
        """Scaling and machine in one state. There are no epochs and nothing is drawn."""
        flat = x.reshape(len(x), -1).astype(np.float64)
        scaler = StandardScaler().fit(flat)
        state = {"mean": scaler.mean_, "scale": scaler.scale_}
        weights = class_weights(y, self._classes, self._recipe.class_weights)
        fitted = self._machine.fit((flat - state["mean"]) / state["scale"], y, weights)
        return state | fitted

    def probabilities(self, state: State, x: np.ndarray) -> np.ndarray:
        """(n, K) float32: softmax of the decision values, 0 for a class that was not there in training."""
        scaled = (x.reshape(len(x), -1) - state["mean"]) / state["scale"]
        return softmax(self._machine.decide(state, scaled), axis=1).astype(np.float32)
