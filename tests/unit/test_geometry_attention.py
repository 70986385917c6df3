"""Attention against the formula worked out by hand, on a problem whose answer has a place, and behind the guard."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from learning_toys import CLASSES, table
from torch import nn
from torch.nn import functional as F

from mer_lib.geometry.attention import COLUMNS, activation, attend, attend_folds, shares
from mer_lib.learning.folds import TEST
from mer_lib.learning.protocols import make_folds
from mer_lib.learning.samples import Samples
from mer_lib.models.attention import MIDDLE, attention_resnet18, attention_small
from mer_lib.problems import BadInput

SIDE = 128
PLACES = {"negative": (24, 24), "positive": (24, 104), "surprise": (104, 64)}  # row, column of what a class changes
TRAIN = {"lr": 1e-3, "batch": 8, "epochs": 12}
YAWS = (-45.0, 45.0)


class Halves:
    """Views of every clip but one: the first shows the left half of the picture, the second the right one."""

    def __contains__(self, clip):
        return clip != "toy/s01/c1"

    def read(self, clip, name):
        masks = np.zeros((2, SIDE, SIDE), np.uint8)
        masks[0, :, : SIDE // 2], masks[1, :, SIDE // 2 :] = 255, 255
        return {"yaw": np.array(YAWS), "visible": masks}[name]


def changes(subjects=4):
    """Pictures that change in one place a class, with noise."""
    rows, rng = table(subjects, 3), np.random.default_rng(5)
    x = rng.normal(MIDDLE, 6, (len(rows), SIDE, SIDE, 3)).astype(np.float32)
    for picture, label in zip(x, rows["label"], strict=True):
        v, u = PLACES[label]
        picture[v - 12 : v + 12, u - 12 : u + 12] += 90
    return Samples(x, rows)


def options(**more):
    return {"network": "attention_small", "classes": CLASSES, "train": TRAIN, "seen": 0.6, "seed": 0, **more}


@pytest.fixture(scope="module")
def data():
    return changes()


@pytest.fixture(scope="module")
def fold(data):
    return make_folds("loso_views_refined", data.table)[0]


@pytest.fixture(scope="module")
def found(data, fold):
    return attend(data, fold, Halves(), **options())


def test_activation_is_the_formula():
    """Of a network that ends in a mean and a dense layer, ∂y_c/∂C_k is the dense weight over the positions."""
    torch.manual_seed(0)
    network = attention_small(3).eval()
    x = np.random.default_rng(0).normal(MIDDLE, 30, (4, SIDE, SIDE, 3)).astype(np.float32)
    y = np.array([2, 0, 1, 2])
    with torch.no_grad():
        maps = network.trunk((torch.from_numpy(x).movedim(-1, 1) - MIDDLE) / 32)
        weighted = torch.einsum("nk,nkhw->nhw", network.head.weight[torch.from_numpy(y)] / 256, maps)
        expected = F.relu(weighted)
        expected = (expected / expected.sum((1, 2), keepdim=True)).numpy()
    np.testing.assert_allclose(activation(network, x, y), expected, rtol=1e-4, atol=1e-7)


def test_activation_lies_where_the_class_is(found):
    for name, (row, column) in PLACES.items():
        each = found.maps[name]
        top = np.array(np.unravel_index(each.argmax(), each.shape)) * SIDE / each.shape[0]
        assert np.abs(top - (row, column)).max() < 28, name


def test_views_that_hide_it_are_dropped(found, fold):
    judged = found.judged
    assert tuple(judged) == COLUMNS and set(judged["clip"]) == set(fold.train) - {"toy/s01/c1"}
    kept = judged.pivot_table(index="label", columns="yaw", values="kept", aggfunc="mean")
    assert kept.loc["negative"].tolist() == [1, 0] and kept.loc["positive"].tolist() == [0, 1]
    assert (judged["kept"] == (judged["seen"] >= 0.6)).all()
    both = judged.groupby("clip")["seen"].sum()
    np.testing.assert_allclose(both, 1, atol=1e-5)


def test_a_test_clip_is_never_looked_at(data, fold, found):
    """Whatever its pictures and its label: attention stays as it is, and says nothing of its views."""
    rows = data.table["clip"].isin(fold.test).to_numpy()
    other = data.x.copy()
    other[rows] = np.random.default_rng(9).uniform(0, 255, other[rows].shape)
    labels = data.table["label"].where(~rows, "surprise")
    again = attend(Samples(other, data.table.assign(label=labels)), fold, Halves(), **options())
    pd.testing.assert_frame_equal(again.judged, found.judged)
    assert not set(found.judged["clip"]) & set(fold.test)


def test_shares_count_what_lies_on_the_face():
    masks = np.zeros((3, 8, 8), np.uint8)
    masks[0, :4, :4], masks[1, :4, 4:], masks[2, :4, :4] = 255, 255, 51
    even = np.full((8, 8), 1 / 64)
    np.testing.assert_allclose(shares(even, masks), [0.5, 0.5, 0.1])  # the lower half is no face
    np.testing.assert_allclose(shares(np.zeros((4, 4)), masks), 1)


def test_folds_come_one_behind_the_other(data):
    folds = make_folds("loso_views_refined", data.table)[:2]
    judged, maps = attend_folds(data, folds, Halves(), **options(train={**TRAIN, "epochs": 1}))
    assert list(dict.fromkeys(judged["fold"])) == [fold.name for fold in folds]
    assert set(maps) == {f"{fold.name}|{name}" for fold in folds for name in CLASSES}


def test_a_network_without_maps_is_bad_input():
    with pytest.raises(BadInput, match="no trunk"):
        activation(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), np.zeros((1, 2, 2, 3), np.float32), np.zeros(1, int))


def test_a_fold_that_lost_its_training_clips_is_bad_input(data, fold):
    nothing = replace(fold, side=np.full(len(fold.clips), TEST, np.uint8), clips=fold.clips)
    with pytest.raises(BadInput, match="lost all its training clips"):
        attend(data, nothing, Halves(), **options())


@pytest.mark.parametrize(("make", "maps"), [(attention_small, (64, 16, 16)), (attention_resnet18, (512, 4, 4))])
def test_networks(make, maps):
    network = make(3).eval()
    x = torch.full((2, 3, SIDE, SIDE), MIDDLE)
    assert network.trunk(x).shape == (2, *maps)
    assert network(x).shape == (2, 3)
    torch.testing.assert_close(network(x), network.forward_head(network.forward_features(x)))
