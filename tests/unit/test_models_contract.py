"""What every registered network must keep, through the doors that training uses: shapes, gradients, determinism, that
it learns, save and load, folds side by side, export to ONNX, and the parameters and operations it declares.
"""

import logging
import warnings

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mer_lib import registry, weights
from mer_lib.learning.costs import flops, kept_mb
from mer_lib.learning.learner import Fitted, Recipe, Task, make
from mer_lib.learning.network import Network

NETWORKS = registry.entries("model")
STACKED = [name for name, entry in NETWORKS.items() if entry.meta.get("stacked")]
FACTS = {"title", "paper", "doi", "year", "inputs", "channels", "side", "parameters", "flops"}
# Where the options leave a choice, the smallest input of the same layers.
SMALL = {
    "atnet": {"frames": 3},
    "flow_3d_cnn": {"frames": 8},
    "micro_exp_fuse_intermediate": {"frames": 18},
    "micro_exp_fuse_late": {"frames": 18},
    "micro_exp_stcnn": {"frames": 18},
    "multiview_net": {"side": 32, "frames": 23},
    "takalkar_cnn": {"frames": 3},
}
# Learning rate and steps of Adam within which eight samples are known by heart.
BY_HEART = {
    "alexnet": (1e-4, 20),
    "atnet": (1e-3, 30),
    "attention_resnet18": (1e-3, 60),
    "attention_small": (3e-3, 60),
    "capsulenet": (1e-3, 20),
    "dssn": (1e-3, 30),
    "dual_inception": (1e-3, 60),
    "flow_3d_cnn": (1e-3, 30),
    "micro_attention": (1e-3, 60),
    "micro_exp_fuse_intermediate": (1e-4, 30),
    "micro_exp_fuse_intermediate_18": (1e-4, 30),
    "micro_exp_fuse_late": (1e-4, 30),
    "micro_exp_fuse_late_18": (1e-4, 30),
    "micro_exp_stcnn": (1e-3, 40),
    "micro_exp_stcnn_18": (1e-3, 40),
    "mjfn": (1e-3, 60),
    "mjfn_avg": (1e-3, 80),
    "mjfn_bbn": (3e-4, 100),
    "multiview_net": (1e-2, 40),
    "offapexnet": (1e-3, 60),
    "part_adversarial": (1e-3, 60),
    "part_based": (1e-3, 60),
    "rcn": (3e-3, 60),
    "sssn": (1e-3, 30),
    "ststnet": (1e-3, 150),
    "ststnet_published": (1e-3, 100),
    "takalkar_cnn": (1e-3, 30),
}
QUICK = ("micro_exp_stcnn_18", "offapexnet", "rcn", "ststnet", "ststnet_published", "takalkar_cnn")


