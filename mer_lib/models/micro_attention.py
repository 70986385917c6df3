"""Micro-Attention: a ResNet of ten layers on the apex frame, each block of which looks where its own maps say."""

from __future__ import annotations

import torch
from torch import nn

from mer_lib.models.resnet import WIDTHS, Block, standardised
from mer_lib.registry import register


@register(
    "model",
    inputs="apex_frame",
    title="Micro-Attention",
    channels=3,
    side=224,
    parameters=5604611,
    flops=1982958592,
    sample_mb=46,
    paper="Wang, Peng, Bi, Chen: Micro-attention for micro-expression recognition (2020)",
    doi="10.1016/j.neucom.2020.06.005",
    year=2020,
    chosen="a unit is a 1×1 convolution over the maps behind both convolutions of a block and a sigmoid, which weigh "
    "the block's residual; dropout before the last layer; not trained on macro-expressions first; the recipe is ours",
)
def micro_attention(classes: int, *, dropout: float = 0.5) -> nn.Module:
    """Micro-Attention on the apex frame at 224×224. ``dropout`` is the share of the 512 last features dropped."""
    return MicroAttention(classes, dropout)


class MicroAttention(nn.Module):
    """(N, 3, 224, 224) RGB of 0–255 → (N, classes) logits."""

    def __init__(self, classes: int, dropout: float) -> None:
        super().__init__()
        self.trunk = ResNet10(Attended)
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(WIDTHS[-1], classes)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 224, 224) → (N, 512, 7, 7)."""
        return self.trunk(standardised(x / 255))

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 512, 7, 7) → (N, classes) logits of the mean over positions."""
        return self.head(self.dropout(features.mean(dim=(2, 3))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


class ResNet10(nn.Module):
    """(N, 3, H, W) → (N, 512, H/32, W/32): ResNet-18 with one block a stage, of the given kind."""

    def __init__(self, block: type[Block]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        given = (WIDTHS[0], *WIDTHS)
        self.blocks = nn.Sequential(*(block(given[k], width, 2 if k else 1) for k, width in enumerate(WIDTHS)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(self.maxpool(torch.relu(self.bn1(self.conv1(x)))))


class Attended(Block):
    """A residual block whose residual is weighed, value by value, by what two of its scales say together."""

    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__(a, b, stride)
        self.attention = nn.Conv2d(2 * b, b, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        past = self.downsample(x) if self.downsample else x
        near = torch.relu(self.bn1(self.conv1(x)))
        far = self.bn2(self.conv2(near))
        weight = torch.sigmoid(self.attention(torch.cat([near, far], dim=1)))
        return torch.relu(weight * far + past)
