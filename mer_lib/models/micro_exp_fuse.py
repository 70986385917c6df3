"""MicroExpFuseNet: eyes and mouth apart, each through a 3-D convolution, and fused before or after the dense layers."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from mer_lib.models.micro_exp_stcnn import Trunk
from mer_lib.registry import register

SIDE = 32
REGIONS = 2


@register(
    "model",
    "micro_exp_fuse_intermediate",
    inputs="regions32x96",
    title="MicroExpFuseNet, intermediate",
    channels=2,
    side=32,
    frames=96,
    parameters=177088515,
    flops=1629421312,
    sample_mb=46,
    paper="Reddy, Karri, Dubey, Mukherjee: Spontaneous facial micro-expression recognition using 3D spatiotemporal "
    "convolutional neural networks (2019)",
    doi="10.48550/arXiv.1904.01390",
    year=2019,
    chosen="Dropout .5, ReLU after the convolutions and none after the dense layers, as in the authors' code; the "
    "joined vector has 172,800 values (Table II prints 86,400); grey levels are mapped to ±1.",
)
def micro_exp_fuse_intermediate(
    classes: int, *, frames: int = 96, spatial: int = 3, temporal: int = 15, dropout: float = 0.5
) -> nn.Module:
    """Intermediate fusion on 32×32 eyes and mouth of 96 frames: 177,088,515 parameters for three classes.

    ``frames``: of the clips, as its descriptor gives them; ``spatial``, ``temporal``: size of the kernels; ``dropout``:
    share dropped after the pools and the dense layers but the last. See ``Intermediate`` for the layers.
    """
    return Intermediate(classes, frames=frames, spatial=spatial, temporal=temporal, dropout=dropout)


@register(
    "model",
    "micro_exp_fuse_intermediate_18",
    inputs="regions32x18",
    title="MicroExpFuseNet, intermediate, 18 frames",
    channels=2,
    side=32,
    frames=18,
    parameters=6694915,
    flops=75578112,
    paper="Reddy, Karri, Dubey, Mukherjee: Spontaneous facial micro-expression recognition using 3D spatiotemporal "
    "convolutional neural networks (2019)",
    doi="10.48550/arXiv.1904.01390",
    year=2019,
    chosen="As micro_exp_fuse_intermediate.",
)
def micro_exp_fuse_intermediate_18(
    classes: int, *, frames: int = 18, spatial: int = 3, temporal: int = 15, dropout: float = 0.5
) -> nn.Module:
    """Intermediate fusion on 32×32 eyes and mouth of 18 frames (SMIC HS).

    Options as those of ``micro_exp_fuse_intermediate``.
    """
    return Intermediate(classes, frames=frames, spatial=spatial, temporal=temporal, dropout=dropout)


@register(
    "model",
    "micro_exp_fuse_late",
    inputs="regions32x96",
    title="MicroExpFuseNet, late",
    channels=2,
    side=32,
    frames=96,
    parameters=177221123,
    flops=1629684224,
    sample_mb=46,
    paper="Reddy, Karri, Dubey, Mukherjee: Spontaneous facial micro-expression recognition using 3D spatiotemporal "
    "convolutional neural networks (2019)",
    doi="10.48550/arXiv.1904.01390",
    year=2019,
    chosen="Dropout .5, ReLU after the convolutions and none after the dense layers, as in the authors' code; grey "
    "levels are mapped to ±1.",
)
def micro_exp_fuse_late(
    classes: int, *, frames: int = 96, spatial: int = 3, temporal: int = 15, dropout: float = 0.5
) -> nn.Module:
    """Late fusion on 32×32 eyes and mouth of 96 frames: 177,221,123 parameters for three classes.

    Options as those of ``micro_exp_fuse_intermediate``. See ``Late`` for the layers.
    """
    return Late(classes, frames=frames, spatial=spatial, temporal=temporal, dropout=dropout)


@register(
    "model",
    "micro_exp_fuse_late_18",
    inputs="regions32x18",
    title="MicroExpFuseNet, late, 18 frames",
    channels=2,
    side=32,
    frames=18,
    parameters=6827523,
    flops=75841024,
    paper="Reddy, Karri, Dubey, Mukherjee: Spontaneous facial micro-expression recognition using 3D spatiotemporal "
    "convolutional neural networks (2019)",
    doi="10.48550/arXiv.1904.01390",
    year=2019,
    chosen="As micro_exp_fuse_late.",
)
def micro_exp_fuse_late_18(
    classes: int, *, frames: int = 18, spatial: int = 3, temporal: int = 15, dropout: float = 0.5
) -> nn.Module:
    """Late fusion on 32×32 eyes and mouth of 18 frames (SMIC HS).

    Options as those of ``micro_exp_fuse_intermediate``.
    """
    return Late(classes, frames=frames, spatial=spatial, temporal=temporal, dropout=dropout)


class _Fuse(nn.Module):
    """Two trunks, of the eyes and of the mouth: (N, 2, T, 32, 32) grey levels 0–255 → (N, 64, T', S', S') maps.

    ``forward_head`` makes logits of the maps. Raises ValueError for a kernel that leaves the pool nothing.
    """

    def __init__(self, spatial: int, temporal: int) -> None:
        super().__init__()
        self.trunks = nn.ModuleList(Trunk(spatial, temporal) for _ in range(REGIONS))

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 2, T, 32, 32) → (N, 64, T', S', S'): the pooled maps of the eyes, then those of the mouth."""
        return torch.cat([trunk(x[:, k : k + 1]) for k, trunk in enumerate(self.trunks)], dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


class Intermediate(_Fuse):
    """(N, 2, T, 32, 32) grey levels → (N, classes) logits: the two vectors are joined and share the dense layers.

    Table II of the paper, time first. Its dropout sizes 32×20×20×27 and its joined length 86,400 do not follow from
    the layers above them; the sizes here do.

    ======  =================================  =======================
    layer   filter                             output at T = 96
    ======  =================================  =======================
    conv    15×3×3, no padding, ReLU           2 of 32 × 82 × 30 × 30
    pool    max 3×3×3                          2 of 32 × 27 × 10 × 10
    dense   dropout, joined 172,800 → 1024     1024
    dense   dropout, 1024 → 128                128
    dense   dropout, 128 → classes             classes
    ======  =================================  =======================
    """

    def __init__(self, classes: int, *, frames: int, spatial: int, temporal: int, dropout: float) -> None:
        super().__init__(spatial, temporal)
        width = REGIONS * self.trunks[0].width(frames, SIDE)
        self.head = nn.Sequential(nn.Flatten(), *_dense((width, 1024, 128, classes), dropout))

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 64, T', S', S') → (N, classes) logits."""
        return self.head(features)


class Late(_Fuse):
    """(N, 2, T, 32, 32) grey levels → (N, classes) logits: each region has dense layers of its own (Table III).

    ======  =================================  =======================
    layer   filter                             output at T = 96
    ======  =================================  =======================
    conv    15×3×3, no padding, ReLU           2 of 32 × 82 × 30 × 30
    pool    max 3×3×3                          2 of 32 × 27 × 10 × 10
    dense   dropout, 86,400 → 1024             2 of 1024
    dense   dropout, 1024 → 128                2 of 128
    dense   dropout, joined 256 → classes      classes
    ======  =================================  =======================
    """

    def __init__(self, classes: int, *, frames: int, spatial: int, temporal: int, dropout: float) -> None:
        super().__init__(spatial, temporal)
        width = self.trunks[0].width(frames, SIDE)
        self.arms = nn.ModuleList(nn.Sequential(*_dense((width, 1024, 128), dropout)) for _ in range(REGIONS))
        self.head = nn.Sequential(*_dense((REGIONS * 128, classes), dropout))

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 64, T', S', S') → (N, classes) logits."""
        halves = features.chunk(REGIONS, dim=1)
        return self.head(torch.cat([arm(half.flatten(1)) for arm, half in zip(self.arms, halves, strict=True)], dim=1))


class GlorotLinear(nn.Linear):
    """A dense layer that starts as Keras starts it: uniform after Glorot, zero biases."""

    def reset_parameters(self) -> None:
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)


def _dense(widths: tuple[int, ...], dropout: float) -> list[nn.Module]:
    """Dense layers from width to width, each behind a dropout; no ReLU between them, as in the authors' code."""
    return [layer for low, high in pairwise(widths) for layer in (nn.Dropout(dropout), GlorotLinear(low, high))]
