"""Protocols: who is in which fold, in which order, and at which cost."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learning_toys import table

from mer_lib.learning.folds import jobs
from mer_lib.learning.protocols import everything, inner_split, make_folds
from mer_lib.problems import BadInput

MEGC = Path(__file__).parents[1] / "data" / "megc2019" / "combined_3class_gt.csv"


def test_loso_holds_out_each_subject_once():
    clips = table(subjects=3, clips=2)
    folds = make_folds("loso", clips)
    assert [fold.name for fold in folds] == ["toy/s00", "toy/s01", "toy/s02"]
    assert folds[1].test.tolist() == ["toy/s01/c0", "toy/s01/c1"]
    assert folds[1].train.tolist() == ["toy/s00/c0", "toy/s00/c1", "toy/s02/c0", "toy/s02/c1"]
    assert not len(folds[1].validation) and folds[1].subject_disjoint


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["", "negative", "surprise"])), min_size=2, max_size=40))
def test_loso_partitions_the_labelled_clips(rows):
    clips = pd.DataFrame(
        [
            {"clip": f"d/{s}/{i}", "dataset": "d", "subject": f"d/{s}", "label": label}
            for i, (s, label) in enumerate(rows)
        ]
    )
    labelled = clips[clips["label"] != ""]
    if labelled["subject"].nunique() < 2:
        with pytest.raises(BadInput, match="at least two subjects"):
            make_folds("loso", clips)
        return
    folds = make_folds("loso", clips)
    assert sorted(clip for fold in folds for clip in fold.test) == sorted(labelled["clip"])
    for fold in folds:
        assert sorted([*fold.train, *fold.test]) == sorted(labelled["clip"])
        assert {clip.rsplit("/", 1)[0] for clip in fold.test} == {fold.name}
        assert fold.name not in {clip.rsplit("/", 1)[0] for clip in fold.train}


def test_folds_do_not_depend_on_the_order_of_rows():
    clips = table()
    shuffled = clips.sample(frac=1, random_state=3)
    for one, other in zip(make_folds("loso", clips), make_folds("loso", shuffled), strict=True):
        assert (one.name, one.train.tolist(), one.test.tolist()) == (
            other.name,
            other.train.tolist(),
            other.test.tolist(),
        )


def test_missing_labels_are_never_in_a_fold():
    clips = table()
    clips["label"] = clips["label"].astype(object)
    clips.loc[0, "label"], clips.loc[4, "label"] = "", None
    folds = make_folds("loso", clips)
    assert len(folds[0].clips) == 10
    assert not {"toy/s00/c0", "toy/s01/c1"} & set(folds[0].clips)
    assert len(everything(clips).train) == 10


def test_composite_protocol_has_the_published_68_folds():
    rows = pd.read_csv(MEGC, header=None, names=["dataset", "subject", "name", "label"], dtype=str)
    rows["subject"] = rows["dataset"] + "/" + rows["subject"]
    rows["clip"] = rows["subject"] + "/" + rows["name"]
    folds = make_folds("loso", rows)
    assert len(folds) == 68
    assert sum(len(fold.test) for fold in folds) == 442


def test_one_subject_is_refused_with_a_remedy():
    with pytest.raises(BadInput, match=r"at least two subjects.*add subjects"):
        make_folds("loso", table(subjects=1))


def test_unknown_protocol_is_refused_with_the_nearest_name():
    with pytest.raises(BadInput, match="did you mean 'loso'"):
        make_folds("losso", table())


def test_jobs_keep_the_order_and_every_fold():
    folds = make_folds("loso", table(subjects=5))
    assert [[fold.name[-1] for fold in job] for job in jobs(folds, 2)] == [["0", "1"], ["2", "3"], ["4"]]


def test_inner_split_sets_subjects_aside_and_leaves_the_test_side():
    clips = table(subjects=11)
    fold = make_folds("loso", clips)[0]
    inner = inner_split(fold, clips, seed=1)
    aside = {clip.rsplit("/", 1)[0] for clip in inner.validation}
    assert len(aside) == 2 and fold.name not in aside
    assert not aside & {clip.rsplit("/", 1)[0] for clip in inner.train}
    assert inner.test.tolist() == fold.test.tolist()
    assert len(inner.train) + len(inner.validation) == len(fold.train)
    assert np.array_equal(inner.side, inner_split(fold, clips, seed=1).side)
    assert any(not np.array_equal(inner.side, inner_split(fold, clips, seed=s).side) for s in range(2, 6))


def test_inner_split_needs_two_training_subjects():
    clips = table(subjects=2)
    with pytest.raises(BadInput, match="trains on 1 subject"):
        inner_split(make_folds("loso", clips)[0], clips, seed=0)


def test_planning_imports_neither_torch_nor_scikit_learn():
    code = (
        "import sys, mer_lib.learning.protocols as p; p.loso; print({'torch', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_500_folds_of_100_000_clips_stay_lean():
    subjects = np.repeat([f"big/s{i:03d}" for i in range(500)], 200)
    clips = pd.DataFrame({"subject": subjects, "dataset": "big", "label": "negative"})
    clips["clip"] = clips["subject"] + "/c" + pd.Series(np.tile(np.arange(200), 500)).astype(str)
    started = time.perf_counter()
    folds = make_folds("loso", clips)
    assert time.perf_counter() - started < 10  # about 0.6 s on a free core
    assert len({id(fold.clips) for fold in folds}) == 1
    assert sum(fold.side.nbytes for fold in folds) == 50_000_000
