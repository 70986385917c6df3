"""The shallow flow networks: sizes and counts of their tables, equations written out, and how they are trained."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save
from torch.nn import functional as F

from mer_lib import registry
from mer_lib.learning.learner import Recipe, Task
from mer_lib.learning.network import network

NAMES = ("ststnet_published", "offapexnet", "dual_inception", "sssn", "dssn", "rcn")


def pictures(name, count=2, seed=0):
    side = registry.get("model", name).meta["side"]
    return torch.from_numpy(np.random.default_rng(seed).uniform(0, 255, (count, 3, side, side)).astype(np.float32))


def drawn(name, classes=3, seed=0, **options):
    torch.manual_seed(seed)
    return registry.get("model", name).load()(classes, **options)


def sizes(model, x):
    """Shape of what each layer gives, without the number of samples."""
    found = {}
    for name, layer in model.named_modules():
        layer.register_forward_hook(
            lambda layer, given, result, name=name: found.__setitem__(name, tuple(result.shape[1:]))
        )
    model(x)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_whole(name):
    entry, x = registry.get("model", name), pictures(name)
    model = drawn(name, 4, dropout=0.5)
    assert sum(p.numel() for p in entry.load()(3).parameters()) == entry.meta["parameters"]
    torch.testing.assert_close(drawn(name, 4, dropout=0.5).eval()(x), model.eval()(x), rtol=0, atol=0)
    torch.testing.assert_close(model.forward_head(model.forward_features(x)), model(x))
    assert model(x).shape == (2, 4)
    F.cross_entropy(model.train()(x), torch.tensor([1, 3])).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    assert all(p.grad.abs().sum() > 0 for name, p in model.named_parameters() if name.endswith("weight"))
    assert not torch.equal(model(x), model(x)), "dropout acts in training"
    still = drawn(name, dropout=0.0)
    torch.testing.assert_close(still(x), still(x))


def test_counts_of_the_tables():
    """Each count in the figures of its table."""
    counts = {name: registry.get("model", name).meta["parameters"] for name in NAMES}
    assert counts["ststnet_published"] == 16 * 28 + 2 * 16 + 400 * 3 + 3
    assert counts["offapexnet"] == 2 * (26 * 6 + 151 * 16) + 1569 * 1024 + 1025 * 1024 + 1025 * 3
    block = lambda given, n: 4 * (given + 1) * n + (9 * n + 1) * n + (25 * n + 1) * n  # noqa: E731
    assert counts["dual_inception"] == 2 * (block(1, 6) + block(24, 16)) + 6273 * 1024 + 1025 * 3
    stream = lambda channels: (channels * 121 + 1) * 96 + (48 * 25 + 1) * 256  # noqa: E731
    assert counts["sssn"] == stream(3) + 57_600 * 3 + 3
    assert round((stream(3) + 57_600 * 5 + 5) / 1e6, 2) == 0.63, "what its paper prints, for five classes"
    assert counts["dssn"] == stream(2) + stream(1) + 57_600 * 3 + 3
    assert round((2 * stream(3) + 57_600 * 5 + 5) / 1e6, 2) == 0.97, "with three channels a stream"
    assert counts["rcn"] == (76 + 65 + 9 * 64 + 1) * 64 + 3 * 128 + (49 * 64 + 1) * 3


def test_sizes_of_the_tables():
    found = sizes(drawn("offapexnet"), pictures("offapexnet"))
    assert [found[f"streams.1.{k}"] for k in (0, 2, 3, 5)] == [(6, 28, 28), (6, 14, 14), (16, 14, 14), (16, 7, 7)]
    assert [found[f"head.{k}"] for k in (0, 1, 4, 7)] == [(1568,), (1024,), (1024,), (3,)]
    found = sizes(drawn("dual_inception"), pictures("dual_inception"))
    assert [found[f"streams.0.{k}"] for k in range(4)] == [(24, 28, 28), (24, 14, 14), (64, 14, 14), (64, 7, 7)]
    assert found["head.0"] == (6272,)
    found = sizes(drawn("dssn"), pictures("dssn"))
    assert [found[f"streams.1.{k}"][0] for k in (0, 2, 4, 6, 8)] == [96, 96, 256, 256, 256]
    assert [found[f"streams.1.{k}"][1] for k in (0, 2, 4, 6, 8)] == [55, 27, 27, 13, 15]
    assert found["head.0"] == (57_600,)
    found = sizes(drawn("rcn"), pictures("rcn"))
    assert [found[name] for name in ("entry.2", "entry", "recurrent.0")] == [(64, 56, 56), (64, 28, 28), (64, 28, 28)]
    assert [found[name] for name in ("recurrent", "mean")] == [(64, 14, 14), (64, 7, 7)]
    found = sizes(drawn("ststnet_published"), pictures("ststnet_published"))
    assert [found[name] for name in ("conv3", "dropout3", "average")] == [(8, 30, 30), (8, 10, 10), (16, 5, 5)]


def test_streams_see_their_own_channels():
    """What a stream gives changes with its channels and with no other."""
    reads = {"offapexnet": [(0,), (1,)], "dual_inception": [(0,), (1,)], "sssn": [(0, 1, 2)]}
    for name, streams in reads.items():
        model, x = drawn(name).eval(), pictures(name)
        before = model.forward_features(x).chunk(len(streams), dim=1)
        for channel in range(3):
            other = x.clone()
            other[:, channel] = other[:, channel].flip(-1)
            after = model.forward_features(other).chunk(len(streams), dim=1)
            for channels, a, b in zip(streams, before, after, strict=True):
                assert torch.equal(a, b) == (channel not in channels), (name, channel)


def test_maps_of_both_streams_are_multiplied_and_normalised_over_channels():
    """Where strain says nothing, nothing of the flow goes on; written out for one position."""
    model, x = drawn("dssn").eval(), pictures("dssn")
    flow, strain = model.streams[0](x[:, :2] / 255), model.streams[1](x[:, 2:] / 255)
    torch.testing.assert_close(model.forward_features(x), flow * strain)
    assert not flow[..., 0, :].any() and not flow[..., -1].any(), "a border of zeros"
    before = model.streams[0][:7](x[:, :2] / 255)[0, :, 5, 6]
    near = torch.stack([(before[max(0, c - 2) : c + 3] ** 2).sum() for c in range(256)])
    torch.testing.assert_close(flow[0, :, 6, 7], before / (2 + 1e-4 * near) ** 0.75)


def test_an_inception_block_is_its_four_branches():
    model, x = drawn("dual_inception").eval(), pictures("dual_inception") / 255
    block = model.streams[1][0]
    w = [layer for branch in block.branches for layer in branch if isinstance(layer, torch.nn.Conv2d)]
    conv = lambda layer, z, pad=0: F.relu(F.conv2d(z, layer.weight, layer.bias, padding=pad))  # noqa: E731
    v = x[:, 1:2]
    parts = [conv(w[0], v), conv(w[2], conv(w[1], v), 1), conv(w[4], conv(w[3], v), 2)]
    parts.append(conv(w[5], F.max_pool2d(v, 3, 1, 1)))
    torch.testing.assert_close(block(v), torch.cat(parts, dim=1))


@pytest.mark.parametrize("module", ["none", "shortcut", "attention"])
def test_recurrent_convolutions_step_by_step(module):
    """As the authors' code has them: RCN without, with dense shortcuts, and with attention by the classes' weights."""
    model, x = drawn("rcn", module=module).eval(), pictures("rcn")
    with torch.no_grad():
        for norm in model.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                norm.running_mean.normal_(), norm.running_var.uniform_(0.5, 2), norm.weight.normal_(1, 0.3)

    def block(layers, z, padding=0):
        conv, norm = layers[0], layers[1]
        z = F.conv2d(z, conv.weight, conv.bias, padding=padding)
        return F.relu(F.batch_norm(z, norm.running_mean, norm.running_var, norm.weight, norm.bias))

    first = F.max_pool2d(block(model.entry, x / 255), 2)
    forth = block(model.recurrent[0].forth, first)
    again = lambda z: block(model.recurrent[0].back, z, 1)  # noqa: E731
    if module == "shortcut":
        one = again(first + forth)
        two = again(first + forth + one)
        last = again(first + forth + one + two)
    else:
        last = again(first + again(first + forth))
    z = F.avg_pool2d(F.max_pool2d(last, 2), 2)
    if module == "attention":
        maps, where = F.avg_pool2d(first, 4), []
        for weight in model.head.weight.view(3, 64, 7, 7):
            spoken = (weight * maps).mean(1, keepdim=True)
            low, high = spoken.flatten(1).aminmax(dim=1)
            where.append((spoken - low.view(-1, 1, 1, 1)) / (high - low).view(-1, 1, 1, 1))
        z = z * torch.stack(where).mean(0)
    torch.testing.assert_close(model.forward_features(x), z)
    torch.testing.assert_close(model(x), z.flatten(1) @ model.head.weight.T + model.head.bias)
    with pytest.raises(ValueError, match="module 'wide'"):
        drawn("rcn", module="wide")


@pytest.mark.parametrize("none", [{"pool": 0}, {"filters": 0}])
def test_a_network_of_nothing_is_refused_in_words(none):
    with pytest.raises(ValueError, match="at least 1 of each"):
        drawn("rcn", **none)


def published_state(seed=0):
    """A state dict with the names and shapes of the authors' released weights."""
    rng = np.random.default_rng(seed)
    state = {}
    for k, width in ((1, 3), (2, 5), (3, 8)):
        state |= {f"conv{k}.weight": rng.normal(size=(width, 3, 3, 3)) / 100, f"conv{k}.bias": rng.normal(size=width)}
        state |= {f"bn{k}.weight": rng.normal(size=width), f"bn{k}.bias": rng.normal(size=width)}
        state |= {f"bn{k}.running_mean": rng.normal(size=width), f"bn{k}.running_var": rng.uniform(0.5, 2, width)}
    state |= {"fc.weight": rng.normal(size=(3, 400)), "fc.bias": rng.normal(size=3)}
    return {name: array.astype(np.float32) for name, array in state.items()} | {
        f"bn{k}.num_batches_tracked": np.array(7) for k in (1, 2, 3)
    }


