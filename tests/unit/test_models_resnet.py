"""ResNet-18: torchvision's names and counts, its arithmetic, and files of ImageNet weights."""

import hashlib

import pytest
import torch
from safetensors.torch import save_file

from mer_lib.models.resnet import DEVIATION, MEAN, ResNet18, load_imagenet, standardised
from mer_lib.problems import BadInput

# Shapes of torchvision.models.resnet18().state_dict(), by what they belong to; fc is left out.
FIRST = {"conv1.weight": (64, 3, 7, 7), "bn1.weight": (64,), "bn1.running_var": (64,)}
LATER = {
    "layer1.0.conv1.weight": (64, 64, 3, 3),
    "layer1.1.bn2.bias": (64,),
    "layer2.0.conv1.weight": (128, 64, 3, 3),
    "layer2.0.downsample.0.weight": (128, 64, 1, 1),
    "layer2.0.downsample.1.running_mean": (128,),
    "layer3.0.downsample.0.weight": (256, 128, 1, 1),
    "layer3.1.conv2.weight": (256, 256, 3, 3),
    "layer4.0.downsample.0.weight": (512, 256, 1, 1),
    "layer4.1.conv2.weight": (512, 512, 3, 3),
    "layer4.1.bn2.num_batches_tracked": (),
}


@pytest.fixture(scope="module")
def trunk():
    torch.manual_seed(1)
    return ResNet18().eval()


def test_names_and_shapes_are_torchvisions(trunk):
    state = trunk.state_dict()
    for name, shape in (FIRST | LATER).items():
        assert tuple(state[name].shape) == shape, name
    assert len(state) == 120  # 122 entries of torchvision's less fc.weight and fc.bias
    assert not any(name.startswith("layer1") and "downsample" in name for name in state)


def test_parameters_are_the_published_11_689_512_less_the_classifier(trunk):
    assert sum(p.numel() for p in trunk.parameters()) == 11_689_512 - 512 * 1000 - 1000


def test_maps_halve_at_every_stage(trunk):
    shapes = [tuple(m.shape[1:]) for m in trunk.stages(torch.zeros(1, 3, 128, 128))]
    assert shapes == [(64, 64, 64), (64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]


def test_a_block_adds_its_input(trunk):
    """With the second batch norm silenced nothing but the shortcut is left: the first layer passes its input on."""
    block = ResNet18().layer1[0].eval()
    block.bn2.weight.data.zero_()
    block.bn2.bias.data.zero_()
    x = torch.rand(1, 64, 8, 8)
    assert torch.equal(block(x), x)


def test_pictures_are_standardised_as_imagenets():
    white = standardised(torch.ones(1, 3, 2, 2))
    expected = [(1 - m) / d for m, d in zip(MEAN, DEVIATION, strict=True)]
    assert white[0, :, 0, 0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_imagenet_weights_load_from_a_file(tmp_path, trunk, ending):
    path = tmp_path / f"resnet18{ending}"
    state = {**trunk.state_dict(), "fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    save_file(state, path) if ending == ".safetensors" else torch.save(state, path)
    other = ResNet18()
    assert load_imagenet(other, path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert all(torch.equal(a, b) for a, b in zip(other.state_dict().values(), trunk.state_dict().values(), strict=True))


@pytest.mark.parametrize("what", ["absent", "text", "other network", "more than tensors"])
def test_other_files_are_refused_in_one_line(tmp_path, what):
    path = tmp_path / "weights.pth"
    if what == "text":
        path.write_text("no weights")
    if what == "other network":
        torch.save({"features.0.weight": torch.zeros(3)}, path)
    if what == "more than tensors":
        torch.save({"conv1.weight": hashlib.sha256}, path)
    with pytest.raises(BadInput, match=r"weights\.pth.*no (ResNet-18|file of) weights.*state dict") as told:
        load_imagenet(ResNet18(), path)
    assert "\n" not in str(told.value)
