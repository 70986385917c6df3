"""MicroExpSTCNN: one 3-D convolution over the whole face and the whole clip, and two dense layers on what it leaves."""

from __future__ import annotations

import torch
from torch import nn

from mer_lib.registry import register

SIDE = 64
FILTERS, POOL = 32, 3


@register(
    "model",
    "micro_exp_stcnn",
    inputs="grey64x96",
    title="MicroExpSTCNN",
    channels=1,
    side=64,
    frames=96,
    parameters=44241667,
    flops=2811871488,
    sample_mb=92,
    paper="Reddy, Karri, Dubey, Mukherjee: Spontaneous facial micro-expression recognition using 3D spatiotemporal "
    "convolutional neural networks (2019)",
    doi="10.48550/arXiv.1904.01390",
    year=2019,
    chosen="Dropout .5, ReLU after the convolution and the first dense layer and the dense layers' first weights are "
    "those of the authors' code; no dropout on the scores, where Table I shows one; grey levels are mapped to ±1.",
)
def micro_exp_stcnn(
    classes: int, *, frames: int = 96, spatial: int = 3, temporal: int = 15, dropout: float = 0.5
) -> nn.Module:
    """MicroExpSTCNN on 64×64 grey clips of 96 frames (CAS(ME)²): 44,241,667 parameters for three classes.

    ``frames``: of the clips, as its descriptor gives them; ``spatial``, ``temporal``: size of the kernel (Table IX);
    ``dropout``: share dropped after the pool and after the first dense layer. See ``MicroExpSTCNN`` for the layers.
    """
    return MicroExpSTCNN(classes, frames=frames, spatial=spatial, temporal=temporal, dropout=dropout)


@register(
    "model",
    "micro_exp_stcnn_18",
    inputs="grey64x18",
    title="MicroExpSTCNN, 18 frames",
    channels=1,
    side=64,
    frames=18,
    parameters=1643267,
    flops=136126208,
    paper="Reddy, Karri, Dubey, Mukherjee: Spontaneous facial micro-expression recognition using 3D spatiotemporal "
    "convolutional neural networks (2019)",
    doi="10.48550/arXiv.1904.01390",
    year=2019,
    chosen="As micro_exp_stcnn.",
)
def micro_exp_stcnn_18(
    classes: int, *, frames: int = 18, spatial: int = 3, temporal: int = 15, dropout: float = 0.5
) -> nn.Module:
    """MicroExpSTCNN on 64×64 grey clips of 18 frames (SMIC HS): 1,643,267 parameters for three classes.

    Options as those of ``micro_exp_stcnn``.
    """
    return MicroExpSTCNN(classes, frames=frames, spatial=spatial, temporal=temporal, dropout=dropout)


class MicroExpSTCNN(nn.Module):
    """(N, 1, T, 64, 64) grey levels 0–255 → (N, classes) logits.

    Table I of the paper, which writes sizes as height × width × time; here time stands first:

    ======  ================================  ==================
    layer   filter                            output at T = 96
    ======  ================================  ==================
    conv    15×3×3, no padding, ReLU          32 × 82 × 62 × 62
    pool    max 3×3×3                         32 × 27 × 20 × 20
    dense   dropout, 345,600 → 128, ReLU      128
    dense   dropout, 128 → classes            classes
    ======  ================================  ==================

    The table ends with a dropout behind the last dense layer: dropped scores would be zeros to the softmax, and the
    authors' code has none. Raises ValueError for a kernel that leaves the pool nothing.
    """

    def __init__(self, classes: int, *, frames: int, spatial: int, temporal: int, dropout: float) -> None:
        super().__init__()
        self.trunk = Trunk(spatial, temporal)
        width = self.trunk.width(frames, SIDE)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            NormalLinear(width, 128),
            nn.ReLU(),
            nn.Dropout(dropout),
            NormalLinear(128, classes),
        )

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 1, T, 64, 64) → (N, 32, T', 20, 20): the pooled maps."""
        return self.trunk(x)

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 32, T', 20, 20) → (N, classes) logits."""
        return self.head(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


class Trunk(nn.Module):
    """Grey levels (N, 1, T, S, S) → pooled maps (N, 32, T', S', S'): what all networks of the paper begin with."""

    def __init__(self, spatial: int, temporal: int) -> None:
        super().__init__()
        self._kernel = (temporal, spatial, spatial)
        self.conv = nn.Conv3d(1, FILTERS, self._kernel)
        nn.init.xavier_uniform_(self.conv.weight)  # Keras' own start, as the authors left it
        nn.init.zeros_(self.conv.bias)
        self.pool = nn.MaxPool3d(POOL)
        self.relu = nn.ReLU()  # of the largest is the largest of the ReLUs, at a 27th of the cost

    def width(self, frames: int, side: int) -> int:
        """Values that a clip of ``frames`` × ``side`` × ``side`` leaves. Raises ValueError where there are none."""
        left = [(size - kernel + 1) // POOL for size, kernel in zip((frames, side, side), self._kernel, strict=True)]
        if min(left) < 1:
            told = "×".join(map(str, self._kernel))
            raise ValueError(f"a kernel of {told} on {frames}×{side}×{side} leaves the pool of 3×3×3 nothing")
        return FILTERS * left[0] * left[1] * left[2]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.pool(self.conv(x / 127.5 - 1)))


class NormalLinear(nn.Linear):
    """A dense layer that starts at N(0, .05²) and zero biases, as the authors' code does."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=0.05)
        nn.init.zeros_(self.bias)
