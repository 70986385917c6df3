"""The network that sees how deep a face is: paper A's Table I, layer by layer.

Encoder: ResNet-18 (:mod:`mer_lib.models.resnet`). Decoder: five times a doubling ('upconv': nearest neighbour, then a
3×3 convolution, ReLU) and a convolution that takes the encoder's map of that size in ('iconv': 3×3, ReLU), with 256,
128, 64, 32, 16 channels; then a 3×3 convolution to one channel and a sigmoid.

The table names layers, kernels and channels. Chosen where it is silent: which map each iconv takes in (the one of its
size, as the U-shaped networks that the layers' names come from; none at full size), and nearest-neighbour doubling.

Lu, Kasabov, Lu, "Multi-view geometry consistency network for facial micro-expression recognition from various
perspectives", IJCNN 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mer_lib.models.resnet import WIDTHS, ResNet18, standardised

UP = (256, 128, 64, 32, 16)
SKIPS = (WIDTHS[2], WIDTHS[1], WIDTHS[0], WIDTHS[0], 0)  # channels of the encoder's map that each iconv takes in
FLAT = 1e-3  # first weights of the last layer
STRIDE = 32  # the picture's side must be a multiple of it


class DepthNet(nn.Module):
    """(n, 3, h, w) RGB within 0 and 1 -> (n, h, w) depth in interocular distances, from ``near`` to ``far``.

    The sigmoid is a disparity, large where near: depth = far − (far − near) · sigmoid. What is no face is trained to
    lie at ``far``, so one channel says how deep and whether at all. Sides are multiples of 32.
    """

    def __init__(self, near: float, far: float) -> None:
        super().__init__()
        self.near, self.far = near, far
        self.encoder = ResNet18()
        before = WIDTHS[-1]
        for level, (width, skip) in zip(range(5, 0, -1), zip(UP, SKIPS, strict=True), strict=True):
            self.add_module(f"upconv{level}", nn.Conv2d(before, width, 3, 1, 1))
            self.add_module(f"iconv{level}", nn.Conv2d(width + skip, width, 3, 1, 1))
            before = width
        self.disp = nn.Conv2d(before, 1, 3, 1, 1)
        for module in self.children():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
        nn.init.normal_(
            self.disp.weight, std=FLAT
        )  # starts in the middle of the range: ends of a sigmoid teach nothing

    def forward(self, pictures: Tensor) -> Tensor:
        maps = self.encoder.stages(standardised(pictures))
        x = maps.pop()
        for level in range(5, 0, -1):
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            x = torch.relu(self.get_submodule(f"upconv{level}")(x))
            if maps:
                x = torch.cat([x, maps.pop()], dim=1)
            x = torch.relu(self.get_submodule(f"iconv{level}")(x))
        return self.far - (self.far - self.near) * torch.sigmoid(self.disp(x))[:, 0]
