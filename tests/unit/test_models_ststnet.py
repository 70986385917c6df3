"""STSTNet: the counts and sizes its paper prints, and the three streams it is drawn with."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import save
from torch.nn import functional

from mer_lib import registry
from mer_lib.learning.learner import Recipe
from mer_lib.learning.network import Network, network
from mer_lib.models import ststnet_fused
from mer_lib.models.ststnet import ststnet
from mer_lib.problems import BadInput

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


@pytest.mark.parametrize("batch_norm", [False, True], ids=["", "norm"])
def test_compiled_steps_see_what_the_network_sees(batch_norm):
    """With a learning rate of next to nothing: logits and running statistics are torch's, on 8-bit pictures."""
    torch.manual_seed(1)
    model = ststnet(3, dropout=0.0, batch_norm=batch_norm).train()
    state = {name: tensor.detach().numpy().copy() for name, tensor in model.state_dict().items()}
    x = np.random.default_rng(2).integers(0, 256, (6, 28, 28, 3)).astype(np.float32)
    x[5] = 7  # no motion: all outputs of the convolution tie, but at the border
    samples = ststnet_fused.prepare(x, batch_norm=batch_norm, dropout=0.0)
    how = {"optimizer": "sgd", "lr": 1e-30, "momentum": 0.0, "weight_decay": 0.0}
    fused = ststnet_fused.Fused(samples, np.arange(6) % 3, np.ones(3), state, **how, dropout=0.0, batch_norm=batch_norm)
    order = np.array([4, 0, 5, 2, 3, 1])
    assert fused.epoch(order, np.array([4, 6]), None)
    pictures = torch.from_numpy(x[order]).movedim(-1, 1)
    logits = torch.cat([model(pictures[:4]), model(pictures[4:])]).detach().numpy()
    np.testing.assert_allclose(fused.logits, logits, atol=1e-5 * np.abs(logits).max())
    for name, tensor in model.state_dict().items():
        np.testing.assert_allclose(fused.state()[name], tensor.numpy(), rtol=1e-4, atol=1e-5, err_msg=name)


ODD = {
    "one sample": np.random.default_rng(3).normal(size=(1, 28, 28, 3)),
    "ties": np.random.default_rng(4).integers(0, 2, (7, 28, 28, 3)),
    "mostly nothing": np.random.default_rng(5).choice([0, 0, 0, 0, 0, 0, 0, 3.5], (7, 28, 28, 3)),
    "constant": np.repeat(np.arange(1.0, 8), 2352).reshape(7, 28, 28, 3),
}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("batch_norm", [False, True], ids=["", "norm"])
def test_compiled_steps_are_those_of_torch_in_double_precision_on_odd_samples(case, classes, batch_norm):
    """Two unequal batches an epoch, filters that never fire, weights of the classes, and of five classes two absent."""
    torch.manual_seed(classes)
    model, x = ststnet(classes, dropout=0.0, batch_norm=batch_norm).train(), ODD[case].astype(np.float32)
    with torch.no_grad():
        model.streams[1 if batch_norm else 0].bias[:4] = -30
    state = {name: tensor.detach().numpy().copy() for name, tensor in model.state_dict().items()}
    own, how = {"dropout": 0.0, "batch_norm": batch_norm}, {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.01}
    y, weights = np.arange(len(x)) % min(classes, 3), np.array([1, 2.5, 1, 1, 1])[:classes]
    fused = ststnet_fused.Fused(ststnet_fused.prepare(x, **own), y, weights, state, optimizer="sgd", **how, **own)
    optimizer = torch.optim.SGD(model.double().parameters(), **how)
    pictures = torch.from_numpy(x).double().movedim(-1, 1)
    batches = np.split(np.arange(len(x))[::-1], [4] if len(x) > 4 else [])
    for _ in range(3):
        logits = []
        for rows in (torch.from_numpy(batch.copy()) for batch in batches):
            logits.append(model(pictures[rows]))
            optimizer.zero_grad()
            truth = torch.from_numpy(y)[rows]
            functional.cross_entropy(logits[-1], truth, weight=torch.from_numpy(weights)).backward()
            optimizer.step()
        assert fused.epoch(np.concatenate(batches), np.cumsum([len(batch) for batch in batches]), None)
        np.testing.assert_allclose(fused.logits, torch.cat(logits).detach().numpy(), rtol=1e-4, atol=1e-4)
    for name, tensor in model.state_dict().items():
        np.testing.assert_allclose(fused.state()[name], tensor.numpy(), rtol=1e-3, atol=1e-5, err_msg=name)


def test_compiled_steps_refuse_other_sizes():
    with pytest.raises(ValueError, match="28"):
        ststnet_fused.prepare(np.zeros((2, 32, 32, 3), np.float32), batch_norm=False, dropout=0.5)


@pytest.mark.parametrize("shape", [(32, 32, 3), (28, 28, 2), (2352,)], ids=str)
@pytest.mark.parametrize("compiled", [True, False])
def test_samples_of_another_shape_are_refused_in_words_by_every_back_end(shape, compiled):
    """At 32×32 the layers would fit: 11×11 windows are averaged to 5×5 as 10×10 are."""
    entry = registry.get("model", "ststnet")
    meta = {name: fact for name, fact in entry.meta.items() if compiled or name != "compiled"}
    learner = network(replace(entry, meta=meta), entry.complete({}), Recipe(epochs=1), 3, "cpu")
    x, y = np.zeros((3, *shape), np.float32), np.arange(3)
    with pytest.raises(BadInput, match=r"reads samples of \(28, 28, 3\)"):
        learner.fit(x, y, seed=0)
    state = {name: tensor.numpy() for name, tensor in ststnet(3).state_dict().items()}
    with pytest.raises(BadInput, match=r"reads samples of \(28, 28, 3\)"):
        learner.probabilities(state, x)


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_of_dropout_that_is_none_is_refused_in_words(share):
    entry = registry.get("model", "ststnet")
    learner = network(entry, entry.complete({"dropout": share}), Recipe(epochs=1), 3, "cpu")
    with pytest.raises(BadInput, match=f"ststnet.*dropout.*{share}; correct its options"):
        learner.fit(np.zeros((3, 28, 28, 3), np.float32), np.arange(3), seed=0)


def test_the_network_is_found_by_what_its_registration_says():
    entry = registry.get("model", "ststnet")
    options, recipe = entry.complete({}), Recipe(epochs=1)
    x = np.random.default_rng(0).normal(size=(5, 28, 28, 3)).astype(np.float32)
    y = np.array([0, 1, 2, 0, 1])
    given = network(entry, options, recipe, 3, "cpu")
    compiled = Network(lambda: ststnet(3), recipe, 3, compiled=ststnet_fused, options=options)
    assert not given.at_once and save(given.fit(x, y, seed=0)) == save(compiled.fit(x, y, seed=0))
    assert network(entry, options, recipe, 3, "cuda").at_once
    plain = replace(entry, meta={})
    assert not network(plain, options, recipe, 3, "cuda").at_once
    alone = Network(lambda: ststnet(3), recipe, 3)
    assert save(network(plain, options, recipe, 3, "cpu").fit(x, y, seed=0)) == save(alone.fit(x, y, seed=0))