def by_hand(state, x):
    """The authors' network in plain operations on pictures of strain, v, u: (N, 3, 28, 28) of 0–255 → logits."""
    w = {name: torch.from_numpy(np.asarray(array)) for name, array in state.items()}
    streams = []
    for k in (1, 2, 3):
        z = F.relu(F.conv2d(F.pad(x, (2, 2, 2, 2)), w[f"conv{k}.weight"], w[f"conv{k}.bias"]))
        mean, var = (w[f"bn{k}.running_{which}"].view(-1, 1, 1) for which in ("mean", "var"))
        z = (z - mean) / (var + 1e-5).sqrt() * w[f"bn{k}.weight"].view(-1, 1, 1) + w[f"bn{k}.bias"].view(-1, 1, 1)
        streams.append(F.max_pool2d(z, 3, stride=3, padding=1))
    joined = torch.cat(streams, 1).unfold(2, 2, 2).unfold(3, 2, 2)[:, :, :5, :5].mean((4, 5))
    return joined.flatten(1) @ w["fc.weight"].T + w["fc.bias"]


def test_the_authors_weights_predict_as_their_code_does():
    state, x = published_state(), pictures("ststnet_published", 5)
    model = drawn("ststnet_published").eval()
    model.load_state_dict({name: torch.from_numpy(np.asarray(array)) for name, array in state.items()})
    torch.testing.assert_close(model(x), by_hand(state, x[:, [2, 1, 0]]), rtol=1e-4, atol=1e-3)
    assert not torch.allclose(model(x), by_hand(state, x), rtol=0.1)
    learner = network(registry.get("model", "ststnet_published"), {"dropout": 0.5}, Recipe(), 3, "cpu")
    shares = learner.probabilities(state, x.movedim(1, -1).numpy())
    np.testing.assert_allclose(shares, by_hand(state, x.flip(1)).softmax(1).numpy(), atol=1e-4)


@pytest.mark.parametrize("name", ["ststnet_published", "rcn"])
def test_the_same_task_gives_the_same_bytes(name):
    learner = network(registry.get("model", name), registry.get("model", name).complete({}), Recipe(batch=4), 3, "cpu")
    x = pictures(name, 6).movedim(1, -1).numpy()
    task = Task(x, np.arange(6) % 3, 3, 2)
    assert save(learner.fit_each([task])[0]) == save(learner.fit_each([task])[0])
