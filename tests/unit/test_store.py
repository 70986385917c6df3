"""The array store: what is written is read, whole or not at all, by whoever expects it and by nobody else."""

import hashlib
from collections import namedtuple
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest

from mer_lib import finished
from mer_lib.problems import BadInput, BadPackage, note
from mer_lib.store import Header, Store, join_shards, problems_told, write_shard

Row = namedtuple("Row", "clip length")
ROWS = [Row("d/s1/a", 3), Row("d/s1/b", 5), Row("d/s2/c", 1)]
HEADER = Header("faces", "d", "0000", recipe="abc", params={"size": 4}, inputs={"sources": "0"})


def make(row):
    values = np.random.default_rng(row.length).integers(0, 255, (row.length, 4, 4, 3), dtype=np.uint8)
    return {"frames": values, "first": np.array([row.length])}


def test_reads_back_what_was_written(tmp_path):
    write_shard(tmp_path / "a.h5", HEADER, ROWS, make)
    with Store(tmp_path / "a.h5", recipe="abc") as store:
        assert store.clips == [row.clip for row in ROWS]
        assert store.names() == ["first", "frames"]
        for row in ROWS:
            np.testing.assert_array_equal(store.read(row.clip, "frames"), make(row)["frames"])
        np.testing.assert_array_equal(store.read("d/s1/b", "frames", 1, 3), make(ROWS[1])["frames"][1:3])
        np.testing.assert_array_equal(store.read("d/s1/b", "frames", 4, 99), make(ROWS[1])["frames"][4:])
        np.testing.assert_array_equal(store.column("first"), [3, 5, 1])
        assert store.header == HEADER


def test_same_content_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_shard(tmp_path / f"{name}.h5", HEADER, ROWS, make)
    first, second = ((tmp_path / f"{name}.h5").read_bytes() for name in ("a", "b"))
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def test_digest_follows_content(tmp_path):
    def other(row):
        arrays = make(row)
        arrays["frames"][0, 0, 0, 0] ^= 1
        return arrays

    write_shard(tmp_path / "a.h5", HEADER, ROWS, make)
    write_shard(tmp_path / "b.h5", HEADER, ROWS, other)
    assert Store(tmp_path / "a.h5").digest != Store(tmp_path / "b.h5").digest


def test_one_bad_clip_loses_nothing_else(tmp_path):
    def picky(row):
        note("looks odd", "look at it")
        if row.clip == "d/s1/b":
            raise BadInput("no face", "film it again", file="b.mkv")
        return make(row)

    problems = write_shard(tmp_path / "a.h5", HEADER, ROWS, picky)
    with Store(tmp_path / "a.h5") as store:
        assert store.clips == ["d/s1/a", "d/s2/c"]
        np.testing.assert_array_equal(store.read("d/s2/c", "frames"), make(ROWS[2])["frames"])
        with pytest.raises(BadInput, match="not in the store"):
            store.read("d/s1/b", "frames")
    lost = [p for p in problems if p.severity == "skipped"]
    assert [str(p) for p in lost] == ["clip d/s1/b: b.mkv: no face; film it again"]
    assert {p.stage for p in problems} == {"faces"}
    assert [p.clip for p in problems if p.severity == "warning"] == [row.clip for row in ROWS]


def test_problems_of_a_corpus_are_gathered_with_the_files_they_are_about(tmp_path):
    """The sheet's own come first; a stage that does not know a clip's file is given it; what is left is of features."""
    sheet = {
        "stage": "index",
        "clip": "d/s9/z",
        "file": "clips.csv:4",
        "severity": "skipped",
        "what": "-",
        "remedy": "-",
    }
    pd.DataFrame([sheet]).to_csv(tmp_path / "i.csv", index=False)

    def picky(row):
        if row.clip == "d/s1/b":
            raise BadInput("nothing moves", "film it again")
        return make(row)

    write_shard(tmp_path / "faces.h5", HEADER, ROWS, make)
    write_shard(tmp_path / "features.h5", replace(HEADER, stage="features"), ROWS, picky)
    stores = [tmp_path / "faces.h5", tmp_path / "features.h5"]
    found, left = problems_told(tmp_path / "i.csv", stores, lambda clips: clips.map({"d/s1/b": "data/d/b.mkv"}))
    assert left == 2 and problems_told(tmp_path / "i.csv", stores[:1], lambda clips: clips)[1] is None
    assert found[["stage", "clip", "file"]].to_numpy().tolist() == [
        ["index", "d/s9/z", "clips.csv:4"], ["features", "d/s1/b", "data/d/b.mkv"]
    ]  # fmt: skip


def test_all_clips_lost_is_still_a_store(tmp_path):
    def none(row):
        raise BadInput("gone", "bring it back")

    write_shard(tmp_path / "a.h5", HEADER, ROWS, none)
    with Store(tmp_path / "a.h5") as store:
        assert store.clips == [] and store.names() == [] and len(store.problems) == 3


