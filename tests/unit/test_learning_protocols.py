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

from mer_lib import registry
from mer_lib.learning import protocols
from mer_lib.learning.folds import TEST, Fold, jobs
from mer_lib.learning.protocols import everything, inner_folds, inner_split, make_folds
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


def subjects_of(clips):
    return {clip.rsplit("/", 1)[0] for clip in clips}


def test_hold_out_database_tests_each_data_set_on_a_model_of_the_others():
    clips = pd.concat([table(subjects=2, dataset=name) for name in ("samm", "casme2", "smic")])
    folds = make_folds("hold_out_database", clips)
    assert [fold.name for fold in folds] == ["casme2", "samm", "smic"]
    assert {clip.split("/")[0] for clip in folds[0].test} == {"casme2"}
    assert {clip.split("/")[0] for clip in folds[0].train} == {"samm", "smic"}
    with pytest.raises(BadInput, match=r"two data sets, here is toy; join"):
        make_folds("hold_out_database", table())


def test_leave_one_video_out_keeps_the_clips_of_a_recording_together():
    clips = table(subjects=2, clips=4)
    clips["source"] = clips["subject"].str[4:] + np.where(clips["clip"].str[-1] < "2", "/long.avi", "/short.avi")
    clips.loc[7, "source"] = ""  # unknown: a recording of its own
    folds = make_folds("leave_one_video_out", clips)
    assert [(fold.name, len(fold.test)) for fold in folds] == [
        ("toy/s00/long.avi", 2), ("toy/s00/short.avi", 2), ("toy/s01/c3", 1), ("toy/s01/long.avi", 2),
        ("toy/s01/short.avi", 1),
    ]  # fmt: skip
    assert not folds[0].subject_disjoint and folds[0].video_disjoint
    assert "toy/s00" in subjects_of(folds[0].train)
    with pytest.raises(BadInput, match="at least two recordings"):
        make_folds("leave_one_video_out", clips[:2])


def test_equal_file_names_of_two_data_sets_are_two_recordings():
    clips = pd.concat([table(subjects=1, dataset=name) for name in ("one", "two")]).assign(source="01/video.avi")
    assert [fold.name for fold in make_folds("leave_one_video_out", clips)] == ["one/01/video.avi", "two/01/video.avi"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=2, max_size=60), st.integers(2, 6))
def test_k_folds_partition_subjects_and_none_stays_empty(rows, k):
    clips = pd.DataFrame(
        [{"clip": f"d/{s}/{i}", "dataset": "d", "subject": f"d/{s}", "label": str(c)} for i, (s, c) in enumerate(rows)]
    )
    if clips["subject"].nunique() < k:
        with pytest.raises(BadInput, match=rf"{k} folds of \d subjects"):
            make_folds("k_fold_subjects", clips, k=k)
        return
    folds = make_folds("k_fold_subjects", clips, k=k)
    assert len(folds) == k and all(len(fold.test) for fold in folds)
    assert sorted(clip for fold in folds for clip in fold.test) == sorted(clips["clip"])
    assert all(not subjects_of(fold.train) & subjects_of(fold.test) for fold in folds)


def test_k_folds_spread_the_classes_of_the_composite_evenly():
    """68 subjects, 250 / 109 / 83 clips: a fifth of each class in each fold, give or take two clips."""
    rows = pd.read_csv(MEGC, header=None, names=["dataset", "subject", "name", "label"], dtype=str)
    rows["subject"] = rows["dataset"] + "/" + rows["subject"]
    rows["clip"] = rows["subject"] + "/" + rows["name"]
    label = rows.set_index("clip")["label"]
    for seed in range(5):
        counts = pd.DataFrame([label[f.test].value_counts() for f in make_folds("k_fold_subjects", rows, seed=seed)])
        assert (counts - label.value_counts() / 5).abs().max().max() <= 2.5
    one, other = (make_folds("k_fold_subjects", rows, seed=seed)[0].test.tolist() for seed in (0, 1))
    assert one != other and one == make_folds("k_fold_subjects", rows.sample(frac=1), seed=0)[0].test.tolist()


def test_names_of_many_folds_sort_as_their_numbers():
    folds = make_folds("k_fold_subjects", table(subjects=12), k=12)
    assert [fold.name for fold in folds] == [f"fold{i:02d}" for i in range(12)]


def test_the_80_20_split_of_clips_mixes_subjects_and_says_so():
    clips = table(subjects=26, clips=6)  # SMIC's 156 clips: 124 and 32 in the table of Reddy et al.
    (fold,) = make_folds("clip_split_80_20", clips)
    assert (len(fold.train), len(fold.test)) == (124, 32)
    assert not fold.subject_disjoint and subjects_of(fold.train) & subjects_of(fold.test)
    again, other = (make_folds("clip_split_80_20", clips, seed=seed)[0].test.tolist() for seed in (4, 5))
    assert fold.test.tolist() == again != other


@pytest.mark.parametrize("base", ["loso", "clip_split_80_20"])
def test_protocols_of_views_split_as_their_base_and_declare_their_views(base):
    clips = table()
    declared = {"": ("original", "original"), "_to_views": ("original", "all"), "_views": ("all", "all")}
    if base == "loso":
        declared["_views_refined"] = ("attended", "all")
    for ending, (trains, tests) in declared.items():
        for fold, plain in zip(make_folds(base + ending, clips), make_folds(base, clips), strict=True):
            assert (fold.trains_on, fold.tests_on) == (trains, tests)
            assert np.array_equal(fold.side, plain.side) and fold.name == plain.name
            assert fold.subject_disjoint == (base == "loso")


def test_every_protocol_declares_whether_it_keeps_subjects_apart():
    assert all(isinstance(entry.meta["subject_disjoint"], bool) for entry in registry.entries("protocol").values())


def test_a_protocol_that_leaves_a_side_empty_is_refused(monkeypatch):
    monkeypatch.setattr(protocols, "holding_out", lambda t, held, names: [Fold("all", *everything_of(t, TEST))])
    with pytest.raises(BadInput, match=r"fold all of loso trains on 0 clips and tests 12; add labelled clips"):
        make_folds("loso", table())


def everything_of(clips, side):
    return clips["clip"].to_numpy(object), np.full(len(clips), side, np.uint8)


def test_unknown_options_of_a_protocol_are_refused():
    with pytest.raises(BadInput, match="no option 'folds'; its options: k, seed"):
        make_folds("k_fold_subjects", table(), folds=3)


def test_inner_folds_set_each_training_subject_aside_once():
    clips = table(subjects=12)
    fold = make_folds("loso", clips)[3]
    folds = inner_folds(fold, clips, seed=1)
    assert len(folds) == 5
    assert sorted(clip for inner in folds for clip in inner.validation) == sorted(fold.train)
    for inner in folds:
        assert inner.test.tolist() == fold.test.tolist()
        assert not subjects_of(inner.train) & subjects_of(inner.validation)
    assert [f.side.tolist() for f in folds] == [f.side.tolist() for f in inner_folds(fold, clips, seed=1)]
    assert len(inner_folds(make_folds("loso", table(subjects=3))[0], clips, seed=1)) == 2
    given_already = inner_split(fold, clips, seed=0)
    assert inner_folds(given_already, clips, seed=0) == [given_already]
