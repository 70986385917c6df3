"""The classifier that looks at nothing: what every method must beat."""

from __future__ import annotations

import numpy as np

from mer_lib.learning.classify import Machine
from mer_lib.learning.learner import State
from mer_lib.registry import register


@register("classifier", "constant", control=True, title="the most frequent class, always")
def constant() -> Machine:
    """Always the most frequent class of the training clips, whatever the features.

    UAR is 1/classes where that is the same class in every fold. Where it is not, UAR falls below: a class is the rarer
    in training, the more of the held-out clips are of it.
    """
    return Constant(None)


class Constant(Machine):
    """Probabilities are the training clips' shares; of equals the class that stands first is answered."""

    def fit(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray, seed: int) -> State:
        """``shares`` (K,) of the training clips; class weights would make all classes equal and are not used."""
        return {"shares": np.bincount(y, minlength=len(weights)) / len(y)}

    def probabilities(self, state: State, x: np.ndarray) -> np.ndarray:
        return np.tile(state["shares"], (len(x), 1))
