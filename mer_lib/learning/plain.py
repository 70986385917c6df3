"""The plain training loop of one torch model, on any device."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from mer_lib.learning.draws import with_own_dropout
from mer_lib.learning.learner import Recipe, State, Task
from mer_lib.learning.rows import Rows
from mer_lib.learning.tensors import arrays, features, precision, probabilities, softmax


class Plain:
    """A back end (training.Steps) with one network."""

    def __init__(self, model: nn.Module, task: Task, weights: np.ndarray, recipe: Recipe, device: torch.device) -> None:
        self._model, self._recipe, self._device = model.to(device).train(), recipe, device
        self._dropouts = with_own_dropout(model, task.seed, on_device=device.type != "cpu")
        self._x, self._truth = task.x, torch.tensor(task.y, device=device)
        domains = task.domain is not None and getattr(model, "domains", False)
        self._domain = torch.tensor(task.domain, device=device) if domains else None
        self._data = None if isinstance(task.x, Rows) else features(task.x, device)
        self._weight = torch.from_numpy(weights).to(device, torch.float32)
        self._optimizer = _optimizer(model, recipe)
        self._logits = torch.empty(0)

    def epoch(self, number: int, batches: list[list[np.ndarray]]) -> np.ndarray:
        """See training.Steps."""
        seen, total = [], torch.zeros((), device=self._device)
        for batch in batches[0]:
            rows = torch.from_numpy(batch).to(self._device)
            for layer in self._dropouts:
                layer.rows = rows
                layer.epoch.fill_(number)
            with precision(self._recipe, self._device):
                logits, loss = self._forward(self._batch(batch), rows)
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self._optimizer.step()
            seen.append(logits.detach())
            total += loss.detach()
        self._logits = torch.cat(seen)
        return np.array([bool(torch.isfinite(total))])

    def _batch(self, rows: np.ndarray) -> torch.Tensor:
        """These rows of the features: of those held on the device, or read now."""
        if self._data is None:
            return features(self._x[rows], self._device)
        return self._data[torch.from_numpy(rows).to(self._device)]

    def _forward(self, x: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and loss: weighted cross-entropy, or what the model's own ``training_loss`` says."""
        truth = self._truth[rows]
        if own := getattr(self._model, "training_loss", None):
            more = () if self._domain is None else (self._domain[rows],)
            return own(x, truth, self._weight, *more)
        logits = self._model(x)
        return logits, F.cross_entropy(logits, truth, weight=self._weight)

    def seen(self, which: int) -> np.ndarray:
        """See training.Steps."""
        return softmax(self._logits)

    def predict(self, watched: list[np.ndarray | None]) -> list[np.ndarray | None]:
        """See training.Steps."""
        classes = len(self._weight)
        return [None if x is None else probabilities(self._model, x, classes, self._device) for x in watched]

    def state(self, which: int) -> State:
        """See training.Steps."""
        return arrays(self._model.state_dict())


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    decay = recipe.weight_decay
    if recipe.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), recipe.lr, weight_decay=decay, fused=True)
    return torch.optim.SGD(model.parameters(), recipe.lr, momentum=recipe.momentum, weight_decay=decay, fused=True)
