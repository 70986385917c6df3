"""Auxiliary clips: they train in every fold, and are nobody whom a fold tests and nothing that a figure counts."""

import numpy as np
import pandas as pd
import pytest
from learning_toys import CLASSES, samples, table
from torch import nn

from mer_lib.learning import guard
from mer_lib.learning.fit import run_folds
from mer_lib.learning.guard import LeakError
from mer_lib.learning.learner import Recipe, Task
from mer_lib.learning.network import Network
from mer_lib.learning.protocols import make_folds
from mer_lib.learning.rows import Rows, joined
from mer_lib.learning.samples import Samples
from mer_lib.problems import BadInput

STSTNET = {"kind": "model", "name": "ststnet", "classes": CLASSES, "train": {"epochs": 1, "batch": 8}}


@pytest.fixture
def corpus():
    return samples()


@pytest.fixture
def macro(corpus):
    """Other people, other pictures."""
    return Samples(np.random.default_rng(8).random(corpus.x.shape).astype(np.float32), table(dataset="macro"))


def refused(kind, auxiliary, corpus):
    assert kind in guard.KINDS
    folds = make_folds("loso", corpus.table)
    with pytest.raises(LeakError, match=rf"leak refused \({kind}: "):
        run_folds(corpus, folds, **STSTNET, auxiliary=auxiliary)


def test_a_subject_under_another_spelling(corpus, macro):
    shouted = corpus.table.assign(subject=corpus.table["subject"].str.upper())
    shouted["dataset"] = shouted["subject"].str.split("/").str[0]
    shouted["clip"] = shouted["subject"] + "/" + shouted["clip"].str.split("/").str[-1]
    refused("auxiliary_subject_in_corpus", Samples(macro.x, shouted), corpus)


def test_a_tested_clip_as_somebody_else(corpus, macro):
    x = macro.x.copy()
    x[3] = 0.5 * corpus.x[4]  # darker
    refused("copy_under_another_name", Samples(x, macro.table), corpus)


def test_auxiliary_clips_train_and_are_never_scored(corpus, macro):
    folds = make_folds("loso", corpus.table)[:2]
    alone, beside = run_folds(corpus, folds, **STSTNET), run_folds(corpus, folds, **STSTNET, auxiliary=macro)
    assert list(beside.predictions["clip"]) == list(alone.predictions["clip"])
    assert set(beside.predictions["dataset"]) == set(corpus.table["dataset"])
    probabilities = [f"p_{name}" for name in CLASSES]
    assert not np.allclose(beside.predictions[probabilities], alone.predictions[probabilities])
    again = run_folds(corpus, folds, **STSTNET, auxiliary=macro)
    pd.testing.assert_frame_equal(again.predictions, beside.predictions)


def test_clips_without_a_label_train_nobody(corpus, macro):
    with pytest.raises(BadInput, match="no auxiliary clip has a label"):
        run_folds(
            corpus,
            make_folds("loso", corpus.table),
            **STSTNET,
            auxiliary=Samples(macro.x, macro.table.assign(label="")),
        )


class Told(nn.Module):
    """Keeps what its loss is handed."""

    domains = True

    def __init__(self):
        super().__init__()
        self.layer, self.seen = nn.Linear(1, 3), []

    def forward(self, x):
        return self.layer(x)

    def training_loss(self, x, truth, weight, domain=None):
        self.seen.append((x[:, 0].tolist(), None if domain is None else domain.tolist()))
        logits = self.layer(x)
        return logits, nn.functional.cross_entropy(logits, truth)


def test_the_loss_is_handed_each_rows_domain_and_the_curve_the_folds_own_rows_only():
    kept, observed = [], []
    x, y = np.arange(6, dtype=np.float32)[:, None], np.array([0, 1, 2, 0, 1, 2])
    domain = np.array([0, 0, 0, 0, 1, 1])

    def build():
        kept.append(Told())
        return kept[-1]

    learner = Network(build, Recipe(epochs=1, batch=4), 3)
    learner.fit_each([Task(x, y, 0, 1, lambda *seen: observed.append(seen), None, domain)])
    told = {row: d for rows, domains in kept[0].seen for row, d in zip(rows, domains, strict=True)}
    assert told == dict(zip(x[:, 0].tolist(), domain.tolist(), strict=True))
    _, truth, own, _ = observed[0]
    assert len(truth) == len(own) == 4 and sorted(truth) == [0, 0, 1, 2]


def test_rows_that_stay_in_two_stores_are_read_as_one():
    a, b = np.arange(12, dtype=np.float32).reshape(4, 3), -np.arange(9, dtype=np.float32).reshape(3, 3)
    lazy, held = joined(Rows(a), b), joined(a, b)
    assert isinstance(lazy, Rows) and lazy.shape == held.shape == (7, 3)
    at = np.array([6, 0, 3, 4])
    assert np.array_equal(lazy[at], held[at]) and np.array_equal(lazy[2:5], held[2:5])
    with pytest.raises(BadInput, match="the same descriptor"):
        joined(a, b[:, :2])
