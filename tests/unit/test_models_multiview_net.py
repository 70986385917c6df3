"""Paper A's recognition network: eq. 5 step by step, torch's LSTM, spikes counted by hand, what a switch takes away."""

import numpy as np
import pytest
import snntorch
import torch
from snntorch.spikegen import delta
from torch.nn import functional as F

from mer_lib.models.conv_lstm import BiConvLSTM, ConvLSTM
from mer_lib.models.multiview_net import KERNEL, multiview_net
from mer_lib.models.spiking import SpikingBranch, spikes
from mer_lib.problems import BadInput

SMALL = {"side": 20, "frames": 20, "filters": 3, "hidden": 4, "width": 5, "dense": 7, "neurons": 2}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(3)


def conv(x, weight):
    """Zero-padded correlation of maps (C, h, w) with weight (K, C, k, k), in loops."""
    k = weight.shape[-1]
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    out = np.zeros((len(weight), *x.shape[1:]))
    for row, column in np.ndindex(*x.shape[1:]):
        out[:, row, column] = (weight * padded[:, row : row + k, column : column + k]).sum((1, 2, 3))
    return out


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def eq5(lstm, x):
    """Eq. 5 of the paper over (T, C, h, w): every gate with kernels of its own, the states h_1 … h_T."""
    read, recall = (m.weight.detach().double().numpy() for m in (lstm.read, lstm.recall))
    wi, wf, wo, wc = np.split(read, 4)
    ui, uf, uo, uc = np.split(recall, 4)
    bi, bf, bo, bc = np.split(lstm.read.bias.detach().double().numpy()[:, None, None], 4)
    h = c = np.zeros((len(wi), *x.shape[2:]))
    states = []
    for step in x:
        i = sigmoid(conv(step, wi) + conv(h, ui) + bi)
        f = sigmoid(conv(step, wf) + conv(h, uf) + bf)
        o = sigmoid(conv(step, wo) + conv(h, uo) + bo)
        c = f * c + i * np.tanh(conv(step, wc) + conv(h, uc) + bc)
        h = o * np.tanh(c)
        states.append(h)
    return np.stack(states)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_the_states_are_those_of_equation_5_step_by_step(kernel):
    lstm = ConvLSTM(2, 3, kernel).double()
    x = torch.randn(2, 4, 2, 5, 6, dtype=torch.float64)
    found = lstm(x).detach().numpy()
    assert found.shape == (2, 4, 3, 5, 6)
    for sample, states in zip(x.numpy(), found, strict=True):
        np.testing.assert_allclose(states, eq5(lstm, sample), atol=1e-12)


