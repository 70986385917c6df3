"""3D-FCNN: grey values, horizontal and vertical flow, each through 3-D convolutions of its own, then joined."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from mer_lib.registry import register

STREAMS = 3
WIDTHS = (1, 16, 32, 64)


@register(
    "model",
    inputs="grey_flow64x16",
    title="3D-FCNN",
    channels=3,
    side=64,
    frames=16,
    parameters=3355907,
    flops=1195377408,
    sample_mb=46,
    paper="Li, Wang, See, Liu: Micro-expression recognition based on 3D flow convolutional neural network (2019)",
    doi="10.1007/s10044-018-0757-5",
    year=2019,
    chosen="Only the paper's abstract and what others report of it were at hand: three streams of 3-D convolutions on "
    "grey values and both components of flow are theirs; layers, 16 frames of 64×64, dropout and recipe "
    "are ours.",
)
def flow_3d_cnn(classes: int, *, frames: int = 16, dropout: float = 0.5) -> nn.Module:
    """Three streams of 3-D convolutions on grey values, u and v at 64×64 over 16 frames, joined by a dense layer.

    ``frames``: of the clips, as its descriptor gives them; ``dropout``: before both dense layers. See ``FlowCNN``.
    """
    return FlowCNN(classes, frames=frames, dropout=dropout)


class FlowCNN(nn.Module):
    """(N, 3, T, 64, 64) grey levels 0–255 of grey values, u and v → (N, classes) logits.

    Each stream: three times 3×3×3 convolution (16, 32, 64 filters), batch norm, ReLU, max pool 2×2×2. The streams'
    maps, 64 × T/8 × 8 × 8 each, are joined → 128 → classes. Raises ValueError for fewer than 8 frames.
    """

    def __init__(self, classes: int, *, frames: int, dropout: float) -> None:
        super().__init__()
        if frames < 8:
            raise ValueError(f"{frames} frames are fewer than the pools halve: give 8 at least")
        self.streams = nn.ModuleList(
            nn.Sequential(*(_block(*ends) for ends in pairwise(WIDTHS))) for _ in range(STREAMS)
        )
        width = STREAMS * WIDTHS[-1] * (frames // 8) * 8 * 8
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(width, 128),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(128, classes),
        )

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, T, 64, 64) → (N, 192, T/8, 8, 8): the streams' maps, joined."""
        x = x / 127.5 - 1
        return torch.cat([stream(x[:, k : k + 1]) for k, stream in enumerate(self.streams)], dim=1)

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 192, T/8, 8, 8) → (N, classes) logits."""
        return self.head(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


def _block(low: int, high: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(low, high, 3, padding=1), nn.BatchNorm3d(high), nn.MaxPool3d(2), nn.ReLU())
