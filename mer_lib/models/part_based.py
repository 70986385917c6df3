"""The neural micro-expression recogniser (paper D): upper and lower face apart, and macro-expressions to learn from."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from mer_lib.models.resnet import ResNet18, load_imagenet
from mer_lib.problems import BadInput, note
from mer_lib.registry import register

SCALE = 4.0  # pixels of flow: what an expression moves comes to about 1, as ImageNet's weights expect


@register(
    "model",
    inputs="flow_emr",
    title="Part-based ResNet-18",
    channels=3,
    side=128,
    parameters=11309385,
    flops=1184630272,
    sample_mb=14,
    needs="auxiliary",
    chosen="Optimiser, rate, batch, epochs, widths, input size and factor of magnification are not given: Adam 1e-4, "
    "batch 32, 30 epochs, 128 units a part, flow at 128×128 as u, v and its length, magnified 4 times; the joined "
    "classifier predicts; one dense layer, ReLU and dropout a part stand before each classifier.",
    paper="Liu, Du, Zheng, Gedeon: A neural micro-expression recognizer (2019)",
    doi="10.1109/FG.2019.8756583",
    year=2019,
)
def part_based(
    classes: int, *, width: int = 128, dropout: float = 0.5, weights: str = "", sha256: str = ""
) -> nn.Module:
    """ResNet-18 on the flow from onset to apex, its last map cut into upper and lower face, three classifiers.

    width: units of each part's dense layer; dropout: share of them dropped; weights: file of ImageNet weights with
    torchvision's names, and sha256 its checksum; without it the network is trained from scratch.
    """
    return PartBased(classes, width, dropout, 0.0, (weights, sha256))


@register(
    "model",
    inputs="flow_emr",
    title="Part-based ResNet-18, adversarial",
    channels=3,
    side=128,
    parameters=11342539,
    flops=1184630272,
    sample_mb=14,
    needs="auxiliary",
    chosen="As part_based; λ is not given: .1 throughout. Gradient reversal instead of the printed minus sign, which a "
    "single optimiser would follow by making the discriminator worse; its units are those of a part.",
    paper="Liu, Du, Zheng, Gedeon: A neural micro-expression recognizer (2019)",
    doi="10.1109/FG.2019.8756583",
    year=2019,
)
def part_adversarial(
    classes: int,
    *,
    width: int = 128,
    dropout: float = 0.5,
    reversal: float = 0.1,
    weights: str = "",
    sha256: str = "",
) -> nn.Module:
    """Part-based ResNet-18 whose features shall not tell a micro- from a macro-expression.

    reversal: λ, how strongly the discriminator's gradient comes back from it, reversed; the others as of part_based.
    """
    if not reversal > 0:
        raise BadInput(f"a reversal of {reversal:g}", "give a λ above 0, or use part_based")
    return PartBased(classes, width, dropout, reversal, (weights, sha256))


class PartBased(nn.Module):
    """(N, 3, H, W) flow in pixels → (N, classes) logits of the joined classifier.

    With ``reversal`` there is a discriminator of two dense layers on the joined vector. It learns to tell the domains
    apart, and what comes before it gets its gradient times −reversal: so that all but the discriminator minimise
    L_top + L_bottom + L_joint − λ·L_adv, and the discriminator minimises L_adv (Ganin et al. 2016, arXiv:1505.07818).
    Without a file of ``weights`` the first weights are random.
    """

    domains = True  # training_loss reads them

    def __init__(self, classes: int, width: int, dropout: float, reversal: float, weights: tuple[str, str]) -> None:
        super().__init__()
        self._weights, self._reversal = weights, reversal
        self.trunk = ResNet18()
        self.top, self.bottom = (nn.Sequential(nn.Linear(512, width), nn.ReLU(), nn.Dropout(dropout)) for _ in range(2))
        self.tell_top, self.tell_bottom = nn.Linear(width, classes), nn.Linear(width, classes)
        self.tell_joint = nn.Linear(2 * width, classes)
        discriminator = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, 2))
        self.discriminator = discriminator if reversal else None

    def warm_start(self) -> None:
        """Take the trunk from the file of ImageNet weights; says so where there is none. Raises BadInput."""
        path, sha256 = self._weights
        if not path:
            note("no ImageNet weights: ResNet-18 is trained from scratch", "set weights and sha256 of its options")
        elif (found := load_imagenet(self.trunk, path)) != sha256:
            raise BadInput(f"its SHA-256 is {found}", f"expected '{sha256}': set sha256 of its options", file=path)

    def parts(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, 3, H, W) → (N, width) of the upper and of the lower half of the last map; the upper has any odd row."""
        upper, lower = (half.mean((2, 3)) for half in self.trunk(x / SCALE).chunk(2, dim=2))
        return self.top(upper), self.bottom(lower)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) → (N, 2 · width): both parts."""
        return torch.cat(self.parts(x), dim=1)

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 2 · width) → (N, classes) logits."""
        return self.tell_joint(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))

    def training_loss(
        self, x: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor, domain: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (N, classes) and the loss of a batch.

        truth: (N,) classes; weight: (classes,); domain: (N,) 0 for micro, 1 for macro, all micro where there is none.
        """
        top, bottom = self.parts(x)
        joined = torch.cat([top, bottom], dim=1)
        logits = self.tell_joint(joined)
        each = (self.tell_top(top), self.tell_bottom(bottom), logits)
        loss = sum(F.cross_entropy(found, truth, weight=weight) for found in each)
        if self.discriminator:
            domain = torch.zeros_like(truth) if domain is None else domain
            loss = loss + F.cross_entropy(self.discriminator(reverse(joined, self._reversal)), domain)
        return logits, loss


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: torch.Tensor, factor: float) -> torch.Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -ctx.factor * gradient, None


def reverse(x: torch.Tensor, factor: float) -> torch.Tensor:
    """``x``, whose gradient comes back times −factor (Ganin, Lempitsky 2015, arXiv:1409.7495)."""
    return _Reverse.apply(x, factor)
