"""Views in a store: one stage function for recordings and for views, none of which loses the others."""

from collections import namedtuple

import numpy as np
import pytest

from mer_lib.problems import BadInput
from mer_lib.store import Header, Store, write_shard
from mer_lib.views import YAW, Shards, each_view, stacked

Row = namedtuple("Row", "clip")
ROWS = [Row("d/s1/a"), Row("d/s1/b")]
YAWS = {"d/s1/a": (-45.0, -12.3, 15.0), "d/s1/b": (-12.3, 45.0)}
HEADER = Header("views", "d", "0000", recipe="abc")


def frames(clip, yaw):
    """Two rows of a view that no other view has."""
    return np.array([[ord(clip[-1]), yaw], [ord(clip[-1]), yaw + 1]], np.float32)


def views(path, yaws=YAWS):
    def make(row):
        return stacked({yaw: {"frames": frames(row.clip, yaw), "first": np.array([7])} for yaw in yaws[row.clip]})

    write_shard(path, HEADER, ROWS, make)
    return path


def doubled(row, read):
    return {"x": 2 * read("above", "frames").sum(0, keepdims=True), "first": read("above", "first")}


def test_a_stage_is_handed_one_view_after_the_other(tmp_path):
    with Store(views(tmp_path / "views.h5")) as above:
        write_shard(tmp_path / "x.h5", HEADER, ROWS, each_view({"above": above}, doubled))
    with Store(tmp_path / "x.h5") as store:
        for clip, yaws in YAWS.items():
            assert store.read(clip, YAW).tolist() == list(yaws), "degrees come back to the last digit"
            expected = [2 * frames(clip, yaw).sum(0) for yaw in yaws]
            np.testing.assert_array_equal(store.read(clip, "x"), expected)
            assert store.read(clip, "first").tolist() == [7] * len(yaws)


def test_recordings_go_through_as_they_are(tmp_path):
    made = lambda row: {"frames": frames(row.clip, 0.0), "first": np.array([3])}  # noqa: E731
    write_shard(tmp_path / "above.h5", HEADER, ROWS, made)
    with Store(tmp_path / "above.h5") as above:
        found = each_view({"above": above}, doubled)(ROWS[1])
    assert set(found) == {"x", "first"}
    np.testing.assert_array_equal(found["x"], [2 * frames("d/s1/b", 0.0).sum(0)])


def test_a_view_that_cannot_be_used_loses_no_other(tmp_path):
    def picky(row, read):
        if read("above", "frames")[0, 1] < 0:
            raise BadInput("nothing moves", "film it again")
        return doubled(row, read)

    with Store(views(tmp_path / "views.h5")) as above:
        told = write_shard(tmp_path / "x.h5", HEADER, ROWS, each_view({"above": above}, picky))
    with Store(tmp_path / "x.h5") as store:
        assert {clip: store.read(clip, YAW).tolist() for clip in store.clips} == {"d/s1/a": [15.0], "d/s1/b": [45.0]}
    assert str(told[0]) == ("clip d/s1/a: its view at -45 degrees is left out: nothing moves; film it again")
    assert {problem.severity for problem in told} == {"warning"} and len(told) == 3


def test_a_clip_of_which_no_view_is_left_is_lost(tmp_path):
    def none(row, read):
        raise BadInput("nothing moves", "film it again")

    with Store(views(tmp_path / "views.h5")) as above:
        told = write_shard(tmp_path / "x.h5", HEADER, ROWS, each_view({"above": above}, none))
    assert [problem.what for problem in told if problem.severity == "skipped"] == ["nothing moves"] * 2


def test_of_two_stages_the_views_that_both_have(tmp_path):
    other = {"d/s1/a": (15.0, -45.0), "d/s1/b": (5.0,)}
    with Store(views(tmp_path / "a.h5")) as one, Store(views(tmp_path / "b.h5", other)) as two:
        make = each_view(
            {"above": one, "two": two}, lambda row, read: {"x": read("above", "frames"), "y": read("two", "frames")}
        )
        found = make(ROWS[0])
        assert found[YAW].tolist() == [-45.0, 15.0]
        np.testing.assert_array_equal(found["x"], found["y"])
        with pytest.raises(BadInput, match="no view is left"):
            make(ROWS[1])


def test_shards_are_read_as_one(tmp_path):
    for name, row in zip(("a", "b"), ROWS, strict=True):
        write_shard(tmp_path / f"{name}.h5", HEADER, [row], lambda row: {"x": frames(row.clip, 1.0)})
    shards = Shards([tmp_path / "a.h5", tmp_path / "b.h5"], "abc")
    for row in (*ROWS, ROWS[0]):
        assert row.clip in shards
        np.testing.assert_array_equal(shards.read(row.clip, "x"), frames(row.clip, 1.0))
    assert "d/s1/c" not in shards
    with pytest.raises(BadInput, match="other parameters"):
        Shards([tmp_path / "a.h5"], "other")
