"""SSSN and DSSN: AlexNet cut off behind its second convolution, once or twice side by side."""

from __future__ import annotations

import torch
from torch import nn

from mer_lib.registry import register

WIDE, DEEP, POOLED = 96, 256, 12  # filters of AlexNet's first two convolutions, side of the last map


@register(
    "model",
    inputs="flow224",
    title="SSSN",
    channels=3,
    side=224,
    parameters=452995,
    flops=618789120,
    sample_mb=8,
    paper="Khor, See, Liong, Phan, Lin: Dual-stream shallow networks for facial micro-expression recognition (2019)",
    doi="10.1109/ICIP.2019.8802965",
    year=2019,
    chosen="cut behind the pool of AlexNet's second convolution, which has two groups as there; one dense layer; the "
    "stream reads u, v and strain as one picture; dropout before the dense layer; pixels are 0 to 1",
)
def sssn(classes: int, *, dropout: float = 0.5) -> nn.Module:
    """SSSN: one truncated AlexNet on u, v and strain. ``dropout`` is the share of the last map dropped."""
    return Truncated(classes, ((0, 1, 2),), dropout)


@register(
    "model",
    inputs="flow224",
    title="DSSN",
    channels=3,
    side=224,
    parameters=871139,
    flops=1034344704,
    sample_mb=14,
    paper="Khor, See, Liong, Phan, Lin: Dual-stream shallow networks for facial micro-expression recognition (2019)",
    doi="10.1109/ICIP.2019.8802965",
    year=2019,
    chosen="as sssn; the two streams read u and v, and strain; their maps are joined along the channels",
)
def dssn(classes: int, *, dropout: float = 0.5) -> nn.Module:
    """DSSN: a truncated AlexNet on u and v beside one on strain. ``dropout`` as of ``sssn``."""
    return Truncated(classes, ((0, 1), (2,)), dropout)


class Truncated(nn.Module):
    """(N, 3, 224, 224) of 0–255 → (N, classes) logits; ``reads`` are the channels of each stream.

    ======  ========================  ===========
    layer   filter                    output
    ======  ========================  ===========
    conv 1  11×11 / 4                 96 × 54×54
    pool 1  max 3×3 / 2               96 × 26×26
    conv 2  5×5, padding 2, 2 groups  256 × 26×26
    pool 2  max 3×3 / 2               256 × 12×12
    dense   36,864 a stream → classes
    ======  ========================  ===========
    """

    def __init__(self, classes: int, reads: tuple[tuple[int, ...], ...], dropout: float) -> None:
        super().__init__()
        self._reads = reads
        self.streams = nn.ModuleList([_stream(len(channels)) for channels in reads])
        width = len(reads) * DEEP * POOLED**2
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(width, classes))

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 224, 224) → (N, 256 · streams, 12, 12)."""
        pairs = zip(self._reads, self.streams, strict=True)
        return torch.cat([stream(x[:, channels] / 255) for channels, stream in pairs], dim=1)

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 256 · streams, 12, 12) → (N, classes) logits."""
        return self.head(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


def _stream(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, WIDE, 11, stride=4),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(WIDE, DEEP, 5, padding=2, groups=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
    )
