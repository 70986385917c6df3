"""The embedded corpus's clip table: follows from the options alone, and stays as it is when the corpus grows."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_lib import clips, registry
from mer_lib.corpora.synthetic import ACTION_UNITS, CORE, EMOTIONS, index, uniform
from mer_lib.problems import BadInput
from mer_lib.synth.dynamics import parse_units

CLASSES = clips.OFFICIAL_CLASSES


def make(**options) -> pd.DataFrame:
    return index("nowhere", name="synthetic", classes=CLASSES, **options)


@given(st.integers(1, 12), st.integers(1, 8), st.integers(0, 10**9), st.sampled_from([10, 25, 60, 100, 200, 1000]))
@settings(max_examples=40, deadline=None)
def test_table_keeps_the_contract_for_any_options(subjects, count, seed, fps):
    table = make(subjects=subjects, clips=count, seed=seed, fps=fps)
    clips.check(table)
    assert len(table) == subjects * count
    ordered = table[["onset", "apex", "offset", "frames"]].to_numpy(int)
    assert (np.diff(ordered, axis=1) > 0).all() and (ordered[:, 0] > 0).all()


def test_default_is_what_the_documents_promise():
    table = make()
    assert len(table) == 96 and table["subject"].nunique() == 16
    assert table["frames"].between(30, 100).all() and (table["fps"] == 200).all()
    assert (table["label"].value_counts() >= 20).all()
    assert table["source"].iloc[0] == "s01/s01_01.avi" and table["clip"].iloc[0] == "synthetic/s01/s01_01"


def test_growing_the_corpus_changes_no_clip():
    small = make(subjects=5, clips=4).set_index("clip")
    large = make(subjects=9, clips=7).set_index("clip")
    pd.testing.assert_frame_equal(small, large.loc[small.index])


def test_another_seed_is_another_corpus():
    assert not make(seed=1)["action_units"].equals(make(seed=2)["action_units"])


def test_two_corpora_of_the_same_options_are_different_people():
    other = index("nowhere", name="twin", classes=CLASSES)
    assert other["clip"].str.startswith("twin/s").all() and (other["dataset"] == "twin").all()
    assert not other["action_units"].equals(make()["action_units"])


def test_macro_clips_are_slow_ones_of_other_people():
    micro, macro = make(), index("nowhere", name="synthetic_macro", classes=CLASSES, type="macro", fps=30)
    assert set(micro["type"]) == {"micro"} and set(macro["type"]) == {"macro"}
    assert not set(micro["subject"]) & set(macro["subject"])
    seconds = macro["frames"] / 30
    assert seconds.between(0.6 - 1 / 60, 2 + 1 / 60).all() and seconds.max() > 1.5
    assert ((macro["apex"] - macro["onset"]) >= 4).mean() > 0.9  # there is a frame half way
    with pytest.raises(BadInput, match="no expressions of type 'posed'; one of micro, macro"):
        make(type="posed")


def test_classes_come_in_the_shares_that_are_meant():
    share = make(subjects=300, clips=20)["label"].value_counts(normalize=True)
    assert share["negative"] == pytest.approx(0.42, abs=0.02)
    assert share["positive"] == pytest.approx(0.31, abs=0.02)


def test_each_emotion_shows_units_of_its_own_and_always_one_of_its_core():
    table = make(subjects=100, clips=20)
    for emotion, text in zip(table["emotion"], table["action_units"], strict=True):
        allowed, units = EMOTIONS[emotion][2], parse_units(text)
        assert set(units) <= set(allowed)
        assert any(allowed[unit] >= CORE for unit in units)
        assert list(units) == sorted(units)


def test_mixtures_are_individual_and_classes_overlap():
    table = make(subjects=100, clips=20)
    both = table["action_units"].str.replace("[LR]", "", regex=True)
    assert both.nunique() > 200
    labels = both.groupby(both).apply(lambda same: table.loc[same.index, "label"].nunique())
    shared = both.isin(labels.index[labels > 1]).mean()
    assert 0.10 < shared < 0.60  # clips whose units alone do not tell the class
    units = {label: set().union(*(EMOTIONS[e][2] for e in EMOTIONS if EMOTIONS[e][0] == label)) for label in CLASSES}
    assert set().union(*units.values()) == set(ACTION_UNITS)


def test_habits_make_subjects_differ_more_than_chance():
    table = make(subjects=60, clips=40)
    happy = table[table["label"] == "positive"]
    has_6 = happy["action_units"].map(lambda text: 6 in parse_units(text))
    rate = has_6.groupby(happy["subject"]).agg(["mean", "size"])
    by_chance = np.sqrt(np.mean(rate["mean"].mean() * (1 - rate["mean"].mean()) / rate["size"]))
    assert rate["mean"].std() > 1.5 * by_chance


def test_hundred_thousand_clips_are_planned_in_seconds():
    started = time.perf_counter()
    assert len(make(subjects=500, clips=200)) == 100_000
    assert time.perf_counter() - started < 15  # 2 s on one idle core


def test_uniform_is_uniform_and_the_same_everywhere():
    u = uniform(1, [f"k{i}" for i in range(5000)], "topic", 4)
    assert u.min() >= 0 and u.max() < 1
    assert np.abs(u.mean(axis=0) - 0.5).max() < 0.02 and np.abs(np.corrcoef(u.T) - np.eye(4)).max() < 0.06
    # the first eight bytes of SHAKE-256("1|topic|k0"), as a little-endian integer over 2^64
    assert u[0, 0] == pytest.approx(0x40A4DDF22882B2BF / 2**64, abs=1e-15)


@pytest.mark.parametrize("options", [{"subjects": 0}, {"clips": 0}, {"fps": 5}])
def test_impossible_options_are_refused_by_name(options):
    with pytest.raises(BadInput, match=f"synthetic.{next(iter(options))}"):
        make(**options)


def test_registered_with_the_defaults_of_the_function():
    entry = registry.get("corpus", "synthetic")
    assert entry.meta["synthetic"] is True
    assert {k: entry.options[k] for k in ("subjects", "clips", "seed", "fps")} == {
        "subjects": 16, "clips": 6, "seed": 1, "fps": 200,
    }  # fmt: skip
