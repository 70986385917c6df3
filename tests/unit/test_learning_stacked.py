"""Other back ends against the plain loop: every step of every fold, and the seeds' spread at the end."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save
from torch import nn

from mer_lib.learning import network
from mer_lib.learning.learner import Diverged, Recipe, Task
from mer_lib.learning.network import Network
from mer_lib.models import ststnet_fused
from mer_lib.models.ststnet import ststnet
from mer_lib.problems import BadInput

SIZES = (21, 18, 9, 17)  # batches of 8, 8, 5 | 8, 8, 2 | 8, 1 joined to 9 | 8, 9
EPOCHS = 10  # all of which are recorded; 3 batches each
SGD = {"optimizer": "sgd", "lr": 0.02, "momentum": 0.9, "weight_decay": 0.01}
ADAM = {"optimizer": "adam", "lr": 0.003, "weight_decay": 0.01}


class Small(nn.Module):
    """(n, 2, 5, 5) -> (n, 3) with two dropouts and two kinds of batch norm."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8)
        self.drop, self.hidden = nn.Dropout(0.2), nn.Linear(72, 10)
        self.second, self.late, self.head = nn.BatchNorm1d(10), nn.Dropout(0.5), nn.Linear(10, 3)

    def forward(self, x):
        x = self.drop(torch.relu(self.norm(self.conv(x))).flatten(1))
        return self.head(self.late(torch.relu(self.second(self.hidden(x)))))


def tasks(shape, epochs=EPOCHS, sizes=SIZES):
    """Folds of different sizes and their records: (epoch, truth, probabilities of each step's rows, of two others)."""
    rng, made, records = np.random.default_rng(5), [], []
    for seed, n in enumerate(sizes):
        x, y = rng.normal(size=(n, *shape)).astype(np.float32), np.sort(np.arange(n) % 5 % 3)
        x[..., 0] += y.reshape(-1, *[1] * (len(shape) - 1)) * 0.5
        records.append([])
        made.append(Task(x, y, seed, epochs, lambda *seen, record=records[-1]: record.append(seen), x[:2] + 1))
    return made, records


def compare(one, other, shape, **tolerance):
    """Run both on the same folds; the records of every epoch agree, and so do the weights, but for ``skip``."""
    given, seen = tasks(shape)
    found = one.fit_each(given)
    expected, looked = tasks(shape)
    states = other.fit_each(expected)
    for fold, (a, b) in enumerate(zip(seen, looked, strict=True)):
        assert len(a) == len(b) == EPOCHS
        for (epoch, truth, own, watched), (_, truth_b, own_b, watched_b) in zip(a, b, strict=True):
            told = f"fold {fold}, epoch {epoch}"
            np.testing.assert_array_equal(truth, truth_b, told)
            np.testing.assert_allclose(own, own_b, err_msg=told, **tolerance)
            np.testing.assert_allclose(watched, watched_b, err_msg=told, **tolerance)
    return found, states


@pytest.mark.parametrize("sampling", ["shuffled", "balanced"])
@pytest.mark.parametrize("how", [SGD, ADAM], ids=["sgd", "adam"])
def test_stacked_folds_take_the_plain_loops_steps(how, sampling):
    recipe = Recipe(batch=8, class_weights="balanced", sampling=sampling, **how)
    one, other = Network(Small, recipe, 3, at_once=True), Network(Small, recipe, 3)
    found, states = compare(one, other, (5, 5, 2), atol=1e-3)
    for a, b in zip(found, states, strict=True):
        assert list(a) == list(b)
        for name in a:
            assert a[name].dtype == b[name].dtype and a[name].shape == b[name].shape
            if name not in ("conv.bias", "hidden.bias", "norm.running_mean", "second.running_mean"):
                np.testing.assert_allclose(a[name], b[name], atol=2e-3, err_msg=name)  # norm takes those biases away


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("batch_norm", [False, True], ids=["", "norm"])
@pytest.mark.parametrize("how", [SGD, ADAM], ids=["sgd", "adam"])
@pytest.mark.parametrize("back_end", ["compiled", "stacked"])
def test_other_back_ends_take_the_plain_loops_steps_with_ststnet(back_end, how, batch_norm, dropout):
    options = {"batch_norm": batch_norm, "dropout": dropout}

    def build():
        return ststnet(3, **options)

    recipe = Recipe(batch=8, class_weights="balanced", **how)
    kind = {"at_once": True} if back_end == "stacked" else {"compiled": ststnet_fused, "options": options}
    found, states = compare(Network(build, recipe, 3, **kind), Network(build, recipe, 3), (28, 28, 3), atol=1e-3)
    for a, b in zip(found, states, strict=True):
        assert list(a) == list(b)
        for name in a:
            assert a[name].dtype == b[name].dtype and a[name].shape == b[name].shape
            if not batch_norm or name not in ("streams.0.bias", "streams.1.running_mean"):
                np.testing.assert_allclose(a[name], b[name], rtol=1e-4, atol=3e-3, err_msg=name)  # one step of Adam
        if batch_norm:  # what is left of the bias behind the norm: the mean without it
            rest = [state["streams.1.running_mean"] - state["streams.0.bias"] for state in (a, b)]
            np.testing.assert_allclose(*rest, atol=0.03)


