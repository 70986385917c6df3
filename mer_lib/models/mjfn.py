"""MJFN, the multi-scale joint feature network: one picture of flow, answers from several depths, fused."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from mer_lib.registry import register

WIDTH, DEEP, HIDDEN = 48, 128, 256  # channels of the first convolution, of the others, and units of dense layers
SIDES = (54, 26, 12, 12, 12)  # of the maps of the five convolutions
POOLED = 5  # side of the last map behind its pool
FUSIONS = ("softmax", "mean", "logits")
RESIZES = ("max", "average", "bilinear")


@register(
    "model",
    inputs="flow_image",
    title="MJFN",
    channels=3,
    side=224,
    parameters=4059724,
    flops=489120896,
    sample_mb=8,
    paper="Li, Wei, Wang, Zhou: Multi-scale joint feature network for micro-expression recognition (2021)",
    doi="10.1007/s41095-021-0217-9",
    year=2021,
    chosen="modules: both maps go through a 1×1 convolution, the lower one then through the backbone's max pools; a "
    "module's dense layer has 256 units; dropout stands before each hidden dense layer; pixels are 0 to 1",
)
def mjfn(
    classes: int, *, modules: int = 3, fusion: str = "softmax", resize: str = "max", dropout: float = 0.5
) -> nn.Module:
    """MJFN: backbone and joint feature modules, fused by the softmax of their summed probabilities (eq. 11).

    Parameters
    ----------
    modules : int
        0 to 4 joint feature modules, on convolutions 4, 3, 2 and 1 in this order; the paper takes 3.
    fusion : str
        'softmax' is eq. 11: with four terms no class can exceed .965. 'mean' is eq. 10. 'logits' is eq. 11 on logits
        instead of probabilities. A single answer is left as it is.
    resize : str
        How a lower map comes to 12×12, which the paper does not say: through the windows of the pools that the backbone
        has between the two maps, of which it takes the 'max' or the 'average'; or 'bilinear' interpolation.
    dropout : float
        Share of the inputs of each hidden dense layer that is dropped.
    """
    return MJFN(classes, modules, fusion, resize, dropout)


@register(
    "model",
    inputs="flow_image",
    title="MJFN-Avg",
    channels=3,
    side=224,
    parameters=4059724,
    flops=489120896,
    sample_mb=8,
    paper="Li, Wei, Wang, Zhou: Multi-scale joint feature network for micro-expression recognition (2021)",
    doi="10.1007/s41095-021-0217-9",
    year=2021,
    chosen="as mjfn",
)
def mjfn_avg(classes: int, *, modules: int = 3, resize: str = "max", dropout: float = 0.5) -> nn.Module:
    """MJFN fused by the mean of the answers' probabilities (eq. 10); options as of ``mjfn``."""
    return MJFN(classes, modules, "mean", resize, dropout)


@register(
    "model",
    inputs="flow_image",
    title="MJFN-BbN",
    channels=3,
    side=224,
    parameters=1499971,
    flops=438456960,
    sample_mb=6,
    paper="Li, Wei, Wang, Zhou: Multi-scale joint feature network for micro-expression recognition (2021)",
    doi="10.1007/s41095-021-0217-9",
    year=2021,
    chosen="ReLU behind each layer but the last; dropout before each hidden dense layer; pixels are 0 to 1",
)
def mjfn_bbn(classes: int, *, dropout: float = 0.5) -> nn.Module:
    """MJFN's backbone alone (Table 1): 1,499,971 parameters for three classes; ``dropout`` as of ``mjfn``."""
    return MJFN(classes, 0, "softmax", "max", dropout)


