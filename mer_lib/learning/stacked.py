"""Many networks of one shape trained at once: their parameters stacked, every step one computation for all of them.

Each network keeps its own samples, order, class weights, statistics, dropout and optimiser state. Networks with fewer
samples get rows that count for nothing, and stand still where they have no batch left. Written for a GPU, where the
launch of a kernel costs more than a small network's step; torch.func batches the layers (vmap).
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, vmap
from torch.nn import functional as F

from mer_lib.learning.draws import Dropout, dropout_key, with_own_dropout
from mer_lib.learning.learner import Recipe, State, Task
from mer_lib.learning.tensors import arrays, features, precision, softmax

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # torch's defaults of Adam
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
Tensors = dict[str, torch.Tensor]


class Stacked:
    """A back end (training.Steps) with G networks.

    Random layers other than nn.Dropout and in-place updates of buffers other than batch norm's are refused by vmap.
    """

    def __init__(
        self,
        models: list[nn.Module],
        tasks: list[Task],
        weights: list[np.ndarray],
        recipe: Recipe,
        device: torch.device,
    ) -> None:
        self._recipe, self._device = recipe, device
        self._names = list(models[0].state_dict())
        self._shapes = {name: p.shape for name, p in models[0].named_parameters()}
        flat = [torch.cat([p.detach().reshape(-1) for p in model.parameters()]) for model in models]
        self._params = torch.stack(flat).to(device).requires_grad_()  # (G, D)
        named = [dict(model.named_buffers()) for model in models]
        self._buffers = {name: torch.stack([b[name] for b in named]).to(device) for name in named[0]}
        self._model = _prepared(models[0]).to(device)
        layers = [(name, layer) for name, layer in self._model.named_modules() if isinstance(layer, Dropout)]
        self._dropouts = [name for name, _ in layers]
        keys = [[dropout_key(task.seed, i) for task in tasks] for i in range(len(layers))]
        self._keys = [torch.from_numpy(np.array(key)).to(device) for key in keys]
        self._norms = [name for name, layer in self._model.named_modules() if isinstance(layer, RowNorm)]
        self._data, self._begin = _joined(tasks, device)
        self._truth = torch.tensor(np.concatenate([task.y for task in tasks]), device=device)
        self._first = np.cumsum([0, *(len(task.y) for task in tasks)])[:-1]
        self._weights = torch.from_numpy(np.array(weights, np.float32)).to(device)
        self._moments = torch.zeros((2, *self._params.shape), device=device)
        self._steps = np.zeros(len(tasks), np.int64)
        self._logits: list[torch.Tensor] = []
        self._sizes: list[list[int]] = []
        self._watched: tuple[list, torch.Tensor] | None = None

    def epoch(self, number: int, batches: list[list[np.ndarray]]) -> np.ndarray:
        """See training.Steps."""
        self._logits, self._sizes = [], [[len(rows) for rows in own] for own in batches]
        total = torch.zeros(len(batches), device=self._device)
        for step in range(max(map(len, batches))):
            total += self._step(number, [own[step] if step < len(own) else own[0][:0] for own in batches])
        return torch.isfinite(total).cpu().numpy()

    def seen(self, which: int) -> np.ndarray:
        """See training.Steps."""
        sizes = self._sizes[which]
        return np.concatenate([softmax(self._logits[step][which, :size]) for step, size in enumerate(sizes)])

    def predict(self, watched: list[np.ndarray | None]) -> list[np.ndarray | None]:
        """See training.Steps. The rows of all networks in one computation, padded to the longest."""
        sizes = [0 if x is None else len(x) for x in watched]
        if self._watched is None or any(a is not b for a, b in zip(self._watched[0], watched, strict=True)):
            first = next(x for x in watched if x is not None)
            padded = np.zeros((len(watched), max(sizes), *first.shape[1:]), np.float32)
            for i, x in enumerate(watched):
                padded[i, : sizes[i]] = 0 if x is None else x
            data = features(padded.reshape(-1, *first.shape[1:]), self._device)
            self._watched = (list(watched), data.reshape(len(watched), -1, *data.shape[1:]))
        self._model.eval()
        with torch.no_grad(), precision(self._recipe, self._device):
            logits = vmap(self._call)(self._named(self._params), self._buffers, {}, self._watched[1])
        self._model.train()
        found = softmax(logits)
        return [None if x is None else found[i, : sizes[i]] for i, x in enumerate(watched)]

    def state(self, which: int) -> State:
        """See training.Steps."""
        named = self._named(self._params) | self._buffers
        return arrays({name: named[name][which] for name in self._names})

    def _step(self, number: int, rows: list[np.ndarray]) -> torch.Tensor:
        """One batch of each network; their losses (G,), 0 where there was no batch."""
        sizes = np.array([len(own) for own in rows])
        padded, real = np.zeros((len(rows), sizes.max()), np.int64), np.arange(sizes.max()) < sizes[:, None]
        padded[real] = np.concatenate(rows)
        local, real = torch.from_numpy(padded).to(self._device), torch.from_numpy(real).to(self._device)
        given = torch.from_numpy(self._begin[:, None] + padded).to(self._device)
        truth = self._truth[torch.from_numpy(self._first[:, None] + padded).to(self._device)]
        extra = {f"{name}.real": real.float() for name in self._norms}
        for name, key in zip(self._dropouts, self._keys, strict=True):
            extra |= {f"{name}.rows": local, f"{name}.key": key}
            extra[f"{name}.epoch"] = torch.full((len(rows),), number, device=self._device)
        with precision(self._recipe, self._device):
            logits = vmap(self._call)(self._named(self._params), self._buffers, extra, self._data[given])
        each = F.cross_entropy(logits.float().flatten(0, 1), truth.flatten(), reduction="none").view(truth.shape)
        weight = self._weights.gather(1, truth) * real
        loss = (each * weight).sum(1) / weight.sum(1).clamp_min(1e-30)
        (grad,) = torch.autograd.grad(loss.sum(), self._params)
        self._update(grad, sizes > 0)
        self._logits.append(logits.detach())
        return loss.detach()

    def _call(self, params: Tensors, buffers: Tensors, extra: Tensors, x: torch.Tensor) -> torch.Tensor:
        return functional_call(self._model, (params, buffers, extra), (x,))

    def _named(self, flat: torch.Tensor) -> Tensors:
        """The columns of (G, D) under the parameters' names, in their shapes."""
        parts = flat.split([shape.numel() for shape in self._shapes.values()], 1)
        return {n: part.view(-1, *shape) for (n, shape), part in zip(self._shapes.items(), parts, strict=True)}

    @torch.no_grad()
    def _update(self, grad: torch.Tensor, active: np.ndarray) -> None:
        """A step of the optimiser, as torch takes it, in the networks that had a batch."""
        self._steps += active
        recipe, (first, second), params = self._recipe, self._moments, self._params
        grad = grad + recipe.weight_decay * params
        if recipe.optimizer == "adam":
            steps = np.maximum(self._steps, 1)[:, None]
            size = torch.from_numpy((recipe.lr / (1 - BETA1**steps)).astype(np.float32)).to(self._device)
            root = torch.from_numpy(np.sqrt(1 - BETA2**steps).astype(np.float32)).to(self._device)
            new = [first.lerp(grad, 1 - BETA1), second.mul(BETA2).addcmul(grad, grad, value=1 - BETA2)]
            change = size * new[0] / (new[1].sqrt() / root + EPS)
        else:
            new = [recipe.momentum * first + grad, second]
            change = recipe.lr * new[0]
        if active.all():
            params -= change
            first.copy_(new[0]), second.copy_(new[1])
            return
        on = torch.from_numpy(active[:, None]).to(self._device)
        params -= torch.where(on, change, 0)
        for old, value in zip((first, second), new, strict=True):
            old.copy_(torch.where(on, value, old))


