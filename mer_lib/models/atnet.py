"""ATNet, the apex-time network: what the apex shows, and an LSTM over how the face moves there and back."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from mer_lib.models.micro_attention import ResNet10
from mer_lib.models.resnet import WIDTHS, Block, standardised
from mer_lib.registry import register

GRID, UNITS = 7, 128  # rows and columns that motion is averaged over, units of the LSTM


@register(
    "model",
    inputs="apex_time",
    title="ATNet",
    channels=3,
    side=112,
    frames=11,
    parameters=5049539,
    flops=474703616,
    sample_mb=9,
    paper="Peng, Wang, Bi, Shi, Zhou, Chen: A novel apex-time network for cross-dataset micro-expression recognition "
    "(2019)",
    doi="10.1109/ACII.2019.8925525",
    year=2019,
    chosen="a ResNet of ten layers on the apex; motion from the onset to ten frames around the apex, as means of u, v "
    "and strain on a grid of 7×7, for an LSTM of 128 units; not trained on macro-expressions first; the recipe is ours",
)
def atnet(classes: int, *, frames: int = 11, dropout: float = 0.5) -> nn.Module:
    """Apex-time network: ResNet-10 on the apex, LSTM on the motion around it.

    frames: pictures a clip, the apex and the motions, as the option of the descriptor ``apex_time``; dropout: share of
    the joined features dropped.
    """
    return ATNet(classes, dropout)


class ATNet(nn.Module):
    """(N, 3, 1 + T, 112, 112) of 0–255, the apex in RGB and T motions as ``apex_time`` codes them → (N, classes)."""

    def __init__(self, classes: int, dropout: float) -> None:
        super().__init__()
        self.trunk = ResNet10(Block)
        self.lstm = nn.LSTM(3 * GRID**2, UNITS, batch_first=True)
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(WIDTHS[-1] + UNITS, classes)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 1 + T, 112, 112) → (N, 640): means of the trunk's last map, last output of the LSTM."""
        apex = self.trunk(standardised(x[:, :, 0] / 255)).mean(dim=(2, 3))
        motion = (x[:, :, 1:].movedim(2, 1) - 128) / 127
        grid = F.adaptive_avg_pool2d(motion.flatten(0, 1), GRID).reshape(*motion.shape[:2], -1)
        return torch.cat([apex, self.lstm(grid)[0][:, -1]], dim=1)

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 640) → (N, classes) logits."""
        return self.head(self.dropout(features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))
