"""SSSN and DSSN: AlexNet cut off behind its second convolution, once or twice side by side."""

from __future__ import annotations

import torch
from torch import nn

from mer_lib.registry import register

WIDE, DEEP, BORDERED = 96, 256, 15  # filters of AlexNet's first two convolutions, side of the last map


@register(
    "model",
    inputs="flow224",
    title="SSSN",
    channels=3,
    side=224,
    parameters=515203,
    flops=659073600,
    sample_mb=8,
    paper="Khor, See, Liong, Phan, Lin: Dual-stream shallow networks for facial micro-expression recognition (2019)",
    doi="10.1109/ICIP.2019.8802965",
    year=2019,
    chosen="layers are those of the authors' code, and with five classes count .63 million parameters as in the paper; "
    "pictures are 224×224 with a border of two pixels where theirs are 227×227, hold u, v and strain, and are 0 to 1; "
    "drawn weights in the place of ImageNet's; the recipe is ours",
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
    parameters=822755,
    flops=1106971200,
    sample_mb=14,
    paper="Khor, See, Liong, Phan, Lin: Dual-stream shallow networks for facial micro-expression recognition (2019)",
    doi="10.1109/ICIP.2019.8802965",
    year=2019,
    chosen="as sssn; the maps of the streams are multiplied, as in the authors' code; the streams read u and v, and "
    "strain, where theirs read three-channel pictures of magnitude and strain: .94 million parameters for five classes "
    "in the place of the paper's .97",
)
def dssn(classes: int, *, dropout: float = 0.5) -> nn.Module:
    """DSSN: a truncated AlexNet on u and v times one on strain. ``dropout`` as of ``sssn``."""
    return Truncated(classes, ((0, 1), (2,)), dropout)


class Truncated(nn.Module):
    """(N, 3, 224, 224) of 0–255 → (N, classes) logits; ``reads`` are the channels of each stream.

    ======  ===================================  ===========
    layer   filter                               output
    ======  ===================================  ===========
    conv 1  11×11 / 4, padding 2, ReLU           96 × 55×55
    pool 1  max 3×3 / 2, response normalised     96 × 27×27
    conv 2  5×5, padding 2, 2 groups, ReLU       256 × 27×27
    pool 2  max 3×3 / 2, response normalised     256 × 13×13
    border  of zeros                             256 × 15×15
    dense   57,600 → classes
    ======  ===================================  ===========

    Maps of several streams are multiplied. First weights are drawn after He et al., as the authors draw the dense
    layer's.
    """

    def __init__(self, classes: int, reads: tuple[tuple[int, ...], ...], dropout: float) -> None:
        super().__init__()
        self._reads = reads
        self.streams = nn.ModuleList([_stream(len(channels)) for channels in reads])
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(DEEP * BORDERED**2, classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 224, 224) → (N, 256, 15, 15)."""
        found, *others = (
            stream(x[:, channels] / 255) for channels, stream in zip(self._reads, self.streams, strict=True)
        )
        for other in others:
            found = found * other
        return found

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 256, 15, 15) → (N, classes) logits."""
        return self.head(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


def _stream(channels: int) -> nn.Sequential:
    """(N, channels, 224, 224) → (N, 256, 15, 15)."""
    return nn.Sequential(
        nn.Conv2d(channels, WIDE, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        _normalised(),
        nn.Conv2d(WIDE, DEEP, 5, padding=2, groups=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        _normalised(),
        nn.ZeroPad2d(1),
    )


def _normalised() -> nn.Module:
    """AlexNet's: x / (2 + 1e-4 · Σ of squares over five neighbouring channels)^.75; torch takes their mean."""
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
