"""Features that stay in their store: the same numbers as an array in memory, read no more than a batch at a time."""

import numpy as np
import pandas as pd
import pytest
import torch
from learning_toys import CLASSES, samples
from torch import nn
from torch.nn import functional as F

from mer_lib.learning import rows
from mer_lib.learning.fit import run_folds
from mer_lib.learning.guard import Guarded, LeakError
from mer_lib.learning.learner import Recipe, Task
from mer_lib.learning.network import Network
from mer_lib.learning.protocols import make_folds
from mer_lib.learning.rows import Joined, Rows
from mer_lib.learning.samples import Samples, finite
from mer_lib.problems import collect
from mer_lib.store import Header, Store, write_shard

SVM = {"kind": "classifier", "name": "svm_linear", "classes": CLASSES}


class Counting:
    """An array that remembers the most rows that were asked of it at once."""

    def __init__(self, array):
        self.array, self.most = array, 0
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, at):
        self.most = max(self.most, len(self.array[at]))
        return self.array[at]


@pytest.fixture
def always_lazy(monkeypatch):
    monkeypatch.setattr(rows, "WHOLE", 0)


@pytest.mark.parametrize("kind", ["uint8", "float16", "float32"])
def test_rows_of_a_store_are_the_column(tmp_path, kind):
    table = pd.DataFrame({"clip": [f"d/s/{i}" for i in range(5)]})
    values = np.random.default_rng(0).uniform(0, 255, (5, 2, 3, 4)).astype(kind)
    made = lambda row: {"x": values[int(row.clip[-1])]}  # noqa: E731
    write_shard(tmp_path / "a.h5", Header("features", "d", "0", "r"), table.itertuples(index=False), made)
    with Store(tmp_path / "a.h5") as store:
        whole, lazy = store.column("x").astype(np.float32), Rows(store.stored("x"))
        assert lazy.shape == (10, 3, 4) and len(lazy) == 10
        for at in (slice(2, 7), slice(None), np.array([7, 1, 1, 9, 0]), np.array([], int), np.arange(10) % 3 == 0):
            np.testing.assert_array_equal(lazy[at], whole[at])
        np.testing.assert_array_equal(lazy.pick(np.array([8, 2, 3]))[np.array([2, 0])], whole[[3, 8]])
        np.testing.assert_array_equal(np.asarray(lazy), whole)
        assert lazy[:].dtype == np.float32


def test_sources_are_joined_as_arrays_are():
    """Recordings and their views lie in two stores."""
    sources = [
        np.arange(n * 6, dtype=kind).reshape(n, 2, 3) + n for n, kind in ((4, np.uint8), (0, np.uint8), (9, "f2"))
    ]
    joined, whole = Joined(sources), np.concatenate(sources)
    assert joined.shape == whole.shape and joined.dtype == whole.dtype
    for at in (slice(2, 7), slice(None), np.array([12, 1, 1, 4, 3]), np.array([], int), np.arange(13) % 3 == 0):
        np.testing.assert_array_equal(joined[at], whole[at])
    with pytest.raises(ValueError, match="not joined"):
        Joined([sources[0], np.zeros((2, 3, 3))])


def test_small_features_are_held_and_large_ones_are_not(monkeypatch):
    lazy = Rows(np.zeros((4, 10), np.uint8))
    assert isinstance(rows.held(lazy), np.ndarray)
    monkeypatch.setattr(rows, "WHOLE", 4 * 40 - 1)
    assert rows.held(lazy) is lazy


