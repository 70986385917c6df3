"""Dual-Inception: two Inception blocks for each component of the flow, joined in one dense layer."""

from __future__ import annotations

import torch
from torch import nn

from mer_lib.registry import register

FILTERS, UNITS = (6, 16), 1024  # of each branch of the two blocks; of the dense layer


@register(
    "model",
    inputs="flow28",
    title="Dual-Inception",
    channels=3,
    side=28,
    parameters=6449867,
    flops=24793088,
    stacked=True,
    paper="Zhou, Mao, Xue: Dual-Inception network for cross-database micro-expression recognition (2019)",
    doi="10.1109/FG.2019.8756579",
    year=2019,
    chosen="layers and recipe are those of the authors' code; theirs keeps the epoch that is best on a fifth of the "
    "training subjects, ours the last; the paper's second frame is that half way through the clip, ours the apex; "
    "pictures have one channel where the code reads grey as three, and are 0 to 1; strain is read and not used",
)
def dual_inception(classes: int, *, dropout: float = 0.0) -> nn.Module:
    """Dual-Inception on u and v at 28×28. ``dropout`` is the share of the 1,024 dense units dropped: theirs none."""
    return DualInception(classes, dropout)


class DualInception(nn.Module):
    """(N, 3, 28, 28) of 0–255, channels u, v and one that is not used → (N, classes) logits.

    =======  ===========================================  ===============
    layer    filter                                       output
    =======  ===========================================  ===============
    block 1  branches 1×1; 3×3; 5×5; pool, of 6 filters   2 × 24 × 28×28
    pool 1   max 2×2 / 2                                  2 × 24 × 14×14
    block 2  the same of 16 filters                       2 × 64 × 14×14
    pool 2   max 2×2 / 2                                  2 × 64 × 7×7
    dense    6,272 → 1,024 → classes
    =======  ===========================================  ===============
    """

    def __init__(self, classes: int, dropout: float) -> None:
        super().__init__()
        first, second = FILTERS
        self.streams = nn.ModuleList([
            nn.Sequential(Inception(1, first), nn.MaxPool2d(2), Inception(4 * first, second), nn.MaxPool2d(2))
            for _ in range(2)
        ])  # fmt: skip
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(2 * 4 * second * 49, UNITS),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(UNITS, classes),
        )

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 28, 28) → (N, 128, 7, 7): the maps of u, then those of v."""
        return torch.cat([stream(x[:, k : k + 1] / 255) for k, stream in enumerate(self.streams)], dim=1)

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 128, 7, 7) → (N, classes) logits."""
        return self.head(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


class Inception(nn.Module):
    """GoogLeNet's block: (N, given, H, W) → (N, 4 · width, H, W).

    Four branches beside one another: 1×1; 1×1 then 3×3; 1×1 then 5×5; max pool 3×3 then 1×1.
    """

    def __init__(self, given: int, width: int) -> None:
        super().__init__()

        def one() -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(given, width, 1), nn.ReLU())

        def wide(side: int) -> nn.Sequential:
            return nn.Sequential(*one(), nn.Conv2d(width, width, side, padding=side // 2), nn.ReLU())

        pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.branches = nn.ModuleList([one(), wide(3), wide(5), nn.Sequential(pool, *one())])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)
