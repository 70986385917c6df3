"""CapsuleNet on the apex frame: the first stages of ResNet-18, then capsules with routing by agreement."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from mer_lib.models.resnet import ResNet18, load_imagenet, standardised
from mer_lib.problems import BadInput, note
from mer_lib.registry import register

MAP, SIDE = 256, 14  # channels and side of ResNet-18's third stage at 224×224
KINDS, SHORT, LONG = 32, 8, 16  # kinds of primary capsules, lengths of their vectors and of the classes'
POSITIONS = 9  # 3×3, of the primary capsules
PRESENT, ABSENT, SHARE = 0.9, 0.1, 0.5  # margins of the loss, and the weight of absent classes
TINY = 1e-8


@register(
    "model",
    inputs="apex_frame",
    title="CapsuleNet",
    channels=3,
    side=224,
    parameters=8202048,
    flops=2900867072,
    sample_mb=40,
    paper="Van Quang, Chun, Tokuyama: CapsuleNet for micro-expression recognition (2019)",
    doi="10.1109/FG.2019.8756544",
    year=2019,
    chosen="sizes of capsules, routing and margins as in Sabour et al. 2017; nothing is added to the training samples; "
    "a class's probability is the share of its length. The authors' code leaves ResNet's first pool out and has a 9×9 "
    "convolution before the capsules, which costs several times as much. The recipe is that code's, whose rate falls "
    "by a tenth an epoch where ours stays, and which keeps the epoch that is best on the test subject, ours the last",
)
def capsulenet(classes: int, *, routing: int = 3, weights: str = "", sha256: str = "") -> nn.Module:
    """CapsuleNet on the apex frame at 224×224, trained by the margin loss.

    routing: rounds of routing by agreement; weights: file of ImageNet weights for ResNet-18 under torchvision's names,
    "" for random ones; sha256: the file's checksum.
    """
    return CapsuleNet(classes, routing, weights, sha256)


class CapsuleNet(nn.Module):
    """(N, 3, 224, 224) RGB of 0–255 → (N, classes): logarithms of the lengths of the classes' capsules.

    ======================  ===================================  =================
    layer                   filter                               output
    ======================  ===================================  =================
    ResNet-18, stages 1–3                                        256 × 14×14
    primary capsules        9×9 / 2, 32 kinds of 8, squashed     288 × 8
    classes' capsules       8 → 16 each, routed, squashed        classes × 16
    ======================  ===================================  =================
    """

    def __init__(self, classes: int, routing: int, weights: str, sha256: str) -> None:
        super().__init__()
        if routing < 1:
            raise ValueError(f"{routing} rounds of routing; at least 1")
        self._weights, self._sha256 = weights, sha256
        self.trunk = ResNet18()
        self.trunk.layer4 = nn.Identity()
        self.primary = nn.Conv2d(MAP, KINDS * SHORT, 9, stride=2)
        self.capsules = Capsules(KINDS * POSITIONS, classes, routing)

    def warm_start(self) -> None:
        """Take the trunk from the file of ImageNet weights; says so where there is none. Raises BadInput."""
        if not self._weights:
            note("no ImageNet weights: ResNet-18 is trained from scratch", "set weights and sha256 of its options")
            return
        whole = ResNet18()
        if (found := load_imagenet(whole, self._weights)) != self._sha256:
            told = f"expected '{self._sha256}': set sha256 of its options"
            raise BadInput(f"its SHA-256 is {found}", told, file=self._weights)
        own = self.trunk.state_dict()
        self.trunk.load_state_dict({name: tensor for name, tensor in whole.state_dict().items() if name in own})

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 224, 224) → (N, 256, 14, 14)."""
        return self.trunk(standardised(x / 255))

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 256, 14, 14) → (N, classes) logarithms of lengths, whose softmax is each length's share."""
        primary = self.primary(features).view(-1, KINDS, SHORT, POSITIONS)
        found = self.capsules(squash(primary.movedim(2, 3).flatten(1, 2)))
        return torch.log(found.norm(dim=2) + TINY)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))

    def training_loss(
        self, x: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (N, classes) and the margin loss: present classes longer than .9, absent ones shorter than .1."""
        logits = self(x)
        length, present = logits.exp(), F.one_hot(truth, logits.shape[1]).to(logits)
        each = present * F.relu(PRESENT - length) ** 2 + SHARE * (1 - present) * F.relu(length - ABSENT) ** 2
        return logits, (each.sum(1) * weight[truth]).sum() / weight[truth].sum()


class Capsules(nn.Module):
    """(N, given, 8) → (N, classes, 16): a capsule a class, routed by agreement (Sabour, Frosst, Hinton 2017).

    Each given capsule says by a matrix what each class's vector would be, and sends its word where it agrees with the
    others: c = softmax(b) over the classes, v = squash(Σ c û), b += û · v, and again.
    """

    def __init__(self, given: int, classes: int, routing: int) -> None:
        super().__init__()
        self._routing = routing
        self.matrices = nn.Parameter(0.05 * torch.randn(given, classes, LONG, SHORT))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        said = torch.einsum("gkls,ngs->ngkl", self.matrices, x)
        agreement = torch.zeros(said.shape[:3], device=x.device, dtype=x.dtype)
        for left in reversed(range(self._routing)):
            found = squash((agreement.softmax(dim=2)[..., None] * said).sum(dim=1))
            if left:
                agreement = agreement + torch.einsum("ngkl,nkl->ngk", said, found)
        return found


def squash(x: torch.Tensor) -> torch.Tensor:
    """(…, L) → the same directions with lengths n²/(1 + n²), between 0 and 1."""
    square = (x**2).sum(dim=-1, keepdim=True)
    return square / (1 + square) * x / torch.sqrt(square + TINY)
