"""ResNet-18: the trunk that several networks stand on, under torchvision's names, so that its ImageNet weights load.

K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016,
doi:10.1109/CVPR.2016.90. 11,176,512 parameters without the classifier, which is left out: what stands on the trunk
brings its own head.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from mer_lib.problems import BadInput
from mer_lib.weights import digest, foreign

WIDTHS = (64, 128, 256, 512)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB: what its weights expect


class Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut: (n, a, h, w) -> (n, b, h/stride, w/stride)."""

    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(a, b, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(b)
        self.conv2 = nn.Conv2d(b, b, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(b)
        short = (nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b))
        self.downsample = nn.Sequential(*short) if stride > 1 or a != b else None

    def forward(self, x: Tensor) -> Tensor:
        past = self.downsample(x) if self.downsample else x
        x = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(x)) + past)


class ResNet18(nn.Module):
    """The trunk. ``channels``: of the input; ImageNet's weights load with three."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, WIDTHS[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        before = WIDTHS[0]
        for at, width in enumerate(WIDTHS, 1):
            layer = nn.Sequential(Block(before, width, 1 if at == 1 else 2), Block(width, width, 1))
            self.add_module(f"layer{at}", layer)
            before = width
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def stages(self, x: Tensor) -> list[Tensor]:
        """(n, channels, h, w) -> five maps: 64 channels at half the size, then 64, 128, 256, 512 at 1/4 to 1/32."""
        found = [torch.relu(self.bn1(self.conv1(x)))]
        x = self.maxpool(found[0])
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            found.append(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """The last map: (n, channels, h, w) -> (n, 512, h/32, w/32)."""
        return self.stages(x)[-1]


def standardised(pictures: Tensor) -> Tensor:
    """RGB pictures (n, 3, h, w) within 0 and 1 in the units that ImageNet's weights expect."""
    mean, deviation = (pictures.new_tensor(v)[:, None, None] for v in (MEAN, DEVIATION))
    return (pictures - mean) / deviation


def load_imagenet(trunk: ResNet18, path: str | Path) -> str:
    """Fill the trunk from a file of ImageNet weights under torchvision's names (safetensors, or a torch state dict).

    The classifier in it (``fc``) is left aside. Returns the file's SHA-256, which belongs on the model's card. Raises
    BadInput for a file that holds anything else; one that holds more than tensors is refused unread.
    """
    remedy = "give a ResNet-18 state dict with torchvision's names, as .safetensors or .pth"
    tensors = {name: torch.from_numpy(array) for name, array in foreign(path).items() if not name.startswith("fc.")}
    try:
        trunk.load_state_dict(tensors)
    except RuntimeError as error:
        told = f"no ResNet-18 weights ({' '.join(str(error).split())[:200]})"
        raise BadInput(told, remedy, file=Path(path)) from None
    return digest(path)
