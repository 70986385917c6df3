"""MicroExpSTCNN and MicroExpFuseNet: the sizes and counts of Tables I to III, slips corrected, and both depths."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mer_lib import registry
from mer_lib.learning.learner import Recipe
from mer_lib.learning.network import network
from mer_lib.models.micro_exp_fuse import micro_exp_fuse_intermediate, micro_exp_fuse_late
from mer_lib.models.micro_exp_stcnn import Trunk, micro_exp_stcnn
from mer_lib.problems import BadInput

SMALL = {"frames": 18}
FAMILY = [name for name in registry.entries("model") if name.startswith("micro_exp_")]


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def on_paper(name, **options):
    """The network without memory: sizes and counts alone."""
    with torch.device("meta"):
        return registry.get("model", name).load()(3, **options).eval()


def clips(name, n=2, seed=0):
    meta = registry.get("model", name).meta
    shape = (n, meta["channels"], meta["frames"], meta["side"], meta["side"])
    return torch.from_numpy(np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32))


def sizes(model, x):
    """Class and output size of each layer, in the order in which they run; dropouts, which change none, left out."""
    seen = []

    def remember(layer, given, result):
        seen.append((type(layer).__name__, tuple(result.shape[1:])))

    leaves = [m for m in model.modules() if not list(m.children()) and "Dropout" not in type(m).__name__]
    hooks = [leaf.register_forward_hook(remember) for leaf in leaves]
    model(x)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize(
    "name, count",
    [
        ("micro_exp_stcnn", 44_241_667),
        ("micro_exp_stcnn_18", 1_643_267),
        ("micro_exp_fuse_intermediate", 177_088_515),
        ("micro_exp_fuse_late", 177_221_123),
    ],
)
def test_parameters_are_as_many_as_the_papers_layers_have(name, count):
    assert parameters(on_paper(name)) == registry.get("model", name).meta["parameters"] == count


def test_table_one_at_both_depths():
    model = on_paper("micro_exp_stcnn")
    assert sizes(model, torch.empty(2, 1, 96, 64, 64, device="meta")) == [
        ("Conv3d", (32, 82, 62, 62)),
        ("MaxPool3d", (32, 27, 20, 20)),
        ("ReLU", (32, 27, 20, 20)),
        ("Flatten", (345_600,)),
        ("NormalLinear", (128,)),
        ("ReLU", (128,)),
        ("NormalLinear", (3,)),
    ]
    assert ("Flatten", (12_800,)) in sizes(on_paper("micro_exp_stcnn_18"), torch.empty(2, 1, 18, 64, 64, device="meta"))


def test_table_two():
    x = torch.empty(2, 2, 96, 32, 32, device="meta")
    trunk = [("Conv3d", (32, 82, 30, 30)), ("MaxPool3d", (32, 27, 10, 10)), ("ReLU", (32, 27, 10, 10))]
    assert sizes(on_paper("micro_exp_fuse_intermediate"), x) == [
        *trunk,
        *trunk,
        ("Flatten", (172_800,)),
        ("GlorotLinear", (1024,)),
        ("GlorotLinear", (128,)),
        ("GlorotLinear", (3,)),
    ]


def test_table_three():
    x = torch.empty(2, 2, 96, 32, 32, device="meta")
    model, arm = on_paper("micro_exp_fuse_late"), [("GlorotLinear", (1024,)), ("GlorotLinear", (128,))]
    assert sizes(model, x)[6:] == [*arm, *arm, ("GlorotLinear", (3,))]
    assert [layer.in_features for layer in model.modules() if isinstance(layer, torch.nn.Linear)] == [
        *(86_400, 1024, 86_400, 1024, 256)
    ]


@pytest.mark.parametrize("spatial", [3, 5, 7])
@pytest.mark.parametrize("temporal", [3, 7, 15, 19])
def test_the_kernels_of_table_nine(spatial, temporal):
    model = on_paper("micro_exp_stcnn", spatial=spatial, temporal=temporal)
    side, depth = (64 - spatial + 1) // 3, (96 - temporal + 1) // 3
    assert model.forward_features(torch.empty(2, 1, 96, 64, 64, device="meta")).shape == (2, 32, depth, side, side)
    assert model(torch.empty(2, 1, 96, 64, 64, device="meta")).shape == (2, 3)
    kernel = spatial * spatial * temporal
    assert parameters(model) == 32 * (kernel + 1) + 128 * (32 * depth * side * side + 1) + 3 * 129


@pytest.mark.parametrize("name", FAMILY)
def test_any_other_depth(name):
    meta = registry.get("model", name).meta
    x = torch.empty(2, meta["channels"], 31, meta["side"], meta["side"], device="meta")
    assert on_paper(name, frames=31)(x).shape == (2, 3)


@pytest.mark.parametrize("name", FAMILY)
def test_a_kernel_longer_than_the_clip_is_refused_in_words(name):
    entry = registry.get("model", name)
    learner = network(entry, entry.complete({"frames": 18, "temporal": 19}), Recipe(epochs=1), 3, "cpu")
    meta = entry.meta
    x = np.zeros((3, 18, meta["side"], meta["side"], meta["channels"]), np.float32)
    with pytest.raises(BadInput, match=f"{name}.*19×3×3 on 18×.*correct its options"):
        learner.fit(x, np.arange(3), seed=0)


@pytest.mark.parametrize("name", [name for name in FAMILY if name.endswith("_18")])
def test_features_and_head_make_the_network_and_every_weight_learns(name):
    torch.manual_seed(1)
    model = registry.get("model", name).load()(5).eval()
    x = clips(name, 4)
    torch.testing.assert_close(model.forward_head(model.forward_features(x)), model(x))
    F.cross_entropy(model(x), torch.tensor([0, 1, 2, 3])).backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("name", [name for name in FAMILY if name.endswith("_18")])
def test_same_seed_same_fit(name):
    entry = registry.get("model", name)
    x = clips(name, 3).movedim(1, -1).numpy()
    states = []
    for _ in range(2):
        learner = network(entry, entry.complete({}), Recipe(optimizer="sgd", lr=1e-4, batch=2, epochs=2), 3, "cpu")
        states.append(learner.fit(x, np.arange(3), seed=3))
    assert all(np.array_equal(states[0][key], states[1][key]) for key in states[0])
    other = learner.fit(x, np.arange(3), seed=4)
    assert any(not np.array_equal(states[0][key], other[key]) for key in other)


def test_pooling_before_the_relu_changes_nothing():
    trunk = Trunk(3, 15)
    x = clips("micro_exp_stcnn_18", 1)
    plain = F.max_pool3d(F.relu(F.conv3d(x / 127.5 - 1, trunk.conv.weight, trunk.conv.bias)), 3)
    torch.testing.assert_close(trunk(x), plain)


def test_the_two_regions_do_not_touch_before_they_are_fused():
    model = micro_exp_fuse_late(3, **SMALL).eval()
    x = clips("micro_exp_fuse_late_18", 2)
    other = x.clone()
    other[:, 1] = 255 - other[:, 1]
    eyes, mouth = model.forward_features(x).chunk(2, dim=1)
    same, changed = model.forward_features(other).chunk(2, dim=1)
    assert torch.equal(eyes, same) and not torch.equal(mouth, changed)
    assert not torch.equal(model(x), model(other))


@pytest.mark.parametrize("make", [micro_exp_stcnn, micro_exp_fuse_intermediate, micro_exp_fuse_late])
def test_dropout_acts_in_training_only_and_never_on_the_scores(make):
    torch.manual_seed(0)
    model = make(3, **SMALL)
    shape = (2, 1, 18, 64, 64) if make is micro_exp_stcnn else (2, 2, 18, 32, 32)
    x = torch.rand(shape) * 255
    assert not torch.equal(model(x), model(x))
    assert all((model(x) != 0).all() for _ in range(5))
    assert torch.equal(model.eval()(x), model(x))


def test_first_weights_are_those_of_the_authors_code():
    torch.manual_seed(0)
    model = micro_exp_stcnn(3, **SMALL)
    assert model.head[2].weight.std().item() == pytest.approx(0.05, rel=0.01)
    fuse = micro_exp_fuse_intermediate(3, **SMALL)
    bound = (6 / (6400 + 1024)) ** 0.5  # Glorot: uniform within √(6 / (in + out))
    assert fuse.head[2].weight.abs().max().item() == pytest.approx(bound, rel=1e-3)
    assert all((layer.bias == 0).all() for layer in fuse.modules() if hasattr(layer, "bias"))
