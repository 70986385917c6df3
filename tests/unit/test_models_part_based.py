"""Paper D's network: halves of the map, three losses and the reversed gradient, each against a calculation by hand."""

import hashlib

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from mer_lib import problems
from mer_lib.models.part_based import SCALE, part_adversarial, part_based, reverse
from mer_lib.models.resnet import ResNet18
from mer_lib.problems import BadInput

TRUTH, DOMAIN = torch.tensor([0, 1, 2, 1]), torch.tensor([0, 0, 1, 1])
WEIGHT = torch.tensor([1.0, 0.5, 2.0])


@pytest.fixture
def x():
    torch.manual_seed(5)
    return torch.randn(4, 3, 64, 64)


@pytest.fixture
def net():
    torch.manual_seed(6)
    return part_adversarial(3, width=8, dropout=0.0, reversal=0.3).eval()  # batch norm as it is: one sample, one result


def test_halves_are_the_upper_and_the_lower_rows_of_the_last_map(net, x):
    maps = net.trunk(x / SCALE)
    assert maps.shape == (4, 512, 2, 2)
    top, bottom = net.parts(x)
    torch.testing.assert_close(top, net.top(maps[:, :, 0].mean(-1)))
    torch.testing.assert_close(bottom, net.bottom(maps[:, :, 1].mean(-1)))
    assert net(x).shape == (4, 3) and net.forward_features(x).shape == (4, 16)
    torch.testing.assert_close(net(x), net.tell_joint(torch.cat([top, bottom], 1)))


def test_parameters_are_the_trunks_and_the_dense_layers():
    trunk = 11_176_512  # torchvision's 11,689,512 without its classifier of 512 × 1000 + 1000
    heads = 2 * (512 * 128 + 128) + 2 * (128 * 3 + 3) + (256 * 3 + 3)
    discriminator = 256 * 128 + 128 + 128 * 2 + 2
    count = lambda net: sum(p.numel() for p in net.parameters())  # noqa: E731
    assert count(part_based(3)) == trunk + heads
    assert count(part_adversarial(3)) == trunk + heads + discriminator


def nll(logits, truth, weight):
    """Weighted mean of −log softmax, by its definition."""
    chosen = -(logits.exp() / logits.exp().sum(1, keepdim=True)).log()[range(len(truth)), truth]
    return (weight[truth] * chosen).sum() / weight[truth].sum()


def terms(net, x, domain=DOMAIN):
    """The four losses by hand, without the reversal."""
    top, bottom = net.parts(x)
    joined = torch.cat([top, bottom], 1)
    three = [nll(layer(part), TRUTH, WEIGHT) for layer, part in
             ((net.tell_top, top), (net.tell_bottom, bottom), (net.tell_joint, joined))]  # fmt: skip
    return three, nll(net.discriminator(joined), domain, torch.ones(2)) if net.discriminator else None


def test_the_loss_is_the_sum_of_three_classifiers_and_the_discriminator(net, x):
    logits, loss = net.training_loss(x, TRUTH, WEIGHT, DOMAIN)
    three, adversarial = terms(net, x)
    torch.testing.assert_close(loss, sum(three) + adversarial)
    torch.testing.assert_close(logits, net(x))
    _, micro_only = net.training_loss(x, TRUTH, WEIGHT)
    torch.testing.assert_close(micro_only, sum(three) + terms(net, x, torch.zeros(4, dtype=int))[1])


def test_without_the_discriminator_the_domain_is_nothing(x):
    net = part_based(3, width=8).eval()
    _, loss = net.training_loss(x, TRUTH, WEIGHT, DOMAIN)
    torch.testing.assert_close(loss, sum(terms(net, x)[0]))
    assert torch.equal(loss, net.training_loss(x, TRUTH, WEIGHT, 1 - DOMAIN)[1])


def test_the_network_descends_minus_lambda_times_the_adversarial_loss_and_the_discriminator_its_own(net, x):
    net.training_loss(x, TRUTH, WEIGHT, DOMAIN)[1].backward()
    found = {name: p.grad.clone() for name, p in net.named_parameters()}
    net.zero_grad()
    three, adversarial = terms(net, x)
    (sum(three) - 0.3 * adversarial).backward(retain_graph=True)
    printed = {name: p.grad.clone() for name, p in net.named_parameters()}  # the equation as the paper prints it
    net.zero_grad()
    adversarial.backward()
    own = {name: p.grad.clone() for name, p in net.named_parameters() if name.startswith("discriminator")}
    assert own and all(g.abs().sum() > 0 for g in own.values())
    for name, gradient in found.items():
        expected = own.get(name, printed[name])
        torch.testing.assert_close(gradient, expected, atol=1e-5, rtol=1e-4)


def test_the_reversed_gradient_is_that_of_a_minus_sign():
    x = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    y = reverse(x, 0.25)
    assert torch.equal(y, x)
    (y**2).sum().backward()
    torch.testing.assert_close(x.grad, -0.25 * 2 * x.detach())


def test_reversed_training_hides_the_domain_where_plain_training_keeps_it():
    """A shortcut that only the domain follows: with reversal the joined vector forgets it."""
    torch.manual_seed(0)
    inputs = torch.randn(64, 2)
    domain = (inputs[:, 1] > 0).long()

    def separation(factor):
        torch.manual_seed(1)
        layer, judge = torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2)
        optimiser = torch.optim.SGD([*layer.parameters(), *judge.parameters()], 0.1)
        for _ in range(300):
            hidden = layer(inputs)
            fit = F.mse_loss(hidden[:, 0], inputs[:, 0])
            loss = fit + F.cross_entropy(judge(reverse(hidden, factor)), domain)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        hidden = layer(inputs).detach()
        return (hidden[domain == 1].mean(0) - hidden[domain == 0].mean(0)).norm()

    assert separation(0.5) < 0.5 * separation(-0.5)


def test_a_reversal_of_nothing_is_refused():
    with pytest.raises(BadInput, match="use part_based"):
        part_adversarial(3, reversal=0.0)


def test_imagenet_weights_come_from_a_file_of_the_checksum_given(tmp_path):
    torch.manual_seed(9)
    trunk, path = ResNet18(), tmp_path / "resnet18.safetensors"
    save_file(trunk.state_dict(), path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    net = part_based(3, width=4, weights=str(path), sha256=sha256)
    assert not torch.equal(net.trunk.conv1.weight, trunk.conv1.weight)  # only a training starts there
    net.warm_start()
    for name, tensor in trunk.state_dict().items():
        assert torch.equal(net.trunk.state_dict()[name], tensor), name
    with pytest.raises(BadInput, match=f"its SHA-256 is {sha256}"):
        part_based(3, width=4, weights=str(path), sha256="0" * 64).warm_start()


def test_without_a_file_the_run_says_that_training_starts_from_scratch():
    with problems.collect() as found:
        part_based(3, width=4).warm_start()
    assert "trained from scratch" in found[0].what