def test_stacked_folds_may_stop_at_different_epochs():
    given, _ = tasks((5, 5, 2))
    given = [Task(t.x, t.y, t.seed, epochs) for t, epochs in zip(given, (3, 9, 1, 5), strict=True)]
    recipe = Recipe(batch=8, **SGD)
    found = Network(Small, recipe, 3, at_once=True).fit_each(given)
    for a, b in zip(found, Network(Small, recipe, 3).fit_each(given), strict=True):
        np.testing.assert_allclose(a["head.weight"], b["head.weight"], atol=1e-4)
        assert a["norm.num_batches_tracked"] == b["norm.num_batches_tracked"]


def test_a_gpu_that_is_too_small_is_said_with_the_remedy(monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(network.Stacked, "epoch", full)
    with pytest.raises(BadInput, match="does not hold the training of 4 networks at once; lower folds_per_job"):
        Network(Small, Recipe(batch=8), 3, at_once=True).fit_each(tasks((5, 5, 2))[0])


def test_stacked_seeds_share_the_samples_of_their_fold():
    (first, *_), _ = tasks((5, 5, 2))
    given = [Task(first.x, first.y, seed, 5) for seed in range(3)]
    recipe = Recipe(batch=8, **SGD)
    found = Network(Small, recipe, 3, at_once=True).fit_each(given)
    for a, b in zip(found, Network(Small, recipe, 3).fit_each(given), strict=True):
        np.testing.assert_allclose(a["head.weight"], b["head.weight"], atol=1e-4)


@pytest.mark.parametrize("kind", [{}, {"compiled": ststnet_fused, "options": {"dropout": 0.5, "batch_norm": True}}])
def test_a_network_on_a_cpu_is_the_same_bytes_whatever_trains_beside_it(kind):
    learner = Network(lambda: ststnet(3, dropout=0.5, batch_norm=True), Recipe(batch=8, lr=1e-3), 3, **kind)
    given, _ = tasks((28, 28, 3), epochs=3)
    together = learner.fit_each(given)
    for task, state in zip(given, together, strict=True):
        assert save(learner.fit_each([task])[0]) == save(state)


@pytest.mark.parametrize(
    "kind", [{"at_once": True}, {"compiled": ststnet_fused, "options": {"dropout": 0.0, "batch_norm": False}}, {}]
)
def test_a_loss_that_is_no_number_names_its_fit(kind):
    given, _ = tasks((28, 28, 3))
    x = given[2].x.copy()
    x[0] = 1e30
    given[2] = Task(x, given[2].y, 2, EPOCHS)
    learner = Network(lambda: ststnet(3, dropout=0.0), Recipe(batch=8, optimizer="sgd", lr=1e-3), 3, **kind)
    with pytest.raises(Diverged) as caught:
        learner.fit_each(given)
    assert caught.value.which == 2 and caught.value.epoch <= 2


@pytest.mark.parametrize(
    "kind", [{"at_once": True}, {"compiled": ststnet_fused, "options": {"dropout": 0.0, "batch_norm": True}}]
)
def test_every_back_end_learns_by_heart_and_its_weights_are_torchs(kind):
    def build():
        return ststnet(3, dropout=0.0, batch_norm=True)

    given, _ = tasks((28, 28, 3), epochs=60)
    learner = Network(build, Recipe(batch=8, lr=0.01), 3, **kind)
    for task, state in zip(given, learner.fit_each(given), strict=True):
        assert (learner.probabilities(state, task.x).argmax(1) == task.y).all()
        model = build().eval()
        model.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
        logits = model(torch.from_numpy(task.x).movedim(-1, 1)).detach()
        np.testing.assert_allclose(logits.softmax(1).numpy(), learner.probabilities(state, task.x), atol=1e-6)


def test_at_the_end_back_ends_differ_less_than_seeds_do():
    """Trained on until float errors have grown: the compiled network is no further off than another seed is."""
    options = {"dropout": 0.5, "batch_norm": False}
    rng = np.random.default_rng(0)
    y = np.arange(45) % 3
    prototypes = rng.normal(size=(3, 28, 28, 3))
    draw = lambda: (0.1 * prototypes[y] + rng.normal(size=(45, 28, 28, 3))).astype(np.float32)  # noqa: E731
    x, other = draw(), draw()
    recipe = Recipe(batch=16, lr=1e-3)
    given = [Task(x, y, seed, 40) for seed in range(4)]
    found = []
    for kind in ({}, {"compiled": ststnet_fused, "options": options}, {"at_once": True}):
        learner = Network(lambda: ststnet(3, **options), recipe, 3, **kind)
        found.append(np.array([learner.probabilities(state, other) for state in learner.fit_each(given)]))
    plain, compiled, stacked = found
    spread = np.abs(plain - plain.mean(0)).mean()
    for back_end in (compiled, stacked):
        assert np.abs(back_end - plain).mean() < spread
        accuracy = [(p.argmax(2) == y).mean(1) for p in (back_end, plain)]
        assert abs(accuracy[0].mean() - accuracy[1].mean()) <= accuracy[1].std() + 1e-9
