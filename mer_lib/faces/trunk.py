"""What the package's own small networks see a face with."""

from __future__ import annotations

from torch import nn


def trunk(widths: tuple[int, ...], strides: tuple[int, ...]) -> nn.Sequential:
    """(N, widths[0], H, W) → (N, features): for each stride a convolution of 3 × 3, batch norm and ReLU; flattened,
    with dropout. ``widths`` has one more than ``strides``."""
    layers: list[nn.Module] = []
    for low, high, stride in zip(widths[:-1], widths[1:], strides, strict=True):
        layers += [nn.Conv2d(low, high, 3, stride, padding=1, bias=False), nn.BatchNorm2d(high), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.1))
