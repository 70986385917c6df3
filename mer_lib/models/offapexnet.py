"""OFF-ApexNet: a LeNet for each component of the flow from onset to apex, joined in two wide dense layers."""

from __future__ import annotations

import torch
from torch import nn

from mer_lib.registry import register

FILTERS, UNITS = (6, 16), 1024


@register(
    "model",
    inputs="flow28",
    title="OFF-ApexNet",
    channels=3,
    side=28,
    parameters=2664475,
    flops=7666560,
    stacked=True,
    paper="Gan, Liong, Yau, Huang, Tan: OFF-ApexNet on micro-expression recognition system (2019)",
    doi="10.1016/j.image.2019.02.005",
    year=2019,
    chosen="ReLU and max pools; dropout of .5 behind both dense layers; pixels are 0 to 1; strain is read and not "
    "used; the recipe is ours",
)
def offapexnet(classes: int, *, dropout: float = 0.5) -> nn.Module:
    """OFF-ApexNet on u and v at 28×28. ``dropout`` is the share of the 1,024 units of each dense layer dropped."""
    return OFFApexNet(classes, dropout)


class OFFApexNet(nn.Module):
    """(N, 3, 28, 28) of 0–255, channels u, v and one that is not used → (N, classes) logits.

    ======  ==================  ===============
    layer   filter              output
    ======  ==================  ===============
    conv 1  5×5, padding 2      2 × 6 × 28×28
    pool 1  max 2×2 / 2         2 × 6 × 14×14
    conv 2  5×5, padding 2      2 × 16 × 14×14
    pool 2  max 2×2 / 2         2 × 16 × 7×7
    dense   1,568 → 1,024 → 1,024 → classes
    ======  ==================  ===============
    """

    def __init__(self, classes: int, dropout: float) -> None:
        super().__init__()
        self.streams = nn.ModuleList([_stream() for _ in range(2)])
        dense = [nn.Linear(2 * FILTERS[1] * 49, UNITS), nn.Linear(UNITS, UNITS)]
        hidden = [layer for one in dense for layer in (one, nn.ReLU(), nn.Dropout(dropout))]
        self.head = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(UNITS, classes))

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 28, 28) → (N, 32, 7, 7): the maps of u, then those of v."""
        return torch.cat([stream(x[:, k : k + 1] / 255) for k, stream in enumerate(self.streams)], dim=1)

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 32, 7, 7) → (N, classes) logits."""
        return self.head(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


def _stream() -> nn.Sequential:
    """(N, 1, 28, 28) → (N, 16, 7, 7)."""
    layers: list[nn.Module] = []
    for given, width in zip((1, *FILTERS), FILTERS, strict=False):
        layers += [nn.Conv2d(given, width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers)
