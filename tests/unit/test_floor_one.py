"""Clip table, problems, whole files, weights and provenance."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_lib import clips, provenance, weights
from mer_lib.problems import BadInput, collect, note, refuse, summarise
from mer_lib.whole import replacing, write_csv


def row(**changes):
    base = {"clip": "d/s1/a", "dataset": "d", "subject": "d/s1", "name": "a", "source": "a.mkv", "kind": "video"}
    return {**base, "type": "micro", "fps": 200, "frames": 50, "onset": 3, "apex": 10, "offset": 40, **changes}


def test_table_round_trip(tmp_path):
    table = clips.table([row(), row(clip="d/s1/b", name="b", apex=None, label="negative", frames=None)])
    assert list(table.columns) == list(clips.COLUMNS)
    clips.save(table, tmp_path / "clips.csv")
    pd.testing.assert_frame_equal(clips.load(tmp_path / "clips.csv"), table)
    assert clips.digest(table) == clips.digest(clips.load(tmp_path / "clips.csv"))


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=20))
def test_text_survives_the_file(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("table") / "clips.csv"
    table = clips.table([row(emotion=text, flags=text)])
    clips.save(table, path)
    assert clips.load(path)["emotion"].item() == text


@pytest.mark.parametrize(
    "rows,complaint",
    [
        ([row(), row()], "the id stands twice"),
        ([row(onset=11)], "onset after apex"),
        ([row(apex=41)], "apex after offset"),
        ([row(apex=None, onset=41)], "onset after offset"),
        ([row(offset=50)], "leaves the frames"),
        ([row(onset=-1)], "leaves the frames"),
        ([row(kind="film")], "kind is none of"),
        ([row(type="tiny")], "neither micro nor macro"),
        ([row(subject="s1")], "subject id does not carry its dataset"),
        ([row(clip="d/s2/a")], "clip id does not carry its subject"),
    ],
)
def test_broken_tables_are_refused(rows, complaint):
    with pytest.raises(BadInput, match=complaint) as error:
        clips.table(rows)
    assert rows[0]["clip"] in str(error.value)


def test_a_file_that_is_no_table_is_named(tmp_path):
    (tmp_path / "clips.csv").write_text("")
    with pytest.raises(BadInput, match="no clip table"):
        clips.load(tmp_path / "clips.csv")


def test_shards_cover_the_table_once():
    table = clips.table([row(clip=f"d/s1/{i}", name=str(i)) for i in range(35)])
    cut = clips.shards(table, 16)
    assert list(cut) == ["0000", "0001", "0002"]
    pd.testing.assert_frame_equal(pd.concat(cut.values()), table)


def test_a_long_table_has_longer_shards_and_no_more_of_them(monkeypatch):
    monkeypatch.setattr(clips, "MOST_SHARDS", 10)
    table = clips.table([row(clip=f"d/s1/{i}", name=str(i)) for i in range(45)])
    assert [len(rows) for rows in clips.shards(table[:20], 2).values()] == [2] * 10
    cut = clips.shards(table, 2)
    assert [len(rows) for rows in cut.values()] == [8] * 5 + [5]
    pd.testing.assert_frame_equal(pd.concat(cut.values()), table)


def test_interval_falls_back_to_the_whole_source():
    table = clips.table([row(), row(clip="d/s1/b", name="b", onset=None, apex=None, offset=None)])
    first, second = table.itertuples(index=False)
    assert clips.interval(first) == (3, 41)
    assert clips.interval(second) == (0, 50)


def test_problems_are_one_line_and_collected():
    with collect() as outer:
        with collect() as inner:
            note("odd\nframes", "look", file="a.mkv")
            refuse("twice", "rename it", clip="d/s1/a")
        note("late", "hurry")
    assert [str(p) for p in inner] == ["a.mkv: odd frames; look", "clip d/s1/a: twice; rename it"]
    assert [p.severity for p in inner] == ["warning", "skipped"]
    assert [p.what for p in outer] == ["late"]
    text = summarise(pd.DataFrame([p.row() for p in inner]), clips=7, page="r/index.html")
    assert text.splitlines()[0] == "7 clips: 6 went through, 1 lost, 1 notes; report: r/index.html"
    assert "d/s1/a: twice; rename it" in text


def test_a_row_lost_at_indexing_may_share_its_id_with_a_clip_that_is_lost_later():
    """Three rows of a sheet: two of one id, of which one is refused and the other finds no face, and a good one."""
    lost = {"clip": "d/s1/a", "file": "", "severity": "skipped", "remedy": "-"}
    found = [{"stage": "index", "what": "the id stands twice"}, {"stage": "faces", "what": "no face found"}]
    text = summarise(pd.DataFrame([lost | told for told in found]), clips=2, page="r")
    assert text.splitlines()[0] == "3 clips: 1 went through, 2 lost, 0 notes; report: r"


def test_a_clip_lost_twice_is_lost_once():
    lost = {"clip": "d/s1/a", "file": "", "severity": "skipped", "remedy": "-", "stage": "features"}
    text = summarise(pd.DataFrame([lost | {"what": "one"}, lost | {"what": "other"}]), clips=2, page="r")
    assert text.splitlines()[0] == "2 clips: 1 went through, 1 lost, 0 notes; report: r"


def test_a_lost_auxiliary_clip_is_no_lost_clip_of_the_corpus():
    told = {"file": "", "severity": "skipped", "remedy": "-", "what": "no face"}
    found = [{"stage": "faces", "clip": "d/s1/a"}, {"stage": "auxiliary faces", "clip": "macro/s1/a"}]
    text = summarise(pd.DataFrame([told | each for each in found]), clips=2, page="r")
    assert text.splitlines()[0] == "2 clips: 1 went through, 1 lost, 0 notes; 1 auxiliary clips lost; report: r"
    assert "  lost at auxiliary faces: clip macro/s1/a: no face; -" in text.splitlines()


def test_files_appear_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a.csv"
    write_csv(pd.DataFrame({"x": [1]}), target)
    with pytest.raises(RuntimeError), replacing(target) as part:
        part.write_text("half")
        raise RuntimeError
    assert target.read_text() == "x\n1\n" and list(tmp_path.iterdir()) == [target]


def test_weights_round_trip_and_same_bytes(tmp_path):
    tensors = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.ones(2, np.int64)}
    card = {"learner": "x", "clips": 4, "nested": {"z": 1, "a": [1, 2]}}
    for name in ("one", "two"):
        weights.save(tmp_path / name, tensors, card)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    found, told = weights.load(tmp_path / "one")
    assert told == card
    for name, array in tensors.items():
        np.testing.assert_array_equal(found[name], array)
    (tmp_path / "bad").write_bytes(b"no")
    for reads in (weights.load, weights.card):
        with pytest.raises(BadInput, match="no model"):
            reads(tmp_path / "bad")


def test_a_card_is_read_without_the_arrays(tmp_path):
    path = tmp_path / "one"
    weights.save(path, {"a": np.ones(2)}, {"parameters": 2})
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert weights.card(path) == {"parameters": 2}
    with pytest.raises(BadInput, match="not those that were written"):
        weights.load(path)


def test_code_digest_follows_imports():
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from mer_lib.provenance import code_digest; print(code_digest('mer_lib.store'), code_digest('mer_lib.clips'))"
    )

    def digests(folder):
        run = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
        return run.stdout.split()

    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "mer_lib")
        shutil.copytree(Path(provenance.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
        before = digests(folder)
        assert before == [provenance.code_digest("mer_lib.store"), provenance.code_digest("mer_lib.clips")]
        (copy / "report" / "templates" / "style.css").write_text("/* edited */")
        (copy / ".DS_Store").write_text("rubbish")
        assert digests(folder) == before, "neither reads the report's style"
        with open(copy / "finished.py", "a") as file:
            file.write("# edited\n")
        after = digests(folder)
    assert before[0] != after[0], "the store imports finished.py"
    assert before[1] == after[1], "the clip table does not"


def test_recipes_differ_by_all_that_makes_them():
    made = {
        provenance.recipe(*given)
        for given in [
            ("a", {"x": 1}, "c", ["u"]),
            ("b", {"x": 1}, "c", ["u"]),
            ("a", {"x": 2}, "c", ["u"]),
            ("a", {"x": 1}, "d", ["u"]),
            ("a", {"x": 1}, "c", ["v"]),
        ]
    }
    assert len(made) == 5
