"""Networks of the apex frame: sizes, dynamic routing and margin loss step by step, attention and time written out."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from mer_lib import registry
from mer_lib.models.capsulenet import Capsules, capsulenet
from mer_lib.models.micro_attention import Attended
from mer_lib.models.resnet import ResNet18
from mer_lib.problems import BadInput, collect
from mer_lib.weights import digest

NAMES = ("capsulenet", "micro_attention", "atnet")


def pictures(name, count=2, seed=0):
    meta = registry.get("model", name).meta
    shape = (count, 3, *([meta["frames"]] if "frames" in meta else []), meta["side"], meta["side"])
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape).astype(np.float32))


def drawn(name, classes=3, **options):
    torch.manual_seed(0)
    return registry.get("model", name).load()(classes, **options)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_whole(name):
    entry, x = registry.get("model", name), pictures(name)
    model = drawn(name, 4)
    assert sum(p.numel() for p in entry.load()(3).parameters()) == entry.meta["parameters"]
    torch.testing.assert_close(drawn(name, 4).eval()(x), model.eval()(x), rtol=0, atol=0)
    torch.testing.assert_close(model.forward_head(model.forward_features(x)), model(x))
    assert model(x).shape == (2, 4)
    F.cross_entropy(model.train()(x), torch.tensor([1, 3])).backward()
    for name, p in model.named_parameters():
        assert p.grad is not None and torch.isfinite(p.grad).all() and (p.grad.abs().sum() > 0 or "bias" in name), name


def test_counts_in_figures():
    """ResNet-18's 11,176,512 without its last stage (8,393,728), and ten layers: one block a stage."""
    counts = {name: registry.get("model", name).meta["parameters"] for name in NAMES}
    assert counts["capsulenet"] == 11_176_512 - 8_393_728 + (256 * 81 + 1) * 256 + 288 * 3 * 16 * 8
    block = lambda a, b: 9 * a * b + 9 * b * b + 4 * b + (a * b + 2 * b if a < b else 0)  # noqa: E731
    ten = 147 * 64 + 128 + sum(block(a, b) for a, b in ((64, 64), (64, 128), (128, 256), (256, 512)))
    assert counts["micro_attention"] == ten + sum((2 * b + 1) * b for b in (64, 128, 256, 512)) + 513 * 3
    assert counts["atnet"] == ten + 4 * 128 * (147 + 128 + 2) + 641 * 3


def squashed(s):
    n = np.linalg.norm(s)
    return n**2 / (1 + n**2) * s / n


def test_dynamic_routing_step_by_step():
    """Sabour et al., procedure 1, capsule by capsule in numpy."""
    torch.manual_seed(1)
    capsules, x = Capsules(5, 3, 3).double(), torch.randn(2, 5, 8, dtype=torch.float64)
    with torch.no_grad():
        capsules.matrices.mul_(10)  # so that routing has something to agree on
    w, found = capsules.matrices.detach().numpy(), capsules(x).detach().numpy()
    for n in range(2):
        said = [[w[i, j] @ x[n, i].numpy() for j in range(3)] for i in range(5)]
        b = np.zeros((5, 3))
        for _ in range(3):
            c = np.exp(b) / np.exp(b).sum(1, keepdims=True)
            v = [squashed(sum(c[i, j] * said[i][j] for i in range(5))) for j in range(3)]
            b = b + [[said[i][j] @ v[j] for j in range(3)] for i in range(5)]
        np.testing.assert_allclose(found[n], v, atol=1e-6)
        assert c.max() > 0.5  # the rounds changed something
    with pytest.raises(ValueError, match="0 rounds of routing"):
        capsulenet(3, routing=0)


def test_primary_capsules_are_kinds_at_positions():
    model = drawn("capsulenet").eval()
    maps = torch.randn(1, 256, 14, 14)
    given = []
    model.capsules.register_forward_hook(lambda layer, x, y: given.append(x[0]))
    model.forward_head(maps)
    raw = model.primary(maps)[0].detach().numpy()
    assert raw.shape == (256, 3, 3) and given[0].shape == (1, 288, 8)
    for kind, row, column in ((0, 0, 0), (3, 1, 2), (31, 2, 2)):
        vector = squashed(raw[8 * kind : 8 * kind + 8, row, column])
        np.testing.assert_allclose(given[0][0, 9 * kind + 3 * row + column].detach().numpy(), vector, atol=1e-5)


