"""Compiled code behind a network: the module that its registration names, driven like any other back end."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from mer_lib.learning.draws import dropout_key, kept
from mer_lib.learning.learner import Recipe, State, Task
from mer_lib.learning.tensors import arrays, probabilities, softmax


class Compiled:
    """A back end (training.Steps) with one network, on a CPU.

    The module offers ``prepare(x, **options)``, ``DROPPED`` (units of its one dropout layer) and ``Fused(prepared, y,
    weights, state, optimizer=…, lr=…, momentum=…, weight_decay=…, **options)`` with ``epoch(order, ends, keep)``,
    ``logits`` and ``state()``; the model has an option ``dropout``. The torch model predicts, from the weights so far.
    """

    def __init__(
        self,
        module: ModuleType,
        prepared: Any,
        model: nn.Module,
        task: Task,
        weights: np.ndarray,
        recipe: Recipe,
        options: Mapping[str, Any],
    ) -> None:
        self._model, self._units, self._share = model, module.DROPPED, options["dropout"]
        self._key, self._classes = dropout_key(task.seed, 0), len(weights)
        how = {name: getattr(recipe, name) for name in ("optimizer", "lr", "momentum", "weight_decay")}
        self._fused = module.Fused(prepared, task.y, weights, arrays(model.state_dict()), **how, **options)

    def epoch(self, number: int, batches: list[list[np.ndarray]]) -> np.ndarray:
        """See training.Steps."""
        order, ends = np.concatenate(batches[0]), np.cumsum([len(batch) for batch in batches[0]])
        keep = kept(order, self._units, self._share, self._key, number) if self._share else None
        return np.array([self._fused.epoch(order, ends, keep)])

    def seen(self, which: int) -> np.ndarray:
        """See training.Steps."""
        return softmax(torch.from_numpy(self._fused.logits))

    def predict(self, watched: list[np.ndarray | None]) -> list[np.ndarray | None]:
        """See training.Steps."""
        self._model.load_state_dict({name: torch.from_numpy(array) for name, array in self.state(0).items()})
        cpu = torch.device("cpu")
        return [None if x is None else probabilities(self._model, x, self._classes, cpu) for x in watched]

    def state(self, which: int) -> State:
        """See training.Steps."""
        return self._fused.state()
