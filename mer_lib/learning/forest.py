"""Random forest, kept as arrays of nodes instead of scikit-learn's own objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from mer_lib.learning.classify import Machine, counts
from mer_lib.learning.learner import State
from mer_lib.registry import register

ROWS = 1024  # predicted at a time: bounds memory


@register(
    "classifier",
    "random_forest",
    draws=True,
    title="random forest",
    paper="Breiman: Random Forests (2001)",
    doi="10.1023/A:1010933404324",
)
def random_forest(*, trees: int = 100, leaf: int = 1, grid: dict | None = None) -> Machine:
    """Mean vote of ``trees`` random trees, whose leaves hold at least ``leaf`` training clips."""
    return Forest(grid, trees, leaf)


@dataclass(frozen=True)
class Forest(Machine):
    """The fold's seed draws the clips and features of each tree; with weights, clips are drawn in their proportion."""

    trees: int
    leaf: int

    def __post_init__(self) -> None:
        counts(trees=self.trees, leaf=self.leaf)

    def fit(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray, seed: int) -> State:
        """``root`` (trees,); of all M nodes ``left``, ``right``, ``feature``, ``threshold`` (M,), ``value`` (M, K).

        A node's children are positions among the M, its own where it is a leaf; value is the classes' share.
        """
        there = np.unique(y)
        forest = RandomForestClassifier(self.trees, min_samples_leaf=self.leaf, random_state=seed % 2**32)
        heavy = None if (weights[there] == 1).all() else weights[y]  # equal weights would change the lots
        trees = [tree.tree_ for tree in forest.fit(x, y, sample_weight=heavy).estimators_]
        root = np.cumsum([0, *(tree.node_count for tree in trees)])
        own = np.arange(root[-1])
        leaf = np.concatenate([tree.children_left < 0 for tree in trees])
        left, right = (
            np.concatenate([getattr(tree, f"children_{side}") + at for tree, at in zip(trees, root, strict=False)])
            for side in ("left", "right")
        )
        value = np.zeros((root[-1], len(weights)))
        value[:, there] = np.concatenate([tree.value[:, 0] for tree in trees])
        return {
            "root": root[:-1],
            "left": np.where(leaf, own, left),
            "right": np.where(leaf, own, right),
            "feature": np.concatenate([np.maximum(tree.feature, 0) for tree in trees]),
            "threshold": np.concatenate([tree.threshold for tree in trees]),
            "value": value,
        }

    def probabilities(self, state: State, x: np.ndarray) -> np.ndarray:
        parts = [_walk(state, x[at : at + ROWS]) for at in range(0, len(x), ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, state["value"].shape[1]))


def _walk(state: State, x: np.ndarray) -> np.ndarray:
    """(n, K) mean of the leaves that rows x (n, D) fall into: all trees at once, a level a step."""
    node, row = np.tile(state["root"], (len(x), 1)), np.arange(len(x))[:, None]
    while True:
        goes_left = x[row, state["feature"][node]] <= state["threshold"][node]
        below = np.where(goes_left, state["left"][node], state["right"][node])
        if np.array_equal(below, node):
            return state["value"][node].mean(1)
        node = below