def test_on_single_pixels_both_directions_are_torchs_bidirectional_lstm():
    ours = BiConvLSTM(5, 4, kernel=1)
    peer = torch.nn.LSTM(5, 4, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for lstm, suffix in ((ours.onward, ""), (ours.backward, "_reverse")):
            for layer, name in ((lstm.read, "weight_ih_l0"), (lstm.recall, "weight_hh_l0")):
                i, f, o, c = layer.weight.flatten(1).chunk(4)
                getattr(peer, name + suffix).copy_(torch.cat([i, f, c, o]))  # torch's order
            i, f, o, c = lstm.read.bias.chunk(4)
            getattr(peer, "bias_ih_l0" + suffix).copy_(torch.cat([i, f, c, o]))
            getattr(peer, "bias_hh_l0" + suffix).zero_()
    x = torch.randn(3, 6, 5)
    expected, (last, _) = peer(x)
    torch.testing.assert_close(ours(x[..., None, None])[..., 0, 0], expected, atol=1e-6, rtol=1e-5)
    ends = ours.ends(x[..., None, None])[..., 0, 0]
    torch.testing.assert_close(ends, torch.cat([last[0], last[1]], dim=1), atol=1e-6, rtol=1e-5)


def test_a_convolutional_lstm_passes_the_gradient_check():
    lstm = ConvLSTM(1, 2).double()
    x = torch.randn(1, 3, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lstm, (x,))


def test_spikes_are_changes_beyond_the_threshold_and_signed():
    x = torch.randn(2, 3, 6, 4, 5)
    x[1, 2] = 7.0  # never changes
    found = spikes(x, 0.5)
    for n, c in np.ndindex(2, 3):
        change = np.diff(x[n, c].numpy().astype(np.float64), axis=0)
        least = np.abs(change).mean() + 0.5 * np.abs(change).std()
        expected = delta(x[n, c], threshold=max(least, 1e-6), padding=True, off_spike=True)
        torch.testing.assert_close(found[n, c], expected)
    assert not found[:, :, 0].any() and not found[1, 2].any()
    assert set(found.unique().tolist()) == {-1.0, 0.0, 1.0}
    torch.testing.assert_close(spikes(3 * x + 5, 0.5), found)  # brighter light is no movement


def test_neurons_leak_fire_and_are_lowered_as_counted_by_hand():
    branch = SpikingBranch(1, 2, 3, kernel=3, decay=0.8, factor=0.5).eval()
    x = torch.randn(2, 1, 9, 6, 6)
    current = branch.current(spikes(x, 0.5)).detach().numpy() * 2
    branch.current[1].weight.data *= 2  # so that they fire
    branch.current[1].bias.data *= 2
    potential, count = np.zeros_like(current[:, :, 0]), 0.0
    for step in range(9):
        potential = 0.8 * potential + current[:, :, step] - (potential > 1)
        count = count + (potential > 1)
    assert 0 < count.mean() < 9
    np.testing.assert_allclose(branch.rates(x).detach().numpy(), count.mean((2, 3)) / 9, atol=1e-6)


def test_the_spiking_branch_draws_nothing_and_gradients_reach_its_convolution():
    branch = SpikingBranch(2, 4, 3, kernel=3, decay=0.9, factor=0.5)
    assert isinstance(branch.neuron, snntorch.Leaky)
    x = torch.randn(3, 2, 8, 10, 10)
    first, second = branch(x), branch(x)
    assert torch.equal(first, second) and (branch.rates(x) > 0).any()
    first.sum().backward()
    assert all(p.grad is not None for p in branch.parameters())
    assert branch.current[0].weight.grad.abs().sum() > 0


def test_shapes_of_every_layer_at_the_papers_size():
    net = multiview_net(3).eval()
    seen = {}
    for name, layer in net.streams[0].named_modules():
        layer.register_forward_hook(lambda _, __, out, name=name: seen.update({name: tuple(out.shape)}))
    with torch.inference_mode():
        out = net(torch.full((1, 5, 32, 128, 128), 128.0))
    assert seen["local.0"] == (1, 8, 18, 126, 126)
    assert seen["local"] == (1, 8, 6, 42, 42)
    assert seen["memory.onward"] == seen["memory.backward"] == (1, 6, 16, 42, 42)
    assert seen["fused"] == (1, 16, 42, 42)
    assert seen["blocks.0"] == (1, 16, 21, 21) and seen["blocks"] == (1, 32, 10, 10)
    assert net.joined[0].in_features == 2 * 3200 and out.shape == (1, 3)
    assert net.streams[0].local[0].kernel_size == KERNEL == (15, 3, 3)


def counted(**switches):
    return sum(p.numel() for p in multiview_net(3, **SMALL, **switches).parameters())


def test_each_switch_takes_away_the_parameters_of_its_part():
    def stream(channels):  # convolution, batch norm, LSTM of two directions, fusing convolution, two blocks
        lstm = 2 * (4 * 4 * 9 * (3 + 4) + 4 * 4)
        return channels * 3 * 135 + 2 * 3 + lstm + 5 * 8 * 9 + 5 + (5 * 5 * 9 + 10) + (10 * 5 * 9 + 20)

    def neurons(channels):  # convolution, batch norm, two dense layers, their share of the last layer
        return channels * 2 * 27 + 4 + 2 * (2 * 2 + 2) + 2 * 3

    flat = 10  # 20 → 18 → 6 → 3 → 1 pixel
    tail = 7 + 7 * 3 + 3
    assert counted() == stream(3) + stream(2) + 2 * flat * 7 + tail + neurons(5)
    assert counted(spiking=False) == counted() - neurons(5)
    assert counted(flow=False) == stream(3) + flat * 7 + tail + neurons(3)
    without = 2 * (2 * (4 * 4 * 9 * (3 + 4) + 4 * 4) + 5 * 8 * 9 - 5 * 3 * 9)  # fused from 3 maps instead of 8
    assert counted(conv_lstm=False) == counted() - without


def test_without_flow_its_channels_are_not_read_and_with_it_they_are():
    x = torch.randint(0, 256, (2, 5, 20, 20, 20)).float()
    other = x.clone()
    other[:, 3:] = torch.randint(0, 256, other[:, 3:].shape).float()
    with torch.inference_mode():
        for switch in (True, False):
            net = multiview_net(3, **SMALL, flow=switch).eval()
            assert torch.equal(net(x), net(other)) != switch


def test_without_the_lstm_the_order_of_steps_is_lost():
    x = torch.randn(2, 3, 20, 20, 20)
    for switch in (True, False):
        net = multiview_net(3, **SMALL, conv_lstm=switch, spiking=False).eval()
        stream = net.streams[0]
        onwards = stream(x)
        stream.local.register_forward_hook(lambda _, __, steps: steps.flip(2))
        assert torch.allclose(stream(x), onwards) != switch


def test_gradients_reach_every_parameter_and_features_join_the_head():
    net = multiview_net(3, **SMALL)
    x = torch.randint(0, 256, (4, 5, 20, 20, 20)).float()
    F.cross_entropy(net(x), torch.tensor([0, 1, 2, 0])).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())
    net.eval()
    assert net.forward_features(x).shape == (4, 7 + 2)
    torch.testing.assert_close(net.forward_head(net.forward_features(x)), net(x))


def test_too_few_frames_or_pixels_are_refused():
    with pytest.raises(BadInput, match="16 frames of 128 pixels; give 17 frames"):
        multiview_net(3, frames=16)
    with pytest.raises(BadInput, match="of 14 pixels or more"):
        multiview_net(3, side=13)
    assert multiview_net(3, side=14, frames=17).joined[0].in_features == 2 * 32
