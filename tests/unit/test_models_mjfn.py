"""MJFN: Table 1 layer by layer, modules and fusion against the paper's equations written out."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mer_lib import registry
from mer_lib.models.mjfn import MJFN, mjfn, mjfn_avg, mjfn_bbn

PICTURES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 224, 224)).astype(np.float32))
VARIANTS = ("mjfn", "mjfn_avg", "mjfn_bbn")


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def drawn(seed=0, **options):
    torch.manual_seed(seed)
    return mjfn(3, **options).eval()


def test_the_backbone_is_table_1():
    """Sizes of every layer, in the order of the forward pass; pools are functions and seen by their effect."""
    torch.manual_seed(0)
    model, sizes, x = mjfn_bbn(3).eval(), [], PICTURES / 255
    for layer, convolution in enumerate(model.stages):
        x = F.relu(convolution(x))
        sizes.append(tuple(x.shape[1:]))
        if layer in (0, 1, 4):
            x = F.max_pool2d(x, 3, 2)
            sizes.append(tuple(x.shape[1:]))
    maps = [(48, 54), (48, 26), (128, 26), (128, 12), (128, 12), (128, 12), (128, 12), (128, 5)]
    assert sizes == [(channels, side, side) for channels, side in maps]
    dense = [(layer.in_features, layer.out_features) for layer in model.heads[0] if hasattr(layer, "in_features")]
    assert dense == [(3200, 256), (256, 256), (256, 3)]
    torch.testing.assert_close(model.heads[0](x), model(PICTURES))
    kernels = [tuple(c.kernel_size) for c in model.stages]
    assert kernels == [(11, 11), (5, 5), (3, 3), (3, 3), (3, 3)]


def test_parameter_counts():
    convolutions = 3 * 121 * 48 + 48 + 25 * 48 * 128 + 128 + 3 * (9 * 128 * 128 + 128)
    dense = 3200 * 256 + 256 + 256 * 256 + 256 + 256 * 3 + 3
    assert parameters(mjfn_bbn(3)) == convolutions + dense == 1_499_971
    own = lambda lower: (lower + 1) * 128 + 129 * 128 + 3201 * 256 + 257 * 3  # noqa: E731
    for count in range(5):
        joints = sum(own(lower) for lower in (128, 128, 128, 48)[:count])
        assert parameters(mjfn(3, modules=count)) == 1_499_971 + joints
    for name in VARIANTS:
        entry = registry.get("model", name)
        assert parameters(entry.load()(3)) == entry.meta["parameters"]


@pytest.mark.parametrize("resize", ["max", "average", "bilinear"])
def test_modules_join_layers_4_3_2_1_with_the_last(resize):
    model = drawn(modules=4, resize=resize)
    assert [joint.layer + 1 for joint in model.joints] == [4, 3, 2, 1]
    one = F.relu(model.stages[0](PICTURES / 255))
    two = F.relu(model.stages[1](F.max_pool2d(one, 3, 2)))
    three = F.relu(model.stages[2](F.max_pool2d(two, 3, 2)))
    four = F.relu(model.stages[3](three))
    five = F.relu(model.stages[4](four))
    features = model.forward_features(PICTURES)
    assert features.shape == (2, 128 * 5, 12, 12)
    torch.testing.assert_close(features[:, :128], five)
    for at, lower in enumerate((four, three, two, one)):
        joint = model.joints[at]
        mixed = torch.einsum("nchw,oc->nohw", lower, joint.lower.weight[..., 0, 0]) + joint.lower.bias.view(-1, 1, 1)
        while mixed.shape[-1] > 12 and resize != "bilinear":
            mixed = {"max": F.max_pool2d, "average": F.avg_pool2d}[resize](mixed, 3, 2)
        if resize == "bilinear":
            mixed = F.interpolate(mixed, (12, 12), mode="bilinear")
        both = F.relu(mixed + joint.upper(five))
        torch.testing.assert_close(features[:, 128 * (at + 1) : 128 * (at + 2)], both, rtol=1e-4, atol=1e-5)


def answers(model):
    """Each head's probabilities (n, terms, K) in double precision."""
    maps = model.forward_features(PICTURES).split(128, dim=1)
    heads = [head(F.max_pool2d(one, 3, 2)) for head, one in zip(model.heads, maps, strict=True)]
    logits = torch.stack(heads, 1).detach().numpy().astype(float)
    return logits, np.exp(logits) / np.exp(logits).sum(2, keepdims=True)


def test_fusions_are_the_papers_and_their_loss_is_the_plain_cross_entropy():
    truth = torch.tensor([2, 0])
    for fusion in ("softmax", "mean", "logits"):
        model = drawn(fusion=fusion)
        with torch.no_grad():
            for head in model.heads:
                head[-1].weight.mul_(40)  # as sure as a trained network
        logits, each = answers(model)
        assert each.max() > 0.6
        if fusion == "mean":
            fused = each.sum(1) / 4  # eq. 10
        else:
            z = np.exp((each if fusion == "softmax" else logits).sum(1))
            fused = z / z.sum(1, keepdims=True)  # eq. 11
        given = model(PICTURES)
        np.testing.assert_allclose(given.softmax(1).detach().numpy(), fused, rtol=1e-4, atol=1e-6)
        loss = -np.log(fused[[0, 1], truth]).mean()  # eq. 12
        assert abs(F.cross_entropy(given, truth).item() - loss) < 1e-4


def test_the_papers_softmax_of_sums_has_a_ceiling():
    """All four answers certain: e⁴ / (e⁴ + 2) = .965."""
    model = drawn()
    with torch.no_grad():
        for head in model.heads:
            head[-1].weight.zero_()
            head[-1].bias.copy_(torch.tensor([60.0, 0, 0]))
    assert abs(model(PICTURES).softmax(1)[0, 0].item() - 0.965) < 5e-4


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_whole(name):
    entry = registry.get("model", name)
    torch.manual_seed(1)
    model = entry.load()(4)
    features = model.eval().forward_features(PICTURES)
    torch.testing.assert_close(model.forward_head(features), model(PICTURES))
    assert model(PICTURES).shape == (2, 4)
    F.cross_entropy(model(PICTURES), torch.tensor([1, 3])).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    model.train()
    assert not torch.equal(model(PICTURES), model(PICTURES))
    descriptor = registry.get("descriptor", entry.meta["inputs"])
    assert len(descriptor.meta["channels"]) == entry.meta["channels"]


def test_variants_are_settings_of_the_one():
    for built, fusion in ((mjfn_avg, "mean"), (mjfn, "softmax")):
        torch.manual_seed(3)
        given = built(3).eval()
        torch.testing.assert_close(given(PICTURES), drawn(3, fusion=fusion)(PICTURES))
    with pytest.raises(ValueError, match="5 joint feature modules"):
        mjfn(3, modules=5)
    with pytest.raises(ValueError, match="fusion 'sum'"):
        mjfn(3, fusion="sum")
    with pytest.raises(ValueError, match="resize 'crop'"):
        MJFN(3, 3, "mean", "crop", 0.5)
