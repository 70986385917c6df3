"""RCN: recurrent convolutions, few layers and small pictures against what composite corpora do to deep networks."""

from __future__ import annotations

import torch
from torch import nn

from mer_lib.registry import register

MODULES = ("none", "shortcut", "attention")


@register(
    "model",
    inputs="flow60",
    title="RCN",
    channels=3,
    side=60,
    parameters=40035,
    flops=87264192,
    stacked=True,
    paper="Xia, Peng, Khor, Feng, Zhao: Revealing the invisible with model and data shrinking for composite-database "
    "micro-expression recognition (2020)",
    doi="10.1109/TIP.2020.3018222",
    year=2020,
    chosen="60×60 pixels of u, v and strain; a convolution 5×5 / 2 and two recurrent ones of 32 filters and 3 steps, "
    "each followed by a max pool 2×2; maximum over the map, dense; pixels are 0 to 1. The authors' code has one "
    "recurrent convolution of 64 filters behind a 5×5 and a dense layer on means over 7×7. The recipe is that code's, "
    "whose rate is halved every ten epochs where ours stays",
)
def rcn(classes: int, *, filters: int = 32, steps: int = 3, module: str = "none", dropout: float = 0.5) -> nn.Module:
    """Recurrent convolutional network on u, v and strain at 60×60.

    Parameters
    ----------
    filters : int
        Of each convolution.
    steps : int
        How often a recurrent convolution sees its own output.
    module : str
        One of the paper's parts without weights: 'shortcut' adds a recurrent layer's input to its output, 'attention'
        weighs each position by the sigmoid of its mean over the channels, 'none'.
    dropout : float
        Share of the last layer's inputs that is dropped.
    """
    return RCN(classes, filters, steps, module, dropout)


class RCN(nn.Module):
    """(N, 3, 60, 60) of 0–255 → (N, classes) logits.

    =========  ===========================  ============
    layer      filter                       output
    =========  ===========================  ============
    conv       5×5 / 2, padding 2           32 × 30×30
    recurrent  3×3 and 3×3, pool 2×2        32 × 15×15
    recurrent  3×3 and 3×3, pool 2×2        32 × 7×7
    maximum    over all positions           32
    =========  ===========================  ============
    """

    def __init__(self, classes: int, filters: int, steps: int, module: str, dropout: float) -> None:
        super().__init__()
        if module not in MODULES or steps < 1:
            raise ValueError(f"module '{module}' with {steps} steps; modules: {', '.join(MODULES)}, steps from 1")
        self.entry = nn.Sequential(nn.Conv2d(3, filters, 5, stride=2, padding=2), nn.BatchNorm2d(filters), nn.ReLU())
        self.recurrent = nn.ModuleList([Recurrent(filters, steps) for _ in range(2)])
        self.pool, self._module = nn.MaxPool2d(2), module
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(filters, classes)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 60, 60) → (N, filters, 7, 7)."""
        x = self.entry(x / 255)
        for layer in self.recurrent:
            y = layer(x)
            if self._module == "shortcut":
                y = y + x
            elif self._module == "attention":
                y = y * torch.sigmoid(y.mean(dim=1, keepdim=True))
            x = self.pool(y)
        return x

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, filters, 7, 7) → (N, classes) logits."""
        return self.head(self.dropout(features.amax(dim=(2, 3))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


class Recurrent(nn.Module):
    """Recurrent convolution (Liang, Hu 2015): yₜ = ReLU(normₜ(W x + R yₜ₋₁)) with y₋₁ = 0, after ``steps`` returns."""

    def __init__(self, filters: int, steps: int) -> None:
        super().__init__()
        self.forth = nn.Conv2d(filters, filters, 3, padding=1)
        self.back = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(filters) for _ in range(steps + 1)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        given = self.forth(x)
        y = torch.relu(self.norms[0](given))
        for norm in self.norms[1:]:
            y = torch.relu(norm(given + self.back(y)))
        return y