def some_slow(quick):
    """Every network; those that are not quick are for the long run of the tests."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS]


def options(name):
    return NETWORKS[name].complete(SMALL.get(name, {}))


def shape(name, given=None) -> tuple[int, ...]:
    """Of a sample (..., C), as registration and options declare it."""
    facts = {**NETWORKS[name].meta, **(options(name) if given is None else given)}
    frames = (facts["frames"],) if facts.get("frames") else ()
    return (*frames, facts["side"], facts["side"], facts["channels"])


def samples(name, n=8):
    """Smooth pictures, or films that fade from one to another, each unlike the rest; and their classes."""
    *frames, side, _, channels = shape(name)
    rng = np.random.default_rng(0)
    ends = rng.uniform(0, 255, (n, 2, 5, 5, channels)).astype(np.float32)
    large = [[cv2.resize(end, (side, side)).reshape(side, side, channels) for end in pair] for pair in ends]
    pictures = np.array(large)  # (n, 2, side, side, C)
    if NETWORKS[name].meta["inputs"] == "flow_emr":
        pictures = (pictures - 128) / 32  # pixels of flow
    along = np.linspace(0, 1, frames[0], dtype=np.float32) if frames else np.zeros(1, np.float32)
    films = np.stack([(1 - t) * pictures[:, 0] + t * pictures[:, 1] for t in along], axis=1)
    return films if frames else films[:, 0], np.arange(n) % 3


def drawn(name, classes=3):
    torch.manual_seed(0)
    return NETWORKS[name].load()(classes, **options(name))


def tensor(x):
    return torch.from_numpy(x).movedim(-1, 1).contiguous()


@pytest.mark.parametrize("name", NETWORKS)
def test_its_registration_tells_what_it_is(name):
    entry = NETWORKS[name]
    assert entry.doc and set(entry.meta) >= FACTS
    descriptor = registry.get("descriptor", entry.meta["inputs"])
    assert len(descriptor.meta["channels"]) == entry.meta["channels"]
    assert "frames" not in entry.meta or entry.meta["frames"] in descriptor.options.values()


@pytest.mark.parametrize("name", NETWORKS)
def test_it_has_the_parameters_and_operations_it_declares(name):
    """Counted without memory, so that the largest take no longer than the smallest."""
    entry = NETWORKS[name]
    device = "cpu" if name == "multiview_net" else "meta"  # its neurons ask for the values of their settings
    with torch.device(device):
        network = entry.load()(3, **entry.options)
    assert sum(p.numel() for p in network.parameters()) == entry.meta["parameters"]
    assert flops(network, shape(name, entry.options)) == entry.meta["flops"]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_job_asks_for_the_memory_of_its_batch(name):
    """What is kept of a sample, once for its values and once for their gradients, is in what the job asks for."""
    entry = NETWORKS[name]
    device = "cpu" if name == "multiview_net" else "meta"
    with torch.device(device):
        network = entry.load()(3, **entry.options)
    kept = kept_mb(network, shape(name, entry.options))
    assert kept < entry.meta.get("sample_mb", 4), "declare what a sample needs"
    assert entry.meta.get("sample_mb", 0) < 4 * kept, "and no more"


def test_operations_are_those_of_pen_and_paper():
    """Two for each multiplication with its addition; those of an LSTM, which runs as one, among them."""
    assert NETWORKS["ststnet"].meta["flops"] == 2 * (28 * 28 * 16 * 27 + 400 * 3)
    one = nn.LSTM(147, 128, batch_first=True)
    recurrent = 2 * 10 * 4 * 128 * (147 + 128)
    seen = Looking(one)
    assert flops(seen, (10, 147, 1)) == recurrent
    assert seen.training


class Looking(nn.Module):
    """(n, 1, T, D) → the states of an LSTM."""

    def __init__(self, lstm):
        super().__init__()
        self.lstm = lstm

    def forward(self, x):
        return self.lstm(x[:, 0])[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_and_gradients(name):
    """Four classes; each weight that the loss reads gets a gradient, and it is one of numbers."""
    network, x = drawn(name, 4), tensor(samples(name, 2)[0])
    with torch.no_grad():
        network.eval()
        logits = network(x)
        assert logits.shape == (2, 4) and torch.isfinite(logits).all()
        torch.testing.assert_close(network.forward_head(network.forward_features(x)), logits, rtol=0, atol=0)
    network.train()
    truth, weight = torch.tensor([1, 3]), torch.ones(4)
    if hasattr(network, "training_loss"):
        told, loss = network.training_loss(x, truth, weight)
        assert told.shape == (2, 4)
    else:
        loss = F.cross_entropy(network(x), truth, weight=weight)
    loss.backward()
    gradients = {n: p.grad for n, p in network.named_parameters()}
    assert all(g is not None and torch.isfinite(g).all() for g in gradients.values())
    assert all(g.abs().sum() > 0 for n, g in gradients.items() if n.endswith("weight")), "nothing is cut off"


@pytest.mark.parametrize("name", some_slow(QUICK))
def test_the_same_seed_gives_the_same_bytes_and_they_come_back_from_their_file(name, tmp_path):
    x, y = samples(name, 4)
    learner = make("model", name, 3, options(name), Recipe(batch=2, max_steps=2, epochs=1))
    state, again, other = (learner.fit(x, y, seed=seed) for seed in (1, 1, 2))
    assert all(state[key].tobytes() == again[key].tobytes() for key in state)
    assert any(not np.array_equal(state[key], other[key]) for key in state)
    shares = learner.probabilities(state, x)
    assert shares.shape == (4, 3) and np.isfinite(shares).all()
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    fitted = Fitted("model", name, ("a", "b", "c"), options(name), state)
    weights.save(tmp_path / "m.safetensors", fitted.state, fitted.meta)
    back = Fitted.from_state(*weights.load(tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(back.probabilities(x), shares)


@pytest.mark.parametrize("name", some_slow(QUICK))
def test_it_learns_eight_samples_by_heart(name):
    """As it is trained and as it predicts: dropout and its own loss in training, running statistics afterwards."""
    x, y = samples(name)
    rate, steps = BY_HEART[name]
    learner = make("model", name, 3, options(name), Recipe(batch=8, lr=rate, epochs=steps))
    shares = learner.probabilities(learner.fit(x, y, seed=1), x)
    assert (shares.argmax(1) == y).all(), shares[np.arange(8), y].round(2)


@pytest.mark.parametrize("name", STACKED)
def test_folds_side_by_side_are_those_of_the_plain_loop(name):
    """Two folds of unequal size, dropout and all: the same seeds draw the same, so the weights come out alike."""
    build = lambda: NETWORKS[name].load()(3)  # noqa: E731
    x = np.random.default_rng(1).uniform(0, 255, (16, *shape(name))).astype(np.float32)
    tasks = [Task(x[:9], np.arange(9) % 3, 0, 2), Task(x[9:], np.arange(7) % 3, 1, 2)]
    recipe = Recipe(batch=4, optimizer="sgd", lr=1e-3)
    plain = Network(build, recipe, 3).fit_each(tasks)
    stacked = Network(build, recipe, 3, at_once=True).fit_each(tasks)
    still = Network(build, Recipe(batch=4, optimizer="sgd", lr=1e-30), 3).fit_each(tasks)
    for a, b, start in zip(plain, stacked, still, strict=True):
        assert max(np.abs(a[n] - start[n]).max() for n in a if n.endswith("weight")) > 1e-5
        for n in a:
            np.testing.assert_allclose(a[n], b[n], rtol=1e-3, atol=3e-5, err_msg=n)


@pytest.mark.parametrize("name", some_slow(["ststnet"]))
def test_it_answers_the_same_as_onnx(name, tmp_path):
    """Exported by torch for any number of samples, run by ONNX Runtime on another number of them."""
    network, (x, _) = drawn(name).eval(), samples(name, 3)
    file, x = tmp_path / "network.onnx", tensor(x)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own calls
        exported = torch.onnx.export(
            network, (x[:2],), dynamic_shapes=({0: torch.export.Dim("n")},), dynamo=True, verbose=False
        )
        exported.save(file)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    expected = network(x).detach().numpy()
    assert found.shape == (3, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * max(1, np.abs(expected).max()))
