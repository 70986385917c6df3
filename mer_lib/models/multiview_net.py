"""The recognition network of the multi-view geometry consistency network (paper A): two streams and spiking neurons."""

from __future__ import annotations

import torch
from torch import nn

from mer_lib.models.conv_lstm import BiConvLSTM
from mer_lib.models.spiking import SpikingBranch
from mer_lib.problems import BadInput
from mer_lib.registry import register

RGB, FLOW = slice(0, 3), slice(3, 5)
LEAST_SIDE = 14  # pixels: a single one is left of them
KERNEL, POOL = (15, 3, 3), 3  # steps first: the paper writes 3×3×15


@register(
    "model",
    inputs="frames_flow",
    title="Multi-view network (ConvLSTM, SNN)",
    channels=5,
    side=128,
    frames=32,
    parameters=905227,
    flops=4468398512,
    sample_mb=140,
    chosen="Widths, frames, dropout, spiking neuron and its input are not given: 8 filters, 16 hidden maps, blocks of "
    "16 and 32, 128 units, 32 frames, dropout .5, 8 maps of leaky neurons that read thresholded changes; the 3-D "
    "convolution is not padded, as in MicroExpSTCNN; the last state of each direction goes on; fusion joins the "
    "outputs of the dense layers.",
    paper="Lu, Kasabov, Lu: Multi-view geometry consistency network for facial micro-expression recognition from "
    "various perspectives (2021)",
    doi="10.1109/IJCNN52387.2021.9533434",
    year=2021,
)
def multiview_net(
    classes: int,
    *,
    flow: bool = True,
    conv_lstm: bool = True,
    spiking: bool = True,
    side: int = 128,
    frames: int = 32,
    filters: int = 8,
    hidden: int = 16,
    width: int = 16,
    dense: int = 128,
    dropout: float = 0.5,
    neurons: int = 8,
    decay: float = 0.9,
    factor: float = 0.5,
) -> nn.Module:
    """RGB and flow through 3-D convolution, bidirectional ConvLSTM and 2-D blocks, joined with spiking neurons.

    flow, conv_lstm, spiking: whether that part is there (the ablation of Fig. 9). side, frames: of the input. filters:
    of each 3-D convolution; hidden: maps of each direction's state; width: maps of the first block, half those of the
    second; dense: units after the streams are joined; dropout: share of them dropped. neurons: maps of spiking neurons,
    and units of the dense layers that read them; decay, factor: of the neurons and their input, see ``SpikingBranch``.
    """
    least = KERNEL[0] + POOL - 1
    if frames < least or side < LEAST_SIDE:
        raise BadInput(f"{frames} frames of {side} pixels", f"give {least} frames of {LEAST_SIDE} pixels or more")
    streams = [Stream(channels, filters, hidden if conv_lstm else 0, width) for channels in (3, 2)[: 1 + flow]]
    branch = SpikingBranch(5 if flow else 3, neurons, neurons, kernel=3, decay=decay, factor=factor)
    return MultiViewNet(classes, streams, branch if spiking else None, side, dense, dropout)


class MultiViewNet(nn.Module):
    """(N, 5, T, S, S) → (N, classes) logits.

    Channels are red, green and blue from 0 to 255, then u and v of the flow to this frame as the descriptor stores
    them: 128 at rest. Both are brought to about −1 to 1 here. A stream, by default (T = 32, S = 128):

    ============  ==============================================  ================
    layer         what                                            output
    ============  ==============================================  ================
    conv          3-D, 15 steps × 3×3, batch norm                 8 × 18 × 126×126
    pool          3-D max 3×3×3, ReLU                             8 × 6 × 42×42
    ConvLSTM      3×3, both directions, their last states         32 × 42×42
    conv          3×3, ReLU: fuses the directions                 16 × 42×42
    block 1       conv 3×3, batch norm, ReLU, max pool 2×2        16 × 21×21
    block 2       the same                                        32 × 10×10
    ============  ==============================================  ================

    Both flattened streams → dense 128, ReLU, dropout; joined with the spiking branch's 8 values → dense → classes.
    Without the ConvLSTM the maps of all steps are averaged instead.
    """

    def __init__(
        self,
        classes: int,
        streams: list[Stream],
        spiking: SpikingBranch | None,
        side: int,
        dense: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.streams, self.spiking = nn.ModuleList(streams), spiking
        flat = sum(stream.flat(side) for stream in streams)
        self.joined = nn.Sequential(nn.Linear(flat, dense), nn.ReLU(), nn.Dropout(dropout))
        self.head = nn.Linear(dense + (spiking.dense[-2].out_features if spiking else 0), classes)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 5, T, S, S) → (N, dense + neurons): what both kinds of networks found."""
        parts = [x[:, RGB].float() / 127.5 - 1, (x[:, FLOW].float() - 128) / 127][: len(self.streams)]
        found = [stream(part).flatten(1) for stream, part in zip(self.streams, parts, strict=True)]
        features = self.joined(torch.cat(found, dim=1))
        return torch.cat([features, self.spiking(torch.cat(parts, dim=1))], dim=1) if self.spiking else features

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, dense + neurons) → (N, classes) logits."""
        return self.head(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


class Stream(nn.Module):
    """(n, channels, T, S, S) → (n, 2 · width, s, s); with ``hidden`` 0 there is no ConvLSTM."""

    def __init__(self, channels: int, filters: int, hidden: int, width: int) -> None:
        super().__init__()
        self.local = nn.Sequential(
            nn.Conv3d(channels, filters, KERNEL, bias=False),  # batch norm has a bias
            nn.BatchNorm3d(filters),
            nn.MaxPool3d(POOL),
            nn.ReLU(),  # of the largest is the largest of the ReLUs, at a twenty-seventh of the cost
        )
        self.memory = BiConvLSTM(filters, hidden) if hidden else None
        self.fused = nn.Sequential(nn.Conv2d(2 * hidden or filters, width, 3, padding=1), nn.ReLU())
        self.blocks = nn.Sequential(_block(width, width), _block(width, 2 * width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = self.local(x).transpose(1, 2)
        return self.blocks(self.fused(self.memory.ends(steps) if self.memory else steps.mean(1)))

    def flat(self, side: int) -> int:
        """Values that come out for pictures of that side."""
        side = (side - KERNEL[1] + 1) // POOL
        for _ in self.blocks:
            side //= 2
        return self.blocks[-1][0].out_channels * side**2


def _block(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.MaxPool2d(2), nn.ReLU()
    )  # pooled first: the same values