class RowNorm(nn.Module):
    """Batch norm over the rows that ``real`` (n,) marks with 1; weights and statistics named as in torch's layer."""

    real: torch.Tensor

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        for name, buffer in layer.named_buffers():
            self.register_buffer(name, buffer)
        self.register_buffer("real", torch.ones(0), persistent=False)
        self._eps, self._momentum = layer.eps, layer.momentum

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, C, ...)."""
        shape, over = (1, -1, *[1] * (x.ndim - 2)), (0, *range(2, x.ndim))
        mean, variance = self.running_mean, self.running_var
        if self.training:
            real = self.real.view(-1, *[1] * (x.ndim - 1))
            count = self.real.sum() * math.prod(x.shape[2:])
            values = x.float()
            mean = (values * real).sum(over) / count.clamp_min(1)
            variance = ((values - mean.view(shape)) ** 2 * real).sum(over) / count.clamp_min(1)
            self._remember(mean.detach(), variance.detach(), count)
        scale = torch.rsqrt(variance + self._eps) * self.weight
        return (x - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)

    def _remember(self, mean: torch.Tensor, variance: torch.Tensor, count: torch.Tensor) -> None:
        share = self._momentum * (count > 0)
        unbiased = variance * count / (count - 1).clamp_min(1)
        self.running_mean += share * (mean - self.running_mean)
        self.running_var += share * (unbiased - self.running_var)
        self.num_batches_tracked += count > 0


def _prepared(model: nn.Module) -> nn.Module:
    """A copy whose dropout and batch norm can be batched."""
    model = copy.deepcopy(model).train()
    with_own_dropout(model, 0, on_device=True)
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, NORMS):
                setattr(parent, name, RowNorm(layer))
    return model


def _joined(tasks: list[Task], device: torch.device) -> tuple[torch.Tensor, np.ndarray]:
    """The features of all tasks in one tensor, arrays that are shared but once, and (G,) where each task's begin."""
    arrays: list[np.ndarray] = []
    begin, place, at = [], dict[int, int](), 0
    for task in tasks:
        if id(task.x) not in place:
            place[id(task.x)] = at
            arrays.append(task.x)
            at += len(task.x)
        begin.append(place[id(task.x)])
    whole: Any = features(np.concatenate(arrays), device)
    return whole.contiguous(), np.array(begin)
