"""Nearest neighbours: the classifier that many descriptors were published with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.neighbors import NearestNeighbors

from mer_lib.learning.classify import Machine, counts
from mer_lib.learning.learner import State
from mer_lib.registry import register


@register(
    "classifier",
    "knn",
    title="k nearest neighbours",
    paper="Cover, Hart: Nearest neighbor pattern classification (1967)",
    doi="10.1109/TIT.1967.1053964",
)
def knn(*, neighbours: int = 5, grid: dict | None = None) -> Machine:
    """Votes of the ``neighbours`` nearest training clips by Euclidean distance, each with its class's weight."""
    return Nearest(grid, neighbours)


@dataclass(frozen=True)
class Nearest(Machine):
    """Probabilities are shares of the votes; a tie goes to the class that stands first."""

    neighbours: int

    def __post_init__(self) -> None:
        counts(neighbours=self.neighbours)

    def fit(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray, seed: int) -> State:
        """``rows`` (n, D), ``votes`` (n, K), each row's weight under its class, and how many ``neighbours`` vote."""
        votes = np.eye(len(weights))[y] * weights
        return {"rows": x, "votes": votes, "neighbours": np.array([min(self.neighbours, len(x))])}

    def probabilities(self, state: State, x: np.ndarray) -> np.ndarray:
        found = NearestNeighbors(n_neighbors=int(state["neighbours"][0]), algorithm="brute").fit(state["rows"])
        votes = state["votes"][found.kneighbors(x, return_distance=False)].sum(1)
        return votes / votes.sum(1, keepdims=True)