class MJFN(nn.Module):
    """(N, 3, 224, 224) of 0–255 → (N, classes); the softmax of the result is the paper's fused prediction.

    So the plain cross-entropy of it is the paper's loss (eq. 12): for eq. 11 the result is the sum of the answers'
    probabilities, for eq. 10 the logarithm of their mean.

    ==========  ============================  ==========
    layer       filter (Table 1)              output
    ==========  ============================  ==========
    conv 1      11×11 / 4, no padding         48 × 54×54
    pool 1      max 3×3 / 2                   48 × 26×26
    conv 2      5×5, padding 2                128 × 26×26
    pool 2      max 3×3 / 2                   128 × 12×12
    conv 3–5    3×3, padding 1                128 × 12×12
    pool 3      max 3×3 / 2                   128 × 5×5
    dense 1–3   3,200 → 256 → 256 → classes
    ==========  ============================  ==========

    A joint feature module (Fig. 3) brings a lower map and that of conv 5 through 1×1 convolutions to 128 × 12×12, adds
    them, and classifies the sum: ReLU, max 3×3 / 2, dense 256, dense classes.
    """

    def __init__(self, classes: int, modules: int, fusion: str, resize: str, dropout: float) -> None:
        super().__init__()
        if not 0 <= modules <= len(SIDES) - 1:
            raise ValueError(f"{modules} joint feature modules; there are 0 to {len(SIDES) - 1}")
        if fusion not in FUSIONS or resize not in RESIZES:
            raise ValueError(f"fusion '{fusion}', resize '{resize}'; known: {', '.join(FUSIONS + RESIZES)}")
        self._fusion = fusion
        self.stages = nn.ModuleList([
            nn.Conv2d(3, WIDTH, 11, stride=4),
            nn.Conv2d(WIDTH, DEEP, 5, padding=2),
            *(nn.Conv2d(DEEP, DEEP, 3, padding=1) for _ in range(3)),
        ])  # fmt: skip
        layers = [len(SIDES) - 2 - m for m in range(modules)]
        self.joints = nn.ModuleList([Joint(self.stages[layer].out_channels, layer, resize) for layer in layers])
        self.heads = nn.ModuleList([_dense(classes, dropout, hidden) for hidden in (2, *(1 for _ in layers))])

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 224, 224) → (N, 128 · (1 + modules), 12, 12): the map of conv 5, then that of each module."""
        maps, x = [], x / 255
        for layer, convolution in enumerate(self.stages):
            x = F.relu(convolution(_pool(x) if layer in (1, 2) else x))
            maps.append(x)
        return torch.cat([x, *(joint(maps[joint.layer], x) for joint in self.joints)], dim=1)

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 128 · (1 + modules), 12, 12) → (N, classes), see the class."""
        maps = features.split(DEEP, dim=1)
        answers = torch.stack([head(_pool(one)) for head, one in zip(self.heads, maps, strict=True)])
        if len(answers) == 1:
            return answers[0]
        if self._fusion == "mean":
            return answers.log_softmax(dim=2).logsumexp(dim=0) - math.log(len(answers))
        return (answers if self._fusion == "logits" else answers.softmax(dim=2)).sum(dim=0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


class Joint(nn.Module):
    """A lower map (N, c, s, s), of convolution ``layer`` from 0, and the last one (N, 128, 12, 12) → their sum."""

    def __init__(self, channels: int, layer: int, resize: str) -> None:
        super().__init__()
        self.layer, self._resize = layer, resize
        self.lower, self.upper = nn.Conv2d(channels, DEEP, 1), nn.Conv2d(DEEP, DEEP, 1)

    def forward(self, lower: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        return F.relu(self._resized(self.lower(lower)) + self.upper(last))

    def _resized(self, x: torch.Tensor) -> torch.Tensor:
        """To 12×12. Behind the 1×1 convolution, so that 'max' picks among what is added."""
        if self._resize == "bilinear":
            return F.interpolate(x, SIDES[-1:] * 2, mode="bilinear")
        for _ in range(2 - self.layer):  # pools between the two maps
            x = _pool(x) if self._resize == "max" else F.avg_pool2d(x, 3, stride=2)
        return x


def _pool(x: torch.Tensor) -> torch.Tensor:
    return F.max_pool2d(x, 3, stride=2)


def _dense(classes: int, dropout: float, hidden: int) -> nn.Sequential:
    """A map (N, 128, 5, 5) → ``hidden`` layers of 256 units → (N, classes) logits."""
    layers: list[nn.Module] = [nn.Flatten()]
    for k in range(hidden):
        given = HIDDEN if k else DEEP * POOLED**2
        layers += [nn.Dropout(dropout), nn.Linear(given, HIDDEN), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(HIDDEN, classes))
