"""Support vector machines, one class against the rest; their probabilities are the softmax of decision values.

scikit-learn's own probabilities would come from an inner split of the clips that mixes subjects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.svm import SVC, LinearSVC

from mer_lib.learning.classify import Machine, positive
from mer_lib.learning.learner import State
from mer_lib.registry import register

ROUNDS = 20_000  # through the training rows; features of few clips and much noise need more than LinearSVC's 1,000


@register(
    "classifier",
    "svm_linear",
    title="Linear SVM, one machine a class",
    paper="Fan, Chang, Hsieh, Wang, Lin: LIBLINEAR: A Library for Large Linear Classification (2008)",
)
def svm_linear(*, c: float = 1.0, grid: dict | None = None) -> Machine:
    """Linear support vector machine; ``c`` weighs the errors against the margin."""
    return LinearSVM(grid, c)


@register(
    "classifier",
    "svm_rbf",
    title="SVM with a radial basis function, one machine a class",
    paper="Chang, Lin: LIBSVM: A library for support vector machines (2011)",
    doi="10.1145/1961189.1961199",
)
def svm_rbf(*, c: float = 1.0, gamma: float | None = None, grid: dict | None = None) -> Machine:
    """Support vector machine with the kernel exp(−gamma · distance²); ``gamma`` is 1 over the features' number if None.

    (As scikit-learn's 'scale': over number times variance, which is about 1 after scaling.)
    """
    return RadialSVM(grid, c, gamma)


@dataclass(frozen=True)
class LinearSVM(Machine):
    """Squared hinge loss; solved in the primal, or where there are more features than clips in the dual."""

    c: float

    def __post_init__(self) -> None:
        positive(c=self.c)

    def fit(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray, seed: int) -> State:
        """``coef`` (K, D) and ``intercept`` (K,). The dual solver's order of rows is always the same: no lots."""
        there = np.unique(y)
        state = {"coef": np.zeros((len(weights), x.shape[1])), "intercept": np.full(len(weights), -np.inf)}
        if len(there) == 1:  # nothing to tell apart
            state["intercept"][there] = 0
            return state
        heavy = {k: weights[k] for k in there.tolist()}
        wide = len(x) < x.shape[1]
        rows, back = _turned(x) if wide else (x, None)
        machine = LinearSVC(C=self.c, dual=wide, class_weight=heavy, max_iter=ROUNDS, random_state=0).fit(rows, y)
        coef, intercept = machine.coef_ @ back if wide else machine.coef_, machine.intercept_
        if len(coef) == 1:  # two classes share one machine: the first's is its mirror image
            coef, intercept = np.concatenate([-coef, coef]), np.concatenate([-intercept, intercept])
        state["coef"][there], state["intercept"][there] = coef, intercept
        return state

    def probabilities(self, state: State, x: np.ndarray) -> np.ndarray:
        return softmax(x @ state["coef"].T + state["intercept"], axis=1)


def _turned(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows x (n, D), n < D, as (n, r) in the axes (r, D) that they span.

    Products of rows stay what they are, and the machine knows nothing else of them; it is several times faster there.
    """
    x = x.astype(np.float64)
    power, axes = np.linalg.eigh(x @ x.T)
    axes, length = axes[:, power > 1e-10 * power[-1]], np.sqrt(power[power > 1e-10 * power[-1]])
    return axes * length, (axes / length).T @ x


@dataclass(frozen=True)
class RadialSVM(Machine):
    """Distances between the rows are taken once for all classes."""

    c: float
    gamma: float | None

    def __post_init__(self) -> None:
        positive(c=self.c, gamma=1 if self.gamma is None else self.gamma)

    def fit(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray, seed: int) -> State:
        """``rows`` (S, D) that support a machine, ``dual`` (K, S), ``intercept`` (K,) and ``gamma``."""
        gamma = self.gamma or 1 / (x.shape[1] * (x.var(dtype=np.float64) or 1))
        dual, intercept = np.zeros((len(weights), len(x))), np.full(len(weights), -np.inf)
        there = np.unique(y)
        if len(there) == 1:  # nothing to tell apart
            intercept[there] = 0
        else:
            kernel = _kernel(x, x, gamma)
            for k in there:
                machine = SVC(C=self.c, kernel="precomputed").fit(kernel, y == k, sample_weight=weights[y])
                dual[k, machine.support_], intercept[k] = machine.dual_coef_[0], machine.intercept_[0]
        used = dual.any(0)
        return {"rows": x[used], "dual": dual[:, used], "intercept": intercept, "gamma": np.array([gamma])}

    def probabilities(self, state: State, x: np.ndarray) -> np.ndarray:
        if not len(state["rows"]):
            return softmax(np.tile(state["intercept"], (len(x), 1)), axis=1)
        kernel = _kernel(x, state["rows"], state["gamma"][0])
        return softmax(kernel @ state["dual"].T + state["intercept"], axis=1)


def _kernel(x: np.ndarray, rows: np.ndarray, gamma: float) -> np.ndarray:
    return np.exp(-gamma * euclidean_distances(x.astype(np.float64), rows.astype(np.float64), squared=True))
