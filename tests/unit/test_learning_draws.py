"""What a fit draws: orders that use every sample, even classes, and dropout that is the same on any device."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mer_lib.learning.draws import Order, dropout_key, kept, kept_on, split, with_own_dropout

Y = np.array([0] * 30 + [1] * 9 + [2] * 4)


@pytest.mark.parametrize(
    ("n", "size", "sizes"), [(9, 4, [4, 5]), (10, 4, [4, 4, 2]), (3, 4, [3]), (1, 4, [1]), (3, 1, [1, 1, 1])]
)
def test_no_batch_of_one_is_left_over(n, size, sizes):
    batches = split(np.arange(n), size)
    assert [len(rows) for rows in batches] == sizes
    assert (np.concatenate(batches) == np.arange(n)).all()


def test_shuffled_takes_each_sample_once_in_another_order_each_epoch():
    order = Order(Y, 3, 8, "shuffled")
    one, two = (np.concatenate(order.draw()) for _ in range(2))
    assert (np.sort(one) == np.arange(43)).all() and (np.sort(two) == np.arange(43)).all()
    assert not np.array_equal(one, two)
    assert np.array_equal(one, np.concatenate(Order(Y, 3, 8, "shuffled").draw()))
    assert not np.array_equal(one, np.concatenate(Order(Y, 4, 8, "shuffled").draw()))


@given(st.lists(st.integers(0, 3), min_size=2, max_size=60), st.integers(0, 5))
def test_balanced_takes_classes_and_samples_of_a_class_equally_often(labels, seed):
    y = np.array(labels)
    order = np.concatenate(Order(y, seed, 7, "balanced").draw())
    assert len(order) == len(y)
    of_class = np.bincount(y[order], minlength=4)[np.unique(y)]
    assert of_class.max() - of_class.min() <= 1
    times = np.bincount(order, minlength=len(y))
    for k in np.unique(y):
        assert np.ptp(times[y == k]) <= 1
    assert np.array_equal(order, np.concatenate(Order(y, seed, 7, "balanced").draw()))


def test_balanced_draws_other_samples_of_the_common_class_each_epoch():
    order = Order(Y, 0, 8, "balanced")
    drawn = [set(rows[rows < 30]) for rows in (np.concatenate(order.draw()) for _ in range(30))]
    assert set.union(*drawn) == set(range(30)) and drawn[0] != drawn[1]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75])
def test_dropout_leaves_its_share_and_nothing_can_be_foreseen(share):
    rows = np.arange(300)
    found = np.stack([kept(rows, 400, share, dropout_key(seed, 0), epoch) for seed in (0, 1) for epoch in (1, 2)])
    error = np.sqrt(share * (1 - share) / found[0].size)
    assert np.abs(found.mean((1, 2)) - (1 - share)).max() < 5 * error
    flat = found.reshape(4, -1).astype(float) - (1 - share)
    together = flat @ flat.T / flat.shape[1] / (share * (1 - share))
    assert np.abs(together - np.eye(4)).max() < 5 / np.sqrt(flat.shape[1])
    for axis in (1, 2):  # neither samples nor units are favoured
        assert np.abs(found.mean((0, axis)) - (1 - share)).max() < 0.12


def test_dropout_depends_on_the_sample_not_on_its_place():
    key, rows = dropout_key(7, 1), np.array([5, 0, 9])
    assert np.array_equal(kept(rows, 12, 0.5, key, 3)[[1, 0, 2]], kept(rows[[1, 0, 2]], 12, 0.5, key, 3))


@pytest.mark.parametrize("units", [3, 400, 345_600])
def test_torch_leaves_the_same_units(units):
    key, rows = dropout_key(2**63 - 1, 2), np.array([0, 4, 70_000])
    there = kept_on(torch.from_numpy(rows), units, 0.3, torch.from_numpy(key), torch.tensor(800))
    assert np.array_equal(kept(rows, units, 0.3, key, 800), there.numpy())


def test_a_networks_own_dropout_is_replaced_and_is_off_when_it_predicts():
    model = nn.Sequential(nn.Linear(6, 50), nn.Dropout(0.5), nn.Sequential(nn.Dropout(1.0)))
    layers = with_own_dropout(model, 0, on_device=False)
    assert model[1] is layers[0] and model[2][0] is layers[1]
    assert set(model.state_dict()) == {"0.weight", "0.bias"}
    x = torch.ones(4, 50)
    layers[0].rows = torch.arange(4)
    assert set(layers[0](x).unique().tolist()) == {0.0, 2.0}
    layers[1].rows = torch.arange(4)
    assert not layers[1](x).any()
    assert torch.equal(layers[0].eval()(x), x)


def test_pictures_of_one_sample_are_dropped_apart():
    """A network that looks at each picture of a clip hands on (n · T, units), and each row draws its own."""
    layers = with_own_dropout(model := nn.Sequential(nn.Dropout(0.5)), 3, on_device=False)
    layers[0].rows = torch.tensor([4, 9])
    whole = model(torch.ones(2, 3 * 40))
    apart = model(torch.ones(2 * 3, 40))
    torch.testing.assert_close(apart, whole.view(6, 40))
    assert len({tuple(row.tolist()) for row in apart}) == 6
