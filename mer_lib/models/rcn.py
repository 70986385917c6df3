"""RCN: one recurrent convolution on small pictures, against what composite corpora do to deep networks."""

from __future__ import annotations

import torch
from torch import nn

from mer_lib.registry import register

MODULES = ("none", "shortcut", "attention")
TINY = 1e-8


@register(
    "model",
    inputs="flow60",
    title="RCN",
    channels=3,
    side=60,
    parameters=55747,
    flops=152152448,
    sample_mb=8,
    stacked=True,
    paper="Xia, Peng, Khor, Feng, Zhao: Revealing the invisible with model and data shrinking for composite-database "
    "micro-expression recognition (2020)",
    doi="10.1109/TIP.2020.3018222",
    year=2020,
    chosen="layers, their number, first weights and recipe are those of the authors' code; its rate is halved every "
    "ten epochs where ours stays; 60×60 pixels of u, v and strain, 0 to 1; of the paper's parts without weights the "
    "shortcut and the attention are there",
)
def rcn(classes: int, *, filters: int = 64, pool: int = 7, module: str = "none", dropout: float = 0.5) -> nn.Module:
    """Recurrent convolutional network on u, v and strain at 60×60.

    Parameters
    ----------
    filters : int
        Of each convolution.
    pool : int
        Rows and columns that the last map is averaged to.
    module : str
        One of the paper's parts without weights: 'shortcut' lets each pass see all that came before it, 'attention'
        weighs the last map by where the first one speaks for any class, 'none'.
    dropout : float
        Share of the maps' values that is dropped behind each max pool.
    """
    if module not in MODULES:
        raise ValueError(f"module '{module}'; known: {', '.join(MODULES)}")
    if filters < 1 or pool < 1:
        raise ValueError(f"filters {filters}, pool {pool}; at least 1 of each")
    return RCN(classes, filters, pool, module, dropout)


class RCN(nn.Module):
    """(N, 3, 60, 60) of 0–255 → (N, classes) logits.

    =========  ============================================  ============
    layer      filter                                        output
    =========  ============================================  ============
    conv       5×5, batch norm, ReLU, max pool 2×2, dropout  64 × 28×28
    recurrent  see ``Recurrent``, max pool 2×2, dropout      64 × 14×14
    mean       over 2×2                                      64 × 7×7
    dense      3,136 → classes
    =========  ============================================  ============
    """

    def __init__(self, classes: int, filters: int, pool: int, module: str, dropout: float) -> None:
        super().__init__()
        self._attention = module == "attention"
        self.entry = nn.Sequential(*_normed(3, filters, 5, 0), nn.MaxPool2d(2), nn.Dropout(dropout))
        self.recurrent = nn.Sequential(Recurrent(filters, module == "shortcut"), nn.MaxPool2d(2), nn.Dropout(dropout))
        self.mean = nn.AdaptiveAvgPool2d(pool)
        self.head = nn.Linear(filters * pool**2, classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 60, 60) → (N, filters, 7, 7)."""
        first = self.entry(x / 255)
        found = self.mean(self.recurrent(first))
        return found * self.spoken(self.mean(first)) if self._attention else found

    def spoken(self, maps: torch.Tensor) -> torch.Tensor:
        """(N, filters, 7, 7) → (N, 1, 7, 7) within 0 and 1: where the maps activate the classes, their mean."""
        weights = self.head.weight.view(1, -1, *maps.shape[1:])
        active = (weights * maps[:, None]).mean(2)
        active = active - active.amin((2, 3), keepdim=True)
        return (active / (active.amax((2, 3), keepdim=True) + TINY)).mean(1, keepdim=True)

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, filters, 7, 7) → (N, classes) logits."""
        return self.head(features.flatten(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


class Recurrent(nn.Module):
    """y₀ = F(x), then yₜ = R(x + yₜ₋₁) twice; with shortcuts yₜ = R(x + y₀ + … + yₜ₋₁), three times.

    F is a convolution 1×1 and R one of 3×3, each with batch norm and ReLU; R is the same at every pass.
    """

    def __init__(self, filters: int, shortcut: bool) -> None:
        super().__init__()
        self._shortcut = shortcut
        self.forth = nn.Sequential(*_normed(filters, filters, 1, 0))
        self.back = nn.Sequential(*_normed(filters, filters, 3, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, past = self.forth(x), x
        for _ in range(3 if self._shortcut else 2):
            seen = past + y
            past = seen if self._shortcut else x
            y = self.back(seen)
        return y


def _normed(given: int, width: int, side: int, padding: int) -> list[nn.Module]:
    return [nn.Conv2d(given, width, side, padding=padding), nn.BatchNorm2d(width), nn.ReLU()]
