"""What can be fitted: networks and classifiers behind one interface, their states as plain arrays.

A learner is handed training rows and nothing else, so it cannot reach a test clip; a state is {name: array} and can be
kept in safetensors and read back without running anything that was stored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from mer_lib import registry
from mer_lib.learning.rows import Features
from mer_lib.problems import BadInput

State = dict[str, np.ndarray]
# Called after a recorded epoch: the epoch, the training rows' truth and probabilities, the watched rows' probabilities.
Observe = Callable[[int, np.ndarray, np.ndarray, np.ndarray | None], None]


@dataclass(frozen=True)
class Recipe:
    """How to train, as the block ``train`` of params.yaml says; each value's meaning stands there.

    A classifier that is solved rather than trained reads ``class_weights`` and ``control`` only.
    """

    optimizer: Literal["adam", "sgd"] = "adam"
    lr: float = 5e-5
    momentum: float = 0.0
    weight_decay: float = 0.0
    batch: int = 256
    epochs: int = 800
    max_steps: int | None = None
    class_weights: Literal["none", "balanced"] = "none"
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    precision: Literal["float32", "mixed"] = "float32"
    selection: Literal["fixed", "inner"] = "fixed"
    oracle: bool = False
    control: Literal["none", "permuted"] = "none"

    def __post_init__(self) -> None:
        for name, known in (
            ("optimizer", ("adam", "sgd")),
            ("class_weights", ("none", "balanced")),
            ("sampling", ("shuffled", "balanced")),
            ("precision", ("float32", "mixed")),
            ("selection", ("fixed", "inner")),
            ("control", ("none", "permuted")),
        ):
            if (given := getattr(self, name)) not in known:
                raise BadInput(f"train.{name}: no '{given}'", registry.suggestion(given, known))
        if min(self.epochs, self.batch, self.max_steps or 1) < 1 or not 0 < self.lr < math.inf:
            raise BadInput("train: epochs, max_steps, batch and lr must be positive", "correct params.yaml")
        if not (0 <= self.momentum < 1 and 0 <= self.weight_decay < math.inf):
            raise BadInput("train: momentum lies from 0 to 1, weight_decay is not negative", "correct params.yaml")

    def passes(self, rows: int) -> int:
        """Epochs over ``rows`` samples: all of them, or as many as ``max_steps`` allows and at least one."""
        if self.max_steps is None:
            return self.epochs
        return min(self.epochs, max(1, self.max_steps // -(-rows // self.batch)))


class Diverged(ArithmeticError):
    """The loss of fit ``which`` of those asked for is no longer a number after ``epoch``."""

    def __init__(self, epoch: int, which: int = 0) -> None:
        self.epoch, self.which = epoch, which
        super().__init__(f"the loss became NaN or infinite at epoch {epoch}")


@dataclass(frozen=True, eq=False)
class Task:
    """One fit of a network: features (n, ...) float32, class positions (n,), and how long.

    ``watched`` (m, ...) are rows of a recorder: predicted after recorded epochs for ``observe``, and for nothing else.
    ``domain`` (n,): 0 for the fold's own rows, 1 for auxiliary ones, which no recorder sees; None: all are its own.
    """

    x: Features
    y: np.ndarray
    seed: int
    epochs: int
    observe: Observe | None = None
    watched: Features | None = None
    domain: np.ndarray | None = None


class Learner(Protocol):
    """A method with its options, bound to a number of classes K.

    ``fits`` names what is fitted on the training rows (guard.ALLOWED).
    """

    fits: tuple[str, ...]

    def fit(self, x: Features, y: np.ndarray, *, seed: int) -> State:
        """Train on features (n, ...) float32 and class positions (n,); the same arguments give the same bytes."""
        ...

    def probabilities(self, state: State, x: Features) -> np.ndarray:
        """(n, K) float32 probabilities of features (n, ...)."""
        ...


@runtime_checkable
class Grouped(Protocol):
    """A learner of epochs, which takes many fits at a time; ``at_once`` where it computes them side by side."""

    at_once: bool

    def fit_each(self, tasks: Sequence[Task]) -> list[State]:
        """The state of each fit, the same as if it were the only one, but for the last bits where ``at_once``."""
        ...


def make(
    kind: str, name: str, classes: int, options: Mapping[str, Any], recipe: Recipe, device: str = "cpu"
) -> Learner:
    """The learner around a registered model or classifier (``kind``). Raises BadInput for unknown names and options."""
    entry = registry.get(kind, name)
    complete = entry.complete(dict(options))
    if kind == "model":
        from mer_lib.learning.network import network  # torch only where a network is trained

        return network(entry, complete, recipe, classes, device)
    if kind == "classifier":
        from mer_lib.learning.classify import Classifier

        return Classifier(entry.load()(**complete), recipe, classes)
    raise BadInput(f"no learner '{kind}'", "model or classifier")


def class_weights(y: np.ndarray, classes: int, how: str) -> np.ndarray:
    """(K,) float64: all 1 for 'none'; for 'balanced' n / (classes present · n_k), and 0 for a class without samples."""
    count = np.bincount(y, minlength=classes)
    if how == "none":
        return np.ones(classes)
    return np.divide(len(y), (count > 0).sum() * count, out=np.zeros(classes), where=count > 0)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained model: what it is and its arrays. ``meta`` and ``state`` go into a safetensors file and come back."""

    kind: str
    name: str
    classes: tuple[str, ...]
    options: dict[str, Any]
    state: State

    @property
    def meta(self) -> dict[str, str]:
        """What the arrays do not say, as text."""
        told = {"kind": self.kind, "name": self.name, "classes": list(self.classes), "options": self.options}
        return {"learner": json.dumps(told, sort_keys=True)}

    @classmethod
    def from_state(cls, state: State, meta: Mapping[str, str]) -> Fitted:
        """The model that ``meta`` and ``state`` describe; further keys of ``meta`` are others' business."""
        told = json.loads(meta["learner"])
        return cls(told["kind"], told["name"], tuple(told["classes"]), told["options"], state)

    def probabilities(self, x: np.ndarray, device: str = "cpu") -> np.ndarray:
        """(n, K) float32 probabilities, in the order of ``classes``, of features (n, ...)."""
        return self._learner(device).probabilities(self.state, np.asarray(x, np.float32))

    def saliency(self, x: np.ndarray, device: str = "cpu") -> np.ndarray:
        """(n, ...) float32: what raises the score of the predicted class, of features (n, ...). See Network."""
        if self.kind != "model":
            raise BadInput(f"'{self.name}' is a classifier, whose answer has no gradient", "name a network's model")
        return self._learner(device).saliency(self.state, np.asarray(x, np.float32))

    def _learner(self, device: str) -> Learner:
        return make(self.kind, self.name, len(self.classes), self.options, Recipe(), device)


def names(predicted: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """(n,) class names of (n, K) probabilities; a tie goes to the class that stands first."""
    return np.asarray(classes, object)[predicted.argmax(1)]
