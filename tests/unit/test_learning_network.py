"""The training loop of one network, against a loop written out by hand and by what it must learn."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save
from torch import nn

from mer_lib.learning.curves import due, figures
from mer_lib.learning.learner import Diverged, Recipe, Task
from mer_lib.learning.network import Network
from mer_lib.problems import BadInput


class Tiny(nn.Module):
    """(n, 2, 5, 5) -> (n, 3), with everything that makes order and mode matter: batch norm and dropout."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8)
        self.drop, self.head = nn.Dropout(dropout), nn.Linear(72, 3)

    def forward(self, x):
        return self.head(self.drop(torch.relu(self.norm(self.conv(x))).flatten(1)))


def problem(n=8):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 5, 5, 2)).astype(np.float32), np.arange(n) % 3


def network(build=Tiny, **recipe):
    return Network(build, Recipe(**{"lr": 0.01, "epochs": 60, "batch": 4, **recipe}), 3)


@pytest.mark.parametrize("recipe", [{"optimizer": "adam"}, {"optimizer": "sgd", "momentum": 0.9, "lr": 0.05}])
def test_it_learns_eight_samples_by_heart(recipe):
    x, y = problem()
    learner = network(**recipe)
    given = learner.probabilities(learner.fit(x, y, seed=0), x)
    assert (given.argmax(1) == y).all()
    np.testing.assert_allclose(given.sum(1), 1, atol=1e-5)


def test_it_equals_the_loop_written_out():
    """Full batches, no dropout: first weights, Adam, weighted loss and batch norm as torch's own pieces give them."""
    x, y = problem()
    y[y == 2] = 1  # 3 of class 0, 5 of class 1
    made = []

    def build():
        made.append(Tiny(dropout=0.0))
        made.append({name: value.clone() for name, value in made[-1].state_dict().items()})
        return made[0]

    state = network(build, batch=8, epochs=5, weight_decay=0.1, class_weights="balanced").fit(x, y, seed=0)
    model = Tiny(dropout=0.0)
    model.load_state_dict(made[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=0.1)
    data, truth = torch.tensor(x.transpose(0, 3, 1, 2).copy()), torch.tensor(y)
    for _ in range(5):
        loss = nn.CrossEntropyLoss(torch.tensor([8 / 6, 8 / 10, 0.0]))(model(data), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(state[name], value.numpy(), rtol=1e-4, atol=1e-5)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    x, y = problem()
    threads = torch.get_num_threads()
    one = save(network(epochs=5).fit(x, y, seed=3))
    torch.manual_seed(99)
    torch.set_num_threads(threads % 2 + 1)
    two = save(network(epochs=5).fit(x, y, seed=3))
    torch.set_num_threads(threads)
    assert one == two
    assert save(network(epochs=5).fit(x, y, seed=4)) != one


def test_the_order_of_the_samples_is_the_seeds():
    def build():
        torch.manual_seed(0)  # the same first weights for every seed
        return nn.Sequential(nn.Flatten(), nn.Linear(50, 3))

    x, y = problem()
    one, other = (network(build, batch=1, epochs=1).fit(x, y, seed=seed) for seed in (0, 1))
    assert not np.array_equal(one["1.bias"], other["1.bias"])


def test_fitting_leaves_torchs_own_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    network(epochs=2).fit(*problem(), seed=0)
    assert torch.equal(torch.rand(3), expected)


def test_watching_changes_nothing_and_sees_each_recorded_epoch():
    x, y = problem()
    seen = []

    def observe(epoch, truth, probabilities, watched):
        seen.append(epoch)
        assert watched.shape == (5, 3) and probabilities.shape == (8, 3)
        assert sorted(truth) == sorted(y)

    watched = network(epochs=35).fit_each([Task(x, y, 0, 35, observe, x[:5])])[0]
    assert save(watched) == save(network(epochs=35).fit(x, y, seed=0))
    assert seen == [1, 10, 20, *range(26, 36)] == [e for e in range(1, 36) if due(e, 35)]


def test_a_loss_that_is_no_number_stops_at_its_epoch():
    with pytest.raises(Diverged, match=r"NaN or infinite at epoch \d"):
        network(optimizer="sgd", lr=1e30).fit(*problem(), seed=0)


def test_weights_of_another_network_are_refused():
    state = network(epochs=1).fit(*problem(), seed=0)
    del state["head.bias"]
    with pytest.raises(BadInput, match=r"do not fit the network.*options"):
        network().probabilities(state, problem()[0])


def test_figures_of_a_curve():
    truth = np.array([0, 0, 1, 1])
    p = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    given = figures(truth, p)
    assert given["accuracy"] == 0.5
    assert given["uf1"] == pytest.approx((2 / 3 + 1 / 2) / 2)  # by hand; class 2 does not occur
    assert given["loss"] == pytest.approx(-np.log([0.8, 0.1, 0.8, 0.2]).mean())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"optimizer": "adamm"}, "did you mean 'adam'"),
        ({"class_weights": "auto"}, "balanced"),
        ({"sampling": "even"}, "balanced"),
        ({"precision": "float16"}, "did you mean 'float32'"),
        ({"lr": 0}, "must be positive"),
        ({"lr": float("inf")}, "must be positive"),
        ({"momentum": -0.1}, "momentum lies from 0 to 1"),
        ({"momentum": 1.0}, "momentum lies from 0 to 1"),
        ({"weight_decay": -1e-4}, "not negative"),
        ({"epochs": 0}, "must be positive"),
    ],
)
def test_a_recipe_says_what_is_wrong(wrong, told):
    with pytest.raises(BadInput, match=told):
        Recipe(**wrong)
