"""The networks whose class activation says where on the face an expression is seen (paper A, III-B).

Paper A gives the depth network's trunk a class head: ``attention_resnet18``. ``attention_small`` costs a tenth of it
and its map is four times as fine, which is why it is the default where one is trained for every fold. The paper shows
them the frames; here they see what changes from onset to apex: a hundred faces as they are would teach who they are.
"""

from __future__ import annotations

import torch
from torch import nn

from mer_lib.models.resnet import ResNet18
from mer_lib.registry import register

MIDDLE, SCALE = 128.0, 32.0  # the grey of what does not change (descriptors.change), and the change that counts as 1
WIDTHS = (16, 32, 64)


@register(
    "model",
    inputs="change",
    title="ResNet-18 on the change from onset to apex",
    channels=3,
    side=128,
    parameters=11178051,
    flops=1184369664,
    sample_mb=14,
    chosen="It sees what changes instead of the frame; Adam; trained from scratch.",
    paper="Lu, Kasabov, Lu: Multi-view geometry consistency network for facial micro-expression recognition from "
    "various perspectives (2021)",
    doi="10.1109/IJCNN52387.2021.9533434",
    year=2021,
)
def attention_resnet18(classes: int) -> nn.Module:
    """The depth network's trunk with a class head; its last map is 4×4."""
    return Attentive(ResNet18(), 512, classes)


@register(
    "model",
    inputs="change",
    title="Small network on the change from onset to apex",
    channels=3,
    side=128,
    parameters=60883,
    flops=41288064,
    chosen="Four convolutions of our own in the place of paper A's ResNet-18, for a finer map at a tenth of the cost.",
    paper="Lu, Kasabov, Lu: Multi-view geometry consistency network for facial micro-expression recognition from "
    "various perspectives (2021)",
    doi="10.1109/IJCNN52387.2021.9533434",
    year=2021,
)
def attention_small(classes: int) -> nn.Module:
    """Four convolutions and a class head; the last map is 16×16."""
    before, layers = 3, []
    for width in WIDTHS:
        layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    layers += [nn.Conv2d(before, before, 3, 1, 1, bias=False), nn.BatchNorm2d(before), nn.ReLU()]
    return Attentive(nn.Sequential(*layers), before, classes)


class Attentive(nn.Module):
    """(n, 3, h, w) change -> (n, classes) logits: a trunk, the mean of its maps, a dense layer.

    ``trunk`` is where the class activation is read (geometry.attention).
    """

    def __init__(self, trunk: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.trunk, self.head = trunk, nn.Linear(width, classes)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) -> (n, width)."""
        return self.trunk((x - MIDDLE) / SCALE).mean((2, 3))

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(n, width) -> (n, classes) logits."""
        return self.head(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))
