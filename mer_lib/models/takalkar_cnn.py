"""Takalkar and Xu's image network: each frame of a clip is a picture of its expression, and the pictures vote."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from mer_lib.registry import register

WIDTHS = (16, 32, 64, 64)
TURN, SHIFT, SCALE = 0.17, 0.06, 0.08  # radians, shares of the half picture: reach of the synthetic pictures
LIGHT = 0.2  # standard deviation of their contrast (log)


@register(
    "model",
    inputs="grey128x12",
    title="CNN with augmentation",
    channels=1,
    side=128,
    frames=12,
    parameters=585379,
    flops=1201677312,
    sample_mb=72,
    paper="Takalkar, Xu: Image based facial micro-expression recognition using deep learning on small datasets (2017)",
    doi="10.1109/DICTA.2017.8227443",
    year=2017,
    chosen="Only the paper's abstract and what others report of it were at hand: number and size of layers, picture "
    "size, reach of the augmentation, recipe, and that a clip's pictures vote by their mean probability, are ours.",
)
def takalkar_cnn(classes: int, *, frames: int = 12, dropout: float = 0.5, augment: bool = True) -> nn.Module:
    """A plain 2-D network on grey pictures at 128×128, trained on every frame and on synthetic copies of them.

    ``frames``: pictures a clip; ``dropout``: before the last layer; ``augment``: each picture is mirrored, turned,
    shifted, scaled and relit anew whenever it is trained on. See ``TakalkarCNN`` for the layers.
    """
    return TakalkarCNN(classes, dropout=dropout, augment=augment)


class TakalkarCNN(nn.Module):
    """(N, 1, T, 128, 128) grey levels 0–255 → (N, classes) logits, the log of the pictures' mean probability.

    Four times 3×3 convolution (16, 32, 64, 64 filters), batch norm, ReLU and max pool 2/2, then 4,096 → 128 → classes.
    Each picture is a training sample of its own.
    """

    def __init__(self, classes: int, *, dropout: float, augment: bool) -> None:
        super().__init__()
        self._augment = augment
        blocks = [_block(low, high) for low, high in zip((1, *WIDTHS), WIDTHS, strict=False)]
        self.body = nn.Sequential(*blocks, nn.Flatten())
        self.head = nn.Sequential(
            nn.Linear(WIDTHS[-1] * 8 * 8, 128), nn.ReLU(), nn.Dropout(dropout), nn.Linear(128, classes)
        )

    def training_loss(
        self, x: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy of every picture, mirrored, turned, shifted and relit where that is asked for."""
        pictures = x.transpose(1, 2).flatten(0, 1)
        scores = self.forward_each(synthetic(pictures) if self._augment else pictures)
        loss = F.cross_entropy(scores, truth.repeat_interleave(x.shape[2]), weight=weight)
        return _vote(scores, x.shape[2]), loss

    def forward_each(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 1, 128, 128) → (n, classes) logits of single pictures."""
        return self.head(self.body(pictures / 127.5 - 1))

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 1, T, 128, 128) → (N, T, 4096): each picture's."""
        return self.body(x.transpose(1, 2).flatten(0, 1) / 127.5 - 1).unflatten(0, (-1, x.shape[2]))

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, T, 4096) → (N, classes) logits."""
        return _vote(self.head(features.flatten(0, 1)), features.shape[1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


def synthetic(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures (n, 1, S, S) mirrored or not, turned, shifted, scaled and relit, each in its own way."""
    n, device = len(pictures), pictures.device
    turn = (torch.rand(n, device=device) * 2 - 1) * TURN
    size = 1 + (torch.rand(n, device=device) * 2 - 1) * SCALE
    side = torch.where(torch.rand(n, device=device) < 0.5, -1.0, 1.0)
    shift = (torch.rand(n, 2, device=device) * 2 - 1) * SHIFT
    rows = [torch.stack([side * size * turn.cos(), -size * turn.sin(), shift[:, 0]], 1)]
    rows.append(torch.stack([side * size * turn.sin(), size * turn.cos(), shift[:, 1]], 1))
    grid = F.affine_grid(torch.stack(rows, 1), list(pictures.shape), align_corners=False)
    moved = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    contrast = torch.exp(LIGHT * torch.randn(n, 1, 1, 1, device=device))
    middle = moved.mean((1, 2, 3), keepdim=True)
    return ((moved - middle) * contrast + middle).clamp(0, 255)


def _vote(scores: torch.Tensor, frames: int) -> torch.Tensor:
    """Scores (n · T, classes) of single pictures → (n, classes) log of their mean probability."""
    return F.log_softmax(scores, dim=1).unflatten(0, (-1, frames)).logsumexp(1) - math.log(frames)


def _block(low: int, high: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(low, high, 3, padding=1), nn.BatchNorm2d(high), nn.MaxPool2d(2), nn.ReLU())
