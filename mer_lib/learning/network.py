"""Networks: the plain training loop of one model on one set of rows."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from mer_lib.learning.curves import due
from mer_lib.learning.learner import Diverged, Observe, Recipe, State, class_weights
from mer_lib.learning.seeds import derive
from mer_lib.problems import BadInput

CHUNK = 256  # rows predicted at a time: bounds memory, and the same rows meet the same kernels


class Network:
    """Learner around a torch model that ``build`` makes, (n, C, ...) -> (n, K) logits.

    Features come channels last, (n, ..., C), as descriptors store them; vectors (n, D) pass as they are.
    """

    fits = ("weights",)

    def __init__(self, build: Callable[[], nn.Module], recipe: Recipe, classes: int, device: str = "cpu") -> None:
        self._build, self._recipe, self._classes = build, recipe, classes
        self._device = torch.device(device)
        self.epochs: int | None = recipe.epochs

    def fit(
        self, x: np.ndarray, y: np.ndarray, *, seed: int, epochs: int | None = None, observe: Observe | None = None
    ) -> State:
        """Train from scratch; cross-entropy, mini-batches in an order drawn anew each epoch, the last epoch's weights.

        ``observe`` is called after the recorded epochs (curves.due). Raises Diverged.
        """
        epochs = epochs or self._recipe.epochs
        data, truth = self._features(x), torch.tensor(y, device=self._device)
        weight = torch.from_numpy(class_weights(y, self._classes, self._recipe.class_weights)).to(data)
        order = torch.Generator().manual_seed(derive(seed, "order"))
        with _alone(derive(seed, "weights"), self._device):
            model = self._build().to(self._device).train()
            optimizer = self._optimizer(model)
            for epoch in range(1, epochs + 1):
                batches = _batches(torch.randperm(len(y), generator=order), self._recipe.batch)
                logits = _epoch(model, optimizer, data, truth, weight, batches)
                if logits is None:
                    raise Diverged(epoch)
                if observe and due(epoch, epochs):
                    seen = torch.cat(batches)
                    observe(epoch, lambda rows: self._predict(model, rows), y[seen.numpy()], _softmax(logits))
                    model.train()
        return {name: tensor.detach().cpu().numpy().copy() for name, tensor in model.state_dict().items()}

    def probabilities(self, state: State, x: np.ndarray) -> np.ndarray:
        """(n, K) float32. Raises BadInput where the arrays are another network's."""
        with _alone(0, self._device):  # building a network draws first weights, which are thrown away
            model = self._build().to(self._device)
            try:
                model.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
            except RuntimeError as error:
                told = f"the weights do not fit the network: {error}"
                raise BadInput(told, "use the options it was trained with") from None
            return self._predict(model, x)

    def _predict(self, model: nn.Module, x: np.ndarray) -> np.ndarray:
        model.eval()
        with torch.inference_mode():
            parts = [_softmax(model(self._features(x[at : at + CHUNK]))) for at in range(0, len(x), CHUNK)]
        return np.concatenate(parts) if parts else np.zeros((0, self._classes), np.float32)

    def _features(self, x: np.ndarray) -> torch.Tensor:
        """Channels second by name but last in memory, as they were stored: torch pools several times faster so."""
        rows = torch.tensor(x, device=self._device)
        return rows.movedim(-1, 1) if x.ndim > 2 else rows

    def _optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        recipe = self._recipe
        if recipe.optimizer == "adam":
            return torch.optim.Adam(model.parameters(), recipe.lr, weight_decay=recipe.weight_decay, fused=True)
        return torch.optim.SGD(
            model.parameters(), recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=True
        )


def _epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    data: torch.Tensor,
    truth: torch.Tensor,
    weight: torch.Tensor,
    batches: list[torch.Tensor],
) -> torch.Tensor | None:
    """One pass; the logits as they were when each batch was trained on, in the batches' order. None after a NaN."""
    seen, total = [], torch.zeros((), device=data.device)
    for rows in batches:
        logits = model(data[rows])
        loss = F.cross_entropy(logits, truth[rows], weight=weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        seen.append(logits.detach())
        total += loss.detach()
    return torch.cat(seen) if torch.isfinite(total) else None


def _batches(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    """Batches of ``size``, the last one what remains; a remainder of one joins the batch before it.

    Batch norm knows no deviation of a single row.
    """
    batches = list(order.split(size))
    if len(batches) > 1 and len(batches[-1]) == 1 < size:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _softmax(logits: torch.Tensor) -> np.ndarray:
    return logits.float().softmax(1).cpu().numpy()


@contextmanager
def _alone(seed: int, device: torch.device) -> Iterator[None]:
    """torch's global generators (initial weights, dropout) seeded and one thread, inside the block only."""
    _keep_freed_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


@cache
def _keep_freed_memory() -> None:
    """Ask glibc to keep freed blocks for the next step instead of returning them to the kernel, where there is glibc.

    Each step of a small network frees and asks for the same few megabytes; having the kernel clear them every time is a
    third of an epoch. No result depends on it.
    """
    trim, map_above = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h, in bytes; glibc's limit is 32 MB
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(map_above, 1 << 25)
        mallopt(trim, 1 << 30)
