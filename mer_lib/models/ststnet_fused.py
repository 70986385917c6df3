"""STSTNet trained by compiled code, one pass a sample on one core: the network of ``ststnet.py``, step for step.

Here samples and weights are put in the order in which the code of ``ststnet_kernels.py`` reads them, and back. Learning
finds this file by the fact ``compiled`` of the registration and knows ``prepare``, ``Fused`` and ``DROPPED``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mer_lib.models import ststnet_kernels as kernels
from mer_lib.models.ststnet_kernels import (
    BETA,
    BIAS,
    CHANNELS,
    CONV,
    DROPPED,
    FILTERS,
    GAMMA,
    HEAD,
    LANES,
    LINE,
    POOLED,
    SIDE,
    TAPS,
    WINDOWS,
    B,
)


class Prepared(NamedTuple):
    """Samples as the kernels read them: 42 KB each, and 6 KB more with batch norm.

    tiles: (n, 100, 75) float32, transformed 5×5 inputs of each pool window, by column, row and channel.
    images: (n, 3088) float32, padded by two pixels, and by 16 zeros at the end.
    sums: (n, 27) and products: (n, 27, 27) float64, of each sample's 784 patches; empty without batch norm.
    """

    tiles: np.ndarray
    images: np.ndarray
    sums: np.ndarray
    products: np.ndarray


def prepare(x: np.ndarray, *, batch_norm: bool, dropout: float) -> Prepared:
    """What the kernels read of samples (n, 28, 28, 3) float32. Raises ValueError for another shape."""
    n = len(x)
    if x.shape[1:] != (SIDE, SIDE, CHANNELS):
        raise ValueError(f"STSTNet reads (n, 28, 28, 3), here are {x.shape}")
    padded = np.pad(x.astype(np.float32, copy=False), ((0, 0), (2, 2), (2, 2), (0, 0)))
    images = np.zeros((n, LINE * (SIDE + 4) + LANES), np.float32)
    images[:, :-LANES] = padded.reshape(n, -1)
    tiles = np.empty((n, WINDOWS, 75), np.float32)
    moments = n if batch_norm else 0
    sums, products = np.zeros((moments, TAPS)), np.zeros((moments, TAPS, TAPS))
    for i, image in enumerate(padded.astype(np.float64)):
        tile = sliding_window_view(image, (5, 5), axis=(0, 1))[::3, ::3]  # (10, 10, channel, row, column)
        tiles[i] = (B @ tile @ B.T).transpose(0, 1, 4, 3, 2).reshape(WINDOWS, 75)
        if batch_norm:
            patches = sliding_window_view(image[1:-1, 1:-1], (3, 3), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
            patches = patches.reshape(-1, TAPS)
            sums[i], products[i] = patches.sum(0), patches.T @ patches
    return Prepared(tiles, images, sums, products)


class Fused:
    """One network in training.

    samples: ``prepare``d; y: (n,) class positions; weights: (K,) of the classes in the loss; state: the first weights,
    named and shaped as torch's module has them; then the recipe and the network's own options.
    """

    def __init__(
        self,
        samples: Prepared,
        y: np.ndarray,
        weights: np.ndarray,
        state: dict[str, np.ndarray],
        *,
        optimizer: str,
        lr: float,
        momentum: float,
        weight_decay: float,
        dropout: float,
        batch_norm: bool,
    ) -> None:
        self._samples, self._y, self._weights = samples, y.astype(np.int64), weights.astype(np.float32)
        self._recipe = (optimizer == "adam", lr, momentum, weight_decay)
        self._gain, self._norm, self._steps = 1 / (1 - dropout) if dropout < 1 else 0.0, batch_norm, 0
        self.params, self._running = _packed(state, batch_norm)
        self._moments = np.zeros((2, len(self.params)), np.float32)
        self._classes = len(weights)
        self.logits = np.zeros((0, self._classes), np.float32)

    def epoch(self, order: np.ndarray, ends: np.ndarray, keep: np.ndarray | None) -> bool:
        """A pass over ``order`` (m,) in batches that end at ``ends``; ``keep`` (m, 400) bool is what dropout leaves.

        ``logits`` (m, K) are then those each batch was trained on. False once the loss is no number any more.
        """
        self.logits = np.empty((len(order), self._classes), np.float32)
        gain = np.float32(1 if keep is None else self._gain)
        keep = np.zeros((0, DROPPED), np.bool_) if keep is None else keep
        loss = kernels.epoch(
            self._samples, self._y, self._weights, order.astype(np.int64), ends.astype(np.int64), keep, gain,
            self._norm, self._recipe, self.params, self._moments, self._running, self._steps, self.logits,
        )  # fmt: skip
        self._steps += len(ends)
        return math.isfinite(loss)

    def state(self) -> dict[str, np.ndarray]:
        """The weights as torch's module names and shapes them."""
        params, classes = self.params.copy(), self._classes
        conv = params[CONV].reshape(3, 3, CHANNELS, FILTERS).transpose(3, 2, 0, 1)
        head = params[HEAD : HEAD + DROPPED * classes].reshape(classes, POOLED, FILTERS).transpose(0, 2, 1)
        found = {"streams.0.weight": conv, "streams.0.bias": params[BIAS]}
        if self._norm:
            found |= {"streams.1.weight": params[GAMMA], "streams.1.bias": params[BETA]}
            found |= {
                "streams.1.running_mean": self._running[0].astype(np.float32),
                "streams.1.running_var": self._running[1].astype(np.float32),
                "streams.1.num_batches_tracked": np.array(self._steps, np.int64),
            }
        found |= {"head.weight": head.reshape(classes, -1), "head.bias": params[HEAD + DROPPED * classes :]}
        return {name: np.array(array, order="C") for name, array in found.items()}


def _packed(state: dict[str, np.ndarray], batch_norm: bool) -> tuple[np.ndarray, np.ndarray]:
    """All parameters in one vector, and the running mean and variance (2, 16); the inverse of ``Fused.state``."""
    classes = len(state["head.bias"])
    ones, zeros = np.ones(FILTERS), np.zeros(FILTERS)
    conv = state["streams.0.weight"].transpose(2, 3, 1, 0)
    head = state["head.weight"].reshape(classes, FILTERS, POOLED).transpose(0, 2, 1)
    norm = [state[f"streams.1.{name}"] for name in ("weight", "bias")] if batch_norm else [ones, zeros]
    running = [state[f"streams.1.running_{name}"] for name in ("mean", "var")] if batch_norm else [zeros, ones]
    flat = [part.ravel() for part in (conv, state["streams.0.bias"], *norm, head, state["head.bias"])]
    return np.concatenate(flat).astype(np.float32), np.array(running, np.float64)
