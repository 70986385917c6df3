"""The identity probe: right where the answer is known, at chance where there is nothing to find."""

import json

import numpy as np
import pandas as pd
import pytest
from learning_toys import samples, table
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mer_lib.learning import controls
from mer_lib.learning.controls import identity
from mer_lib.learning.samples import Samples
from mer_lib.problems import BadInput


def people(strength, subjects=12, clips=6, features=60, seed=0):
    """Noise around one prototype a subject."""
    rows, rng = table(subjects, clips), np.random.default_rng(seed)
    owner = np.repeat(np.arange(subjects), clips)
    faces = rng.normal(size=(subjects, features))[owner]
    return Samples(strength * faces + rng.normal(size=(len(rows), features)), rows)


def test_faces_that_show_are_found_and_noise_is_at_chance():
    found, noise = identity(people(1.0)), identity(people(0.0))
    assert found["accuracy"] == 1.0 and found["p"] == pytest.approx(1 / 201)
    assert found["chance"] == 1 / 12 == found["most_frequent"]
    assert found["low"] > 0.9 and found["permuted_high"] < 0.25
    assert noise["low"] < 1 / 12 < noise["high"] and noise["p"] > 0.05
    assert abs(noise["permuted"] - 1 / 12) < 0.02


def test_p_is_even_where_there_is_nothing_to_find():
    """Of 40 probes of noise few are below .1 and few above .9 (each count has 4 expected, binomial)."""
    p = np.array([identity(people(0.0, subjects=6, clips=4, features=20, seed=s), seed=s)["p"] for s in range(40)])
    assert 0.35 < p.mean() < 0.65
    assert (p < 0.1).sum() <= 10 and (p > 0.9).sum() <= 10


def test_it_is_scikit_learns_ridge_classifier_on_every_fold():
    data = people(0.25, subjects=7, clips=9)
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(7), 9)
    train = rng.random(63) < 0.8
    theirs = make_pipeline(StandardScaler(), RidgeClassifier(alpha=60.0)).fit(data.x[train].astype(float), owner[train])
    ours = controls._predicted(data.x[train], owner[train][:, None], data.x[~train])
    np.testing.assert_array_equal(ours[:, 0], theirs.predict(data.x[~train].astype(float)))


def test_each_subject_is_spread_over_the_folds():
    owner = np.repeat(np.arange(20), np.arange(2, 22))
    fold = controls._dealt(owner, np.random.default_rng(0))
    for k in range(20):
        count = np.bincount(fold[owner == k], minlength=controls.FOLDS)
        assert count.max() - count.min() <= 1  # so whoever has two clips is always trained on


def test_subjects_with_one_clip_views_and_copies_are_left_out():
    data = people(1.0)
    lonely = table(subjects=1, clips=1, dataset="other")
    turned, copied = data.table.assign(yaw=15.0), data.table.assign(copy="magnified")
    x = np.concatenate([data.x, data.x[:1], data.x + 0.1, data.x + 0.2])
    more = Samples(x, pd.concat([data.table, lonely, turned, copied]))
    assert identity(more) == identity(data)


def test_the_order_of_rows_changes_nothing_and_the_seed_does():
    data = people(0.3)
    order = np.random.default_rng(1).permutation(len(data))
    assert identity(Samples(data.x[order], data.table.iloc[order])) == identity(data)
    assert identity(data, seed=1) != identity(data)
    json.dumps(identity(data))


def test_many_clips_are_thinned_by_whole_subjects(monkeypatch):
    monkeypatch.setattr(controls, "MOST_CLIPS", 30)
    given = identity(people(1.0))
    assert (given["clips"], given["subjects"]) == (30, 5)


def test_nobody_to_tell_apart_is_refused():
    with pytest.raises(BadInput, match="1 subjects have two clips"):
        identity(samples(subjects=1, shape=(4,)))