def test_a_pass_over_all_rows_reads_a_block_at_a_time(monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", 4 * 6 * 5)
    source = Counting(np.random.default_rng(0).normal(size=(33, 6)).astype(np.float32))
    lazy, whole = Samples(Rows(source), samples(11, 3).table), Samples(source.array, samples(11, 3).table)
    assert lazy.scan.content == whole.scan.content
    np.testing.assert_array_equal(lazy.fingerprints, whole.fingerprints)
    np.testing.assert_array_equal(lazy.scan.columns, whole.scan.columns)
    assert source.most == 5


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.drop, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Dropout(0.3), nn.Linear(4 * 36, 3)

    def forward(self, x):
        return self.head(self.drop(torch.relu(self.conv(x)).flatten(1)))


def test_a_network_is_trained_on_rows_as_on_the_array():
    data = samples(subjects=5, shape=(6, 6, 3))
    source = Counting(data.x)
    y = np.array([CLASSES.index(label) for label in data.table["label"]])
    learner = Network(Small, Recipe(lr=1e-2, batch=4, epochs=5), 3)
    seen = {}
    for name, x in (("array", data.x), ("rows", Rows(source))):
        observed = []
        task = Task(x, y, 3, 5, lambda *given, to=observed: to.append(given), x)
        (state,) = learner.fit_each([task])
        seen[name] = (state, observed, learner.probabilities(state, x))
    for key, array in seen["array"][0].items():
        np.testing.assert_array_equal(array, seen["rows"][0][key])
    np.testing.assert_array_equal(seen["array"][2], seen["rows"][2])
    for one, other in zip(seen["array"][1], seen["rows"][1], strict=True):
        assert one[0] == other[0]
        np.testing.assert_array_equal(one[3], other[3])
    assert source.most == len(data)  # predicted at once, being small; see the next test


def test_prediction_of_large_rows_goes_by_few(monkeypatch):
    monkeypatch.setattr("mer_lib.learning.tensors.BYTES", 4 * 4 * 108)
    source = Counting(samples(subjects=5, shape=(6, 6, 3)).x)
    learner = Network(Small, Recipe(batch=4, epochs=1), 3)
    learner.probabilities(learner.fit(Rows(source), np.arange(15) % 3, seed=0), Rows(source))
    assert source.most == 4


@pytest.mark.usefixtures("always_lazy")
def test_a_run_gives_the_same_predictions():
    data = samples(shape=(40,))
    folds = make_folds("loso", data.table)
    lazy = finite(Rows(data.x), data.table)
    assert isinstance(lazy.x, Rows)
    pd.testing.assert_frame_equal(run_folds(lazy, folds, **SVM).predictions, run_folds(data, folds, **SVM).predictions)


@pytest.mark.usefixtures("always_lazy")
def test_a_compiled_network_reads_batches_by_the_plain_loop():
    data = samples()
    how = {"kind": "model", "name": "ststnet", "classes": CLASSES, "train": {"epochs": 3, "batch": 4}}
    folds = make_folds("loso", data.table)[:1]
    lazy = run_folds(Samples(Rows(data.x), data.table), folds, **how).predictions
    held = run_folds(data, folds, **how).predictions
    np.testing.assert_allclose(lazy["p_negative"], held["p_negative"], atol=1e-4)


@pytest.mark.usefixtures("always_lazy")
def test_rows_that_are_no_numbers_are_left_out_and_told():
    data = samples(shape=(40,))
    x = data.x.copy()
    x[4, 7] = np.nan
    with collect() as notes:
        kept = finite(Rows(x), data.table)
    assert len(kept) == len(data) - 1 and notes[0].clip == data.table["clip"][4]
    np.testing.assert_array_equal(kept.x[:], np.delete(x, 4, axis=0))


def planted(kind, data):
    x = data.x.copy()
    if kind == "normalised_over_all_clips":
        x = (x - x.mean(0)) / x.std(0)
    elif kind == "projected_over_all_clips":
        x = np.linalg.svd(x - x.mean(0), full_matrices=False)[0][:, :8]
    elif kind == "label_in_features":
        x[:, 399] = [CLASSES.index(label) for label in data.table["label"]]
    elif kind == "copy_under_another_name":
        x[5] = 0.8 * x[1] + 20
    return x


@pytest.mark.parametrize(
    "kind",
    ["normalised_over_all_clips", "projected_over_all_clips", "label_in_features", "copy_under_another_name"],
)
def test_the_guard_sees_through_rows_that_are_not_held(kind, monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", 4 * 400 * 7)
    data = samples(subjects=12, shape=(400,))
    fold = make_folds("loso", data.table)[0]
    Guarded(Samples(Rows(data.x), data.table), fold)
    with pytest.raises(LeakError, match=kind):
        Guarded(Samples(Rows(planted(kind, data).astype(np.float32)), data.table), fold)


class TwoHeads(Small):
    """A second head that only the loss knows."""

    def __init__(self):
        super().__init__()
        self.other = nn.Linear(4 * 36, 3)

    def training_loss(self, x, truth, weight):
        features = torch.relu(self.conv(x)).flatten(1)
        logits = self.head(self.drop(features))
        other = F.cross_entropy(self.other(features), truth, weight=weight)
        return logits, F.cross_entropy(logits, truth, weight=weight) + other


def test_a_model_may_have_a_loss_of_its_own():
    data = samples(subjects=5, shape=(6, 6, 3))
    y = np.array([CLASSES.index(label) for label in data.table["label"]])
    learner = Network(TwoHeads, Recipe(lr=1e-2, batch=4, epochs=30), 3)
    torch.manual_seed(0)
    state = learner.fit(data.x, y, seed=0)
    features = F.relu(F.conv2d(torch.from_numpy(data.x).movedim(-1, 1), *(
        torch.from_numpy(state[f"conv.{name}"]) for name in ("weight", "bias")
    ), padding=1)).flatten(1)  # fmt: skip
    other = features @ torch.from_numpy(state["other.weight"]).T + torch.from_numpy(state["other.bias"])
    assert (other.argmax(1).numpy() == y).all()  # the head that only training_loss reaches has learnt
    assert (learner.probabilities(state, data.x).argmax(1) == y).all()


def test_a_loss_of_its_own_is_for_the_plain_loop():
    learner = Network(TwoHeads, Recipe(epochs=1), 3, at_once=True)
    with pytest.raises(TypeError, match="plain loop"):
        learner.fit(samples(shape=(6, 6, 3)).x, np.arange(12) % 3, seed=0)
