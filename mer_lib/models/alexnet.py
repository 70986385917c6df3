"""AlexNet under torchvision's names, so that its ImageNet weights load: the baseline beside MJFN."""

from __future__ import annotations

import torch
from torch import nn

from mer_lib.models.resnet import standardised
from mer_lib.problems import BadInput, note
from mer_lib.registry import register
from mer_lib.weights import digest, foreign

UNITS = 4096


@register(
    "model",
    inputs="flow_image",
    title="AlexNet",
    channels=3,
    side=224,
    parameters=57016131,
    flops=1420209536,
    sample_mb=8,
    paper="Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks (2017)",
    doi="10.1145/3065386",
    year=2017,
    chosen="the form without groups that torchvision keeps (Krizhevsky 2014, arXiv:1404.5997)",
)
def alexnet(classes: int, *, dropout: float = 0.5, weights: str = "", sha256: str = "") -> nn.Module:
    """AlexNet on flow in colours, as MJFN's paper compares it.

    dropout: share of the inputs of each hidden dense layer dropped; weights: file of ImageNet weights under
    torchvision's names (.safetensors, or .pth of tensors only), "" for random ones; sha256: the file's checksum.
    """
    return AlexNet(classes, dropout, weights, sha256)


class AlexNet(nn.Module):
    """(N, 3, 224, 224) of 0–255 → (N, classes) logits."""

    def __init__(self, classes: int, dropout: float, weights: str, sha256: str) -> None:
        super().__init__()
        self._weights, self._sha256 = weights, sha256
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(256 * 6 * 6, UNITS), nn.ReLU(),
            nn.Dropout(dropout), nn.Linear(UNITS, UNITS), nn.ReLU(),
            nn.Linear(UNITS, classes),
        )  # fmt: skip

    def warm_start(self) -> None:
        """Take all layers but the last from the file of ImageNet weights, and say so where there is none."""
        if not self._weights:
            note("no ImageNet weights: AlexNet is trained from scratch", "set weights and sha256 of its options")
            return
        if (found := digest(self._weights)) != self._sha256:
            told = f"expected '{self._sha256}': set sha256 of its options"
            raise BadInput(f"its SHA-256 is {found}", told, file=self._weights)
        last = f"classifier.{len(self.classifier) - 1}."
        given = {name: torch.from_numpy(array) for name, array in foreign(self._weights).items()}
        own = {name: tensor for name, tensor in self.state_dict().items() if name.startswith(last)}
        try:
            self.load_state_dict({**given, **own})
        except RuntimeError as error:
            told = f"no AlexNet weights ({' '.join(str(error).split())[:200]})"
            raise BadInput(told, "give a state dict with torchvision's names", file=self._weights) from None

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 224, 224) → (N, 256, 6, 6)."""
        return self.features(standardised(x / 255))

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 256, 6, 6) → (N, classes) logits."""
        return self.classifier(features.flatten(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))
