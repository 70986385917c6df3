"""What a fit draws at random: the order of its samples and what dropout leaves of them.

Both depend on the fit's own seed only. Dropout is a function of seed, epoch, sample and unit (a counter-based draw), so
that one network alone, many side by side and compiled code leave out the same units, on any device.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numba import njit, uint32
from torch import nn

from mer_lib.learning.seeds import derive

# The mixing function is 'lowbias32' (C. Wellons, Prospecting for hash functions, 2018).
FIRST, SECOND, GOLDEN, WORD = 0x7FEB352D, 0x846CA68B, 0x9E3779B9, 0xFFFFFFFF
LEVELS = 1 << 24  # of the uniform number that a unit is kept by


class Order:
    """The batches of one fit, epoch by epoch: positions (n,) of its training samples."""

    def __init__(self, y: np.ndarray, seed: int, batch: int, sampling: Literal["shuffled", "balanced"]) -> None:
        self._y, self._batch, self._balanced = y, batch, sampling == "balanced"
        self._random = np.random.default_rng(derive(seed, "order"))

    def draw(self) -> list[np.ndarray]:
        """The batches of the next epoch, as many samples as there are in all.

        'shuffled' takes each sample once. 'balanced' takes as many of each class that is there (one more of some where
        they do not divide evenly): of a class with too few, each sample as often as the others, give or take one.
        """
        order = self._even() if self._balanced else self._random.permutation(len(self._y))
        return split(order, self._batch)

    def _even(self) -> np.ndarray:
        there = self._random.permutation(np.unique(self._y))
        share, left = divmod(len(self._y), len(there))
        taken = []
        for i, k in enumerate(there):
            rows, wanted = np.flatnonzero(self._y == k), share + (i < left)
            rounds = -(-wanted // len(rows))
            taken.append(np.concatenate([self._random.permutation(rows) for _ in range(rounds)])[:wanted])
        return self._random.permutation(np.concatenate(taken))


def split(order: np.ndarray, size: int) -> list[np.ndarray]:
    """Batches of ``size``, the last one what remains; a remainder of one joins the batch before it.

    Batch norm knows no deviation of a single row.
    """
    cuts = list(range(size, len(order), size))
    if cuts and len(order) - cuts[-1] == 1 < size:
        cuts.pop()
    return np.split(order, cuts)


def dropout_key(seed: int, layer: int) -> np.ndarray:
    """(2,) int64: two 32-bit words out of a fit's seed and a dropout layer's position among the network's."""
    key = derive(seed, "dropout", layer)
    return np.array([key & WORD, key >> 32], np.int64)


def kept(rows: np.ndarray, units: int, share: float, key: np.ndarray, epoch: int) -> np.ndarray:
    """(n, units) bool: the units of these training samples that dropout of ``share`` leaves in this epoch."""
    words = key.astype(np.uint32)
    told = np.uint32(epoch * GOLDEN & WORD)
    return _kept(np.asarray(rows).astype(np.uint32), units, np.uint32(share * LEVELS), words[0], words[1], told)


@njit(cache=True, nogil=True, error_model="numpy")
def _kept(rows, units, level, one, two, epoch):
    found = np.empty((len(rows), units), np.bool_)
    for i in range(len(rows)):
        first = uint32(rows[i] * uint32(units))
        for u in range(units):
            h = _mixed(uint32(first + uint32(u)) ^ one)
            found[i, u] = _mixed(uint32(h + epoch) ^ two) >> uint32(8) >= level
    return found


@njit(inline="always")
def _mixed(h):
    h = uint32(h ^ (h >> uint32(16)))
    h = uint32(h * uint32(FIRST))
    h = uint32(h ^ (h >> uint32(15)))
    h = uint32(h * uint32(SECOND))
    return uint32(h ^ (h >> uint32(16)))


def kept_on(rows: torch.Tensor, units: int, share: float, key: torch.Tensor, epoch: torch.Tensor) -> torch.Tensor:
    """``kept`` in torch's operations, for the device that holds ``rows`` (n,) int64, ``key`` and ``epoch``."""
    h = (rows[:, None] * units + torch.arange(units, device=rows.device)) & WORD
    h = _mixed_on(h ^ key[0])
    h = _mixed_on((h + epoch * GOLDEN & WORD) ^ key[1])
    return (h >> 8) >= int(share * LEVELS)


def _mixed_on(h: torch.Tensor) -> torch.Tensor:
    """32-bit words in int64; the second factor less 2³², so that no product overflows."""
    h = (h ^ (h >> 16)) * FIRST & WORD
    h = (h ^ (h >> 15)) * (SECOND - WORD - 1) & WORD
    return h ^ (h >> 16)


class Dropout(nn.Module):
    """torch's dropout with draws of its own; ``rows`` and ``epoch`` are set before each step."""

    rows: torch.Tensor
    key: torch.Tensor
    epoch: torch.Tensor

    def __init__(self, share: float, key: np.ndarray, *, on_device: bool) -> None:
        super().__init__()
        self._share, self._on_device = share, on_device
        self._gain = 1 / (1 - share) if share < 1 else 0.0
        self.register_buffer("key", torch.from_numpy(key), persistent=False)
        self.register_buffer("rows", torch.zeros(0, dtype=torch.int64), persistent=False)
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, ...) with a row a training sample, or (n · T, ...) with the T of each sample one behind the other."""
        if not self.training or self._share == 0:
            return x
        units = x.numel() // len(self.rows)
        if self._on_device:
            keep = kept_on(self.rows, units, self._share, self.key, self.epoch)
        else:
            keep = torch.from_numpy(kept(self.rows.numpy(), units, self._share, self.key.numpy(), int(self.epoch)))
        return x * (keep.view(x.shape) * self._gain)


def with_own_dropout(model: nn.Module, seed: int, *, on_device: bool) -> list[Dropout]:
    """Put ``Dropout`` in the place of each of the model's nn.Dropout layers; the new layers, in the model's order."""
    found: list[Dropout] = []
    for parent in model.modules():
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Dropout:
                found.append(Dropout(layer.p, dropout_key(seed, len(found)), on_device=on_device))
                setattr(parent, name, found[-1])
    return found
