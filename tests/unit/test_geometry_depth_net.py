"""The depth network against the paper's Table I, layer by layer."""

import pytest
import torch
from torch import nn

from mer_lib.geometry.depth_net import DepthNet

# Table I: layer, kernel, channels. Conv_2 to Conv_5 are the four stages of ResNet-18.
TABLE = [
    ("encoder.conv1", 7, 64), ("encoder.maxpool", 3, 64), ("encoder.layer1", 3, 64), ("encoder.layer2", 3, 128),
    ("encoder.layer3", 3, 256), ("encoder.layer4", 3, 512), ("upconv5", 3, 256), ("iconv5", 3, 256),
    ("upconv4", 3, 128), ("iconv4", 3, 128), ("upconv3", 3, 64), ("iconv3", 3, 64), ("upconv2", 3, 32),
    ("iconv2", 3, 32), ("upconv1", 3, 16), ("iconv1", 3, 16), ("disp", 3, 1),
]  # fmt: skip
SIDES = (64, 32, 32, 16, 8, 4, 8, 8, 16, 16, 32, 32, 64, 64, 128, 128, 128)  # what each gives for 128 pixels


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(1)
    return DepthNet(-1.0, 2.0).eval()


@pytest.fixture(scope="module")
def seen(net):
    """Layers in the order they ran in, with the shape that each gave."""
    order = []
    names = {name: net.get_submodule(name) for name, _, _ in TABLE}
    hooks = [
        module.register_forward_hook(lambda _, __, out, name=name: order.append((name, tuple(out.shape))))
        for name, module in names.items()
    ]
    with torch.no_grad():
        net(torch.rand(2, 3, 128, 128))
    for hook in hooks:
        hook.remove()
    return order


def test_layers_run_in_the_tables_order(seen):
    assert [name for name, _ in seen] == [name for name, _, _ in TABLE]


@pytest.mark.parametrize("at", range(len(TABLE)), ids=[name for name, _, _ in TABLE])
def test_layer_is_as_in_the_table(net, seen, at):
    name, kernel, channels = TABLE[at]
    layer = net.get_submodule(name)
    convolutions = [m for m in layer.modules() if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1)]
    kernels = {m.kernel_size for m in convolutions} or {(layer.kernel_size, layer.kernel_size)}
    assert kernels == {(kernel, kernel)}
    assert dict(seen)[name] == (2, channels, SIDES[at], SIDES[at])


def test_parameters_are_the_sum_over_the_table(net):
    """Counted by hand: 3×3 weights and biases of the decoder, in and out channels as in the table with the skips."""
    pairs = [
        (512, 256), (256 + 256, 256), (256, 128), (128 + 128, 128), (128, 64), (64 + 64, 64), (64, 32), (32 + 64, 32),
        (32, 16), (16, 16), (16, 1),
    ]  # fmt: skip
    decoder = sum(9 * a * b + b for a, b in pairs)
    assert sum(p.numel() for p in net.parameters()) == 11_176_512 + decoder


def test_output_is_depth_between_near_and_far(net):
    with torch.no_grad():
        depth = net(torch.rand(2, 3, 64, 96))
    assert depth.shape == (2, 64, 96)
    assert depth.min() >= -1.0 and depth.max() <= 2.0
    for bias, end in ((50.0, -1.0), (-50.0, 2.0)):  # a large disparity is near
        sure = DepthNet(-1.0, 2.0).eval()
        sure.disp.bias.data.fill_(bias)
        sure.disp.weight.data.zero_()
        assert torch.allclose(sure(torch.rand(1, 3, 32, 32)), torch.tensor(end))


def test_every_layer_learns(net):
    net.zero_grad()
    net(torch.rand(1, 3, 64, 64)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for name, p in net.named_parameters())