def test_the_margin_loss_by_hand():
    model, x = drawn("capsulenet").eval(), pictures("capsulenet")
    truth, weight = torch.tensor([2, 0]), torch.tensor([1.0, 5.0, 3.0])
    logits, loss = model.training_loss(x, truth, weight)
    torch.testing.assert_close(logits, model(x))
    length, total = logits.exp().detach().numpy(), 0.0
    assert (length > 0).all() and (length < 1).all()
    for n, (k, w) in enumerate(((2, 3.0), (0, 1.0))):
        own = max(0, 0.9 - length[n, k]) ** 2
        others = sum(max(0, length[n, j] - 0.1) ** 2 for j in range(3) if j != k)
        total += w / 4 * (own + 0.5 * others)
    assert abs(loss.item() - total) < 1e-5
    shares = logits.softmax(1).detach().numpy()
    np.testing.assert_allclose(shares, length / length.sum(1, keepdims=True), rtol=1e-5)


def test_capsules_learn_by_heart():
    """Eight maps of three classes, the head alone: the margin loss falls and every clip is told."""
    torch.manual_seed(2)
    model = drawn("capsulenet")
    model.forward_features = lambda x: x
    maps, truth = torch.randn(8, 256, 14, 14), torch.arange(8) % 3
    optimiser = torch.optim.Adam([*model.primary.parameters(), *model.capsules.parameters()], 1e-3)
    losses = []
    for _ in range(10):
        logits, loss = model.training_loss(maps, truth, torch.ones(3))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3 and torch.equal(logits.argmax(1), truth)


def test_imagenet_weights_fill_the_stages_that_are_there(tmp_path):
    torch.manual_seed(5)
    path, whole = tmp_path / "resnet18.safetensors", ResNet18()
    save_file(whole.state_dict() | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}, path)
    model = drawn("capsulenet", weights=str(path), sha256=digest(path))
    model.warm_start()
    x = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(model.trunk.eval()(x), whole.eval().stages(x)[-2])
    with pytest.raises(BadInput, match="its SHA-256 is"):
        drawn("capsulenet", weights=str(path), sha256="0").warm_start()
    with collect() as found:
        drawn("capsulenet").warm_start()
    assert "from scratch" in found[0].what


def test_a_block_with_attention_by_hand():
    torch.manual_seed(4)
    block, x = Attended(4, 6, 2).eval(), torch.randn(2, 4, 8, 8)
    near = F.relu(block.bn1(F.conv2d(x, block.conv1.weight, stride=2, padding=1)))
    far = block.bn2(F.conv2d(near, block.conv2.weight, padding=1))
    both = torch.cat([near, far], 1)
    score = torch.einsum("nchw,oc->nohw", both, block.attention.weight[..., 0, 0]) + block.attention.bias.view(-1, 1, 1)
    past = block.downsample[1](F.conv2d(x, block.downsample[0].weight, stride=2))
    torch.testing.assert_close(block(x), F.relu(far / (1 + torch.exp(-score)) + past))


def test_the_last_output_of_the_lstm_step_by_step():
    model, x = drawn("atnet").eval(), pictures("atnet")
    w = {name: tensor.detach() for name, tensor in model.lstm.named_parameters()}
    h = c = torch.zeros(2, 128)
    for step in range(1, 11):
        motion = (x[:, :, step] - 128) / 127
        grid = motion.unfold(2, 16, 16).unfold(3, 16, 16).mean((4, 5)).flatten(1)
        gates = grid @ w["weight_ih_l0"].T + w["bias_ih_l0"] + h @ w["weight_hh_l0"].T + w["bias_hh_l0"]
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    features = model.forward_features(x)
    assert features.shape == (2, 640)
    torch.testing.assert_close(features[:, 512:], h, rtol=1e-4, atol=1e-5)
    still = x.clone()
    still[:, :, 1:] = 128
    torch.testing.assert_close(model.forward_features(still)[:, :512], features[:, :512])
