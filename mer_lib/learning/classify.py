"""Classifiers on feature vectors: a machine of scikit-learn's behind a scaling that is fitted inside the fold.

The machines stand in files of their own (svm, nearest, forest, constant). What they learn is kept as plain arrays, so
that predicting needs nothing that was pickled.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from mer_lib.learning.learner import Recipe, State, class_weights
from mer_lib.learning.rows import Features
from mer_lib.problems import BadInput
from mer_lib.registry import suggestion


@dataclass(frozen=True)
class Machine(ABC):
    """What a registered classifier returns: its options, and how it learns and predicts.

    ``grid`` names options with the values to choose from: {c: [0.1, 1, 10]}. The choice is made on inner splits of the
    training subjects (``tuning.tuned``).
    """

    grid: Mapping[str, list] | None

    def variants(self) -> list[Machine]:
        """A machine for each combination of the grid's values, the last option's running fastest. Raises BadInput."""
        grid, own = dict(self.grid or {}), {name: v for name, v in asdict(self).items() if name != "grid"}
        for name, values in grid.items():
            if name not in own:
                raise BadInput(f"grid: no option '{name}'", suggestion(name, own))
            if not isinstance(values, list) or not values:
                raise BadInput(f"grid: {name} holds no list of values", f"such as {{{name}: [{own[name]}]}}")
        return [replace(self, grid=None, **dict(zip(grid, v, strict=True))) for v in itertools.product(*grid.values())]

    @abstractmethod
    def fit(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray, seed: int) -> State:
        """State from scaled features (n, D) float32, class positions (n,) and class weights (K,)."""

    @abstractmethod
    def probabilities(self, state: State, x: np.ndarray) -> np.ndarray:
        """(n, K) probabilities of scaled features (n, D); 0 for a class that was not there in training."""


def positive(**values: Any) -> None:
    """Raise BadInput for an option that is not a number above 0."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise BadInput(f"option {name}: {value!r} is not above 0", "correct the classifier's options")


def counts(**values: Any) -> None:
    """Raise BadInput for an option that is not a whole number above 0."""
    positive(**values)
    for name, value in values.items():
        if not isinstance(value, int):
            raise BadInput(f"option {name}: {value!r} is no whole number", "correct the classifier's options")


class Classifier:
    """Learner around a Machine: flatten, standardise by the rows it is given, fit."""

    fits = ("normalisation", "weights")

    def __init__(self, machine: Machine, recipe: Recipe, classes: int) -> None:
        self.machine, self._recipe, self._classes = machine, recipe, classes
        self._variants = machine.variants()

    @property
    def variants(self) -> list[Classifier]:
        """A learner for each combination of the grid's values; one, where there is nothing to choose."""
        return [Classifier(machine, self._recipe, self._classes) for machine in self._variants]

    def fit(self, x: Features, y: np.ndarray, *, seed: int = 0) -> State:
        """Scaling and machine in one state. ``seed`` serves machines that draw lots."""
        if len(self._variants) > 1:
            raise ValueError("its options are still to be chosen: fit what tuning.tuned returns")
        flat = _flat(x)
        scaler = StandardScaler().fit(flat)
        state = {"mean": scaler.mean_, "scale": scaler.scale_}
        weights = class_weights(y, self._classes, self._recipe.class_weights)
        fitted = self._variants[0].fit(_scaled(state, flat), y, weights, seed)
        return {name: np.ascontiguousarray(array) for name, array in (state | fitted).items()}  # as safetensors needs

    def probabilities(self, state: State, x: Features) -> np.ndarray:
        """(n, K) float32, 0 for a class that was not there in training."""
        return self.machine.probabilities(state, _scaled(state, _flat(x))).astype(np.float32)


def _flat(x: Features) -> np.ndarray:
    return np.asarray(x).reshape(len(x), -1).astype(np.float64)


def _scaled(state: State, flat: np.ndarray) -> np.ndarray:
    return ((flat - state["mean"]) / state["scale"]).astype(np.float32)