def test_no_clip_is_given_up_for_a_damaged_package(tmp_path):
    def make(row):
        raise BadPackage("its weights are broken")

    with pytest.raises(BadPackage):
        write_shard(tmp_path / "a.h5", HEADER, ROWS, make)
    assert not (tmp_path / "a.h5").exists()


def test_other_recipe_is_refused(tmp_path):
    write_shard(tmp_path / "a.h5", HEADER, ROWS, make)
    with pytest.raises(BadInput, match="made by other parameters"):
        Store(tmp_path / "a.h5", recipe="xyz")


def test_a_crash_leaves_no_file(tmp_path):
    def crash(row):
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError):
        write_shard(tmp_path / "a.h5", HEADER, ROWS, crash)
    assert list(tmp_path.iterdir()) == []


def test_ragged_trailing_shapes_are_an_error(tmp_path):
    def uneven(row):
        return {"x": np.zeros((1, row.length))}

    with pytest.raises(ValueError, match="does not fit"):
        write_shard(tmp_path / "a.h5", HEADER, ROWS, uneven)


@pytest.mark.parametrize("damage", ["truncated", "text", "flipped"])
def test_broken_bytes_are_named(tmp_path, damage):
    path = tmp_path / "a.h5"
    write_shard(path, HEADER, ROWS, make)
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "text":
        content = bytearray(b"hello")
    else:
        with h5py.File(path) as file:
            at = file["data/frames"].id.get_chunk_info(0).byte_offset
        content[at + 7] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(BadInput) as error, Store(path) as store:
        store.column("frames")
    assert "a.h5" in str(error.value) and "run again" in str(error.value)


def test_finished_pieces_are_taken_up(tmp_path, monkeypatch):
    made = []

    def counting(row):
        made.append(row.clip)
        return make(row)

    monkeypatch.setenv(finished.VARIABLE, str(tmp_path / "kept"))
    out = tmp_path / "a.h5"
    write_shard(out, HEADER, ROWS, counting)
    before = out.read_bytes()
    out.unlink()
    write_shard(out, HEADER, ROWS, counting)
    assert out.read_bytes() == before and len(made) == len(ROWS)
    out.unlink()
    changed = Header("faces", "d", "0000", recipe="abc", params={"size": 4}, inputs={"sources": "1"})
    write_shard(out, changed, ROWS, counting)
    assert len(made) == 2 * len(ROWS)
    assert len(list((tmp_path / "kept").iterdir())) == 2


@pytest.mark.parametrize("damage", ["flipped", "truncated", "gone", "never told"])
def test_a_damaged_finished_piece_is_made_anew(tmp_path, monkeypatch, damage):
    """The kept piece is a link to the output: what rots in one rots in the other."""
    monkeypatch.setenv(finished.VARIABLE, str(tmp_path / "kept"))
    out = tmp_path / "a.h5"
    write_shard(out, HEADER, ROWS, make)
    before = out.read_bytes()
    kept = tmp_path / "kept" / HEADER.key()
    if damage in ("flipped", "truncated"):
        with open(out, "r+b") as file:
            file.seek(len(before) // 2)
            at = file.read(1)
            file.seek(len(before) // 2)
            file.write(bytes([at[0] ^ 0x10])) if damage == "flipped" else file.truncate()
        assert (kept / "0").read_bytes() != before
    else:
        (kept / {"gone": "0", "never told": "digest"}[damage]).unlink()
    out.unlink()
    write_shard(out, HEADER, ROWS, make)
    assert out.read_bytes() == before == (kept / "0").read_bytes()
    assert (kept / "0").samefile(out)


def test_shards_are_joined_in_their_order(tmp_path):
    """Three shards, one of which lost every clip: the joined store reads like one that was written in one go."""
    extra = [Row("d/s3/a", 2)]
    nobody = [Row("d/s2/x", 1)]

    def refuse_all(row):
        raise BadInput("nothing", "nothing")

    paths = [tmp_path / f"{k}.h5" for k in range(3)]
    for k, (path, rows, how) in enumerate(zip(paths, (ROWS, nobody, extra), (make, refuse_all, make), strict=True)):
        write_shard(path, replace(HEADER, shard=f"{k:04d}"), rows, how)
    join_shards(tmp_path / "all.h5", paths, recipe="abc")
    with Store(tmp_path / "all.h5", recipe="abc") as store:
        assert store.clips == [row.clip for row in ROWS + extra]
        assert store.header.shard == "all" and list(store.header.inputs) == ["0000", "0001", "0002"]
        for row in ROWS + extra:
            np.testing.assert_array_equal(store.read(row.clip, "frames"), make(row)["frames"])
        np.testing.assert_array_equal(store.column("first"), [3, 5, 1, 2])
    join_shards(tmp_path / "again.h5", paths, recipe="abc")
    assert (tmp_path / "all.h5").read_bytes() == (tmp_path / "again.h5").read_bytes()
    with pytest.raises(BadInput, match="other parameters or code"):
        join_shards(tmp_path / "other.h5", paths, recipe="xyz")
    with pytest.raises(BadInput, match="no shards to join"):
        join_shards(tmp_path / "none.h5", [], recipe="abc")
