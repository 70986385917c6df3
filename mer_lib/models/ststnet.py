"""STSTNet, the shallow triple stream network: as its paper prints it, and as its authors' PyTorch code has it."""

from __future__ import annotations

import torch
from torch import nn

from mer_lib.registry import register

STREAMS = (3, 5, 8)


@register(
    "model",
    inputs="flow28",
    title="STSTNet",
    channels=3,
    side=28,
    parameters=1651,
    flops=679776,
    compiled="mer_lib.models.ststnet_fused",
    stacked=True,
    paper="Liong, Gan, See, Khor, Huang: Shallow triple stream three-dimensional CNN (STSTNet) (2019)",
    doi="10.1109/FG.2019.8756567",
    year=2019,
    chosen="dropout of .5 and the recipe are those of the authors' code: the paper names neither",
)
def ststnet(classes: int, *, dropout: float = 0.5, batch_norm: bool = False) -> nn.Module:
    """STSTNet on u, v and strain at 28×28: 1,651 parameters for three classes, 1,683 with batch norm.

    ``dropout`` is the share of the 400 features dropped before the last layer; ``batch_norm`` stands between
    convolution and ReLU. The paper's table shows neither; the authors' code has both. See ``STSTNet`` for the layers.
    """
    return STSTNet(classes, dropout=dropout, batch_norm=batch_norm)


@register(
    "model",
    inputs="flow28",
    title="STSTNet (authors' code)",
    channels=3,
    side=28,
    parameters=1683,
    flops=780000,
    stacked=True,
    published=("negative", "positive", "surprise"),
    paper="Liong, Gan, See, Khor, Huang: Shallow triple stream three-dimensional CNN (STSTNet) (2019)",
    doi="10.1109/FG.2019.8756567",
    year=2019,
    chosen="nothing: the layers, their order and names are those of the weights that the authors publish",
)
def ststnet_published(classes: int, *, dropout: float = 0.5) -> nn.Module:
    """STSTNet as its authors' PyTorch code has it; loads their state dicts. ``dropout`` acts on each stream's maps.

    The weights fit ``ststnet`` in number and shape as well, which would answer wrongly with them.
    """
    return Published(classes, dropout)


class Published(nn.Module):
    """(N, 3, 28, 28) of 0–255, channels u, v, strain → (N, classes) logits.

    A stream: convolution 3×3 with padding 2 (30×30), ReLU, batch norm, max pool 3×3 / 3 with padding 1 (10×10),
    dropout. Joined: average 2×2 / 2 (16 × 5×5), dense. The weights expect strain, v, u, so channels are turned round.
    """

    def __init__(self, classes: int, dropout: float) -> None:
        super().__init__()
        for k, width in enumerate(STREAMS, 1):
            self.add_module(f"conv{k}", nn.Conv2d(3, width, kernel_size=3, padding=2))
            self.add_module(f"bn{k}", nn.BatchNorm2d(width))
            self.add_module(f"dropout{k}", nn.Dropout(dropout))
        self.pool = nn.MaxPool2d(kernel_size=3, stride=3, padding=1)
        self.average = nn.AvgPool2d(kernel_size=2)
        self.fc = nn.Linear(sum(STREAMS) * 5 * 5, classes)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 28, 28) → (N, 16, 5, 5): the joined streams."""
        x, streams = x.flip(1), []
        for k in range(1, len(STREAMS) + 1):
            stream = self.get_submodule(f"bn{k}")(torch.relu(self.get_submodule(f"conv{k}")(x)))
            streams.append(self.get_submodule(f"dropout{k}")(self.pool(stream)))
        return self.average(torch.cat(streams, dim=1))

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 16, 5, 5) → (N, classes) logits."""
        return self.fc(features.flatten(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


class STSTNet(nn.Module):
    """(N, 3, 28, 28) float → (N, classes) logits.

    Table I of the paper, its 'three-dimensional' convolutions being 2-D ones over three channels:

    ======  ========================  ==============
    layer   filter                    output
    ======  ========================  ==============
    conv    3×3, padding 1, ReLU      3, 5, 8 × 28×28
    pool    max 3×3 / 3, padding 1    3, 5, 8 × 10×10
    joined  average 2×2 / 2           16 × 5×5
    dense   400                       classes
    ======  ========================  ==============

    The three streams see the same input through the same layers and are joined along the channels, so they are kept
    as one convolution of 3 + 5 + 8 filters: the same function and initialisation, a third of the calls.
    The paper's text speaks of five input channels and a layer of 400 units; its parameter count fits neither.
    """

    def __init__(self, classes: int, *, dropout: float, batch_norm: bool) -> None:
        super().__init__()
        width = sum(STREAMS)
        self.streams = nn.Sequential(
            nn.Conv2d(3, width, kernel_size=3, padding=1),
            nn.BatchNorm2d(width) if batch_norm else nn.Identity(),
            nn.MaxPool2d(kernel_size=3, stride=3, padding=1),
            nn.ReLU(),  # of the largest is the largest of the ReLUs, at an eighth of the cost
        )
        self.pool = nn.AvgPool2d(kernel_size=2)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width * 5 * 5, classes)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 28, 28) → (N, 16, 5, 5): the joined streams."""
        return self.pool(self.streams(x))

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 16, 5, 5) → (N, classes) logits."""
        return self.head(self.dropout(features.flatten(1)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))
