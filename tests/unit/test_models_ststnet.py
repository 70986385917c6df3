"""STSTNet: the counts and sizes its paper prints, and the three streams it is drawn with."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from mer_lib import registry
from mer_lib.models.ststnet import ststnet

CLIPS = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (4, 3, 28, 28)).astype(np.float32))


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_parameter_counts():
    assert parameters(ststnet(3)) == registry.get("model", "ststnet").meta["parameters"] == 1651
    assert parameters(ststnet(3, batch_norm=True)) == 1683


def test_sizes_are_the_papers():
    model, sizes = ststnet(3).eval(), {}
    for name, layer in model.named_modules():
        layer.register_forward_hook(
            lambda layer, given, result, name=name: sizes.__setitem__(name, tuple(result.shape))
        )
    model(CLIPS)
    assert sizes["streams.0"] == (4, 3 + 5 + 8, 28, 28)
    assert sizes["streams"] == (4, 16, 10, 10)
    assert sizes["pool"] == (4, 16, 5, 5)
    assert sizes["dropout"] == (4, 400)
    assert sizes[""] == (4, 3)


def test_one_convolution_is_the_three_streams():
    model = ststnet(3).eval()
    convolution = model.streams[0]
    joined = []
    for weight, bias in zip(convolution.weight.split((3, 5, 8)), convolution.bias.split((3, 5, 8)), strict=True):
        stream = functional.relu(functional.conv2d(CLIPS, weight, bias, padding=1))
        joined.append(functional.max_pool2d(stream, 3, stride=3, padding=1))
    features = functional.avg_pool2d(torch.cat(joined, dim=1), 2)
    torch.testing.assert_close(model.forward_features(CLIPS), features)
    torch.testing.assert_close(model(CLIPS), model.head(features.flatten(1)))


@pytest.mark.parametrize("options", [{}, {"batch_norm": True}, {"dropout": 0.0}])
def test_features_and_head_make_the_network(options):
    model = ststnet(5, **options).eval()
    assert model(CLIPS).shape == (4, 5)
    torch.testing.assert_close(model.forward_head(model.forward_features(CLIPS)), model(CLIPS))


def test_same_seed_same_network_and_every_weight_learns():
    models = []
    for _ in range(2):
        torch.manual_seed(7)
        models.append(ststnet(3, batch_norm=True))
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(a, b)
    functional.cross_entropy(models[0](CLIPS), torch.tensor([0, 1, 2, 0])).backward()
    assert all(p.grad.abs().sum() > 0 for p in models[0].parameters())


def test_dropout_acts_in_training_only():
    model = ststnet(3, dropout=0.5)
    assert not torch.equal(model(CLIPS), model(CLIPS))
    model.eval()
    assert torch.equal(model(CLIPS), model(CLIPS))
    still = ststnet(3, dropout=0.0)
    assert torch.equal(still(CLIPS), still(CLIPS))


def test_the_layout_in_memory_does_not_matter():
    model = ststnet(3).eval()
    torch.testing.assert_close(model(CLIPS.contiguous(memory_format=torch.channels_last)), model(CLIPS))


def test_what_it_reads_is_what_flow28_makes():
    entry = registry.get("model", "ststnet")
    channels = registry.get("descriptor", entry.meta["inputs"]).meta["channels"]
    assert channels == ("u", "v", "strain")
    assert len(channels) == entry.meta["channels"]
