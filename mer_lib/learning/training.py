"""The epochs of a training, whatever computes them: one network, several side by side, or compiled code."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mer_lib.learning.curves import due
from mer_lib.learning.draws import Order
from mer_lib.learning.learner import Diverged, Recipe, State, Task

log = logging.getLogger(__name__)

TELL = 60  # seconds between two lines of the log


class Steps(Protocol):
    """A back end with G networks in training; G is 1 unless it computes several at once."""

    def epoch(self, number: int, batches: list[list[np.ndarray]]) -> np.ndarray:
        """One pass, a list of batches a network; (G,) bool, whether its loss is a number still."""
        ...

    def seen(self, which: int) -> np.ndarray:
        """(n, K) probabilities of the last pass's rows, in its order, as they were when they were trained on."""
        ...

    def predict(self, watched: list[np.ndarray | None]) -> list[np.ndarray | None]:
        """(m, K) probabilities of these rows by each network as it stands."""
        ...

    def state(self, which: int) -> State:
        """The weights as they stand."""
        ...


def train(steps: Steps, tasks: Sequence[Task], recipe: Recipe) -> list[State]:
    """The states of the networks after as many epochs as each task asks for. Raises Diverged."""
    orders = [Order(task.y, task.seed, recipe.batch, recipe.sampling) for task in tasks]
    states: dict[int, State] = {}
    last, started = max(task.epochs for task in tasks), time.monotonic()
    told = started
    for number in range(1, last + 1):
        batches = [order.draw() for order in orders]
        finite = steps.epoch(number, batches)
        going = [i for i in range(len(tasks)) if i not in states]
        for i in going:
            if not finite[i]:
                raise Diverged(number, i)
        _record(steps, tasks, going, number, batches)
        states |= {i: steps.state(i) for i in going if tasks[i].epochs == number}
        if (now := time.monotonic()) > told + TELL:
            told, left = now, (now - started) / number * (last - number)
            log.info("epoch %d of %d, %d at once, about %.0f s left", number, last, len(tasks), left)
    return [states[i] for i in range(len(tasks))]


def _record(
    steps: Steps, tasks: Sequence[Task], going: list[int], number: int, batches: list[list[np.ndarray]]
) -> None:
    """Hand the epoch's figures to the tasks that record it."""
    recording = [i for i in going if tasks[i].observe and due(number, tasks[i].epochs)]
    if not recording:
        return
    watched = steps.predict([task.watched if i in recording else None for i, task in enumerate(tasks)])
    for i in recording:
        rows, seen = np.concatenate(batches[i]), steps.seen(i)
        if (domain := tasks[i].domain) is not None:
            rows, seen = rows[domain[rows] == 0], seen[domain[rows] == 0]
        tasks[i].observe(number, tasks[i].y[rows], seen, watched[i])
