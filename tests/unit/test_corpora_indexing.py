"""Indexing: the clip table is kept, and never a moment longer than the folder and the options it came from."""

import os
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from layouts import casme2

from mer_lib.corpora import indexing
from mer_lib.ingest.measure import measure
from mer_lib.ingest.writer import write_video
from mer_lib.params import Corpus
from mer_lib.problems import BadInput

FRAMES = np.random.default_rng(0).integers(0, 256, (12, 48, 48, 3), dtype=np.uint8)


def folder(root, names=("a",), sheet="name,subject,onset,apex,offset,label\n"):
    root.mkdir(exist_ok=True)
    for name in names:
        write_video(root / f"{name}.avi", FRAMES, 100)
    (root / "clips.csv").write_text(sheet + "".join(f"{name},eve,0,3,8,negative\n" for name in names))
    return root


@pytest.fixture
def index(tmp_path):
    def ask(name, root, **limits):
        corpus = Corpus(name=name, adapter="folder", classes=("negative", "positive"))
        return indexing.index(corpus, str(root), tmp_path / "cache", measure, **{"max_frames": 100, **limits})

    return ask


def test_the_table_is_kept_until_something_changes(tmp_path, index, monkeypatch):
    root = folder(tmp_path / "own")
    table, problems = index("own", root)
    assert list(table["clip"]) == ["own/eve/a"] and problems == [] and table["frames"].item() == 12
    monkeypatch.setattr(indexing, "_ask", partial(pytest.fail, "asked again"))
    assert index("own", root)[0].equals(table)
    monkeypatch.undo()
    folder(tmp_path / "own", ("a", "b"))
    assert list(index("own", root)[0]["clip"]) == ["own/eve/a", "own/eve/b"]
    with pytest.raises(BadInput, match="no usable clip"):
        index("own", root, max_frames=2)


def test_names_with_dots_and_common_beginnings_keep_apart(tmp_path, index):
    roots = {name: folder(tmp_path / name, (name[-1],)) for name in ("my.a", "my.b", "my", "my-2")}
    for _ in range(2):
        for name, root in roots.items():
            assert list(index(name, root)[0]["clip"]) == [f"{name}/eve/{name[-1]}"]


def test_linked_folders_are_looked_into_once(tmp_path, index):
    root = folder(tmp_path / "own")
    elsewhere = folder(tmp_path / "elsewhere", ("z",))
    os.symlink(elsewhere, root / "linked")
    os.symlink(root, elsewhere / "back")  # a ring must not turn forever
    before = list(indexing._listing(str(root)))
    write_video(elsewhere / "y.avi", FRAMES, 100)
    assert len(list(indexing._listing(str(root)))) == len(before) + 1
    assert index("own", root)[0]["clip"].item() == "own/eve/a"


def test_problems_are_kept_with_the_table(tmp_path, index):
    root = folder(tmp_path / "own")
    with open(root / "clips.csv", "a") as sheet:
        sheet.write("missing,eve,0,3,8,negative\n")
    for _ in range(2):
        problems = index("own", root)[1]
        assert [(p.clip, p.severity, p.stage) for p in problems] == [("own/eve/missing", "skipped", "index")]


@pytest.fixture
def pictures(tmp_path):
    casme2.write(tmp_path / "casme2", subjects=2, clips=2)
    corpus = Corpus(
        name="casme2", adapter="casme2", classes=("negative", "positive", "surprise"), options={"scheme": "megc2019"}
    )

    def ask(**options):
        asked = corpus.model_copy(update={"options": {**corpus.options, **options}})
        return indexing.index(asked, str(tmp_path / "casme2"), tmp_path / "cache", measure, max_frames=100)

    return ask, tmp_path / "casme2"


def stale(monkeypatch, ask, **options):
    """Whether the table would be made anew; the rest of the answer does not matter here."""
    asked = []
    with monkeypatch.context() as patch:
        make = indexing._ask
        patch.setattr(indexing, "_ask", lambda *given: asked.append(given) or make(*given))
        ask(**options)
    return bool(asked)


def test_a_table_of_frames_is_made_anew_when_what_it_tells_may_have_changed(pictures, monkeypatch):
    ask, root = pictures
    first = ask()[0]
    folder = root / first["source"].iloc[0]
    frames = sorted(folder.iterdir(), key=lambda path: int(path.stem[3:]))
    assert not stale(monkeypatch, ask)
    frames[10].write_bytes(frames[11].read_bytes() + b" ")  # another picture: for the stages that read it
    assert not stale(monkeypatch, ask)
    frames[0].write_bytes(b"")  # whether a folder can be opened is told by its first frame
    assert stale(monkeypatch, ask) and len(ask()[0]) == len(first) - 1
    frames[0].write_bytes(frames[1].read_bytes())
    frames[-1].unlink()
    assert stale(monkeypatch, ask)
    frames[3].rename(folder / "img9999.jpg")
    assert stale(monkeypatch, ask)
    casme2.write_sheet(root / casme2.SHEET, casme2.official_rows(2, 2)[:3])
    assert stale(monkeypatch, ask)
    assert not stale(monkeypatch, ask)


def test_a_sheet_outside_the_folder_is_watched_as_well(pictures, tmp_path, monkeypatch):
    ask, _ = pictures
    elsewhere = casme2.write_sheet(tmp_path / "mine.xlsx", casme2.official_rows(2, 2))
    assert len(ask(sheet=str(elsewhere))[0]) == 4
    assert not stale(monkeypatch, ask, sheet=str(elsewhere))
    casme2.write_sheet(elsewhere, casme2.official_rows(2, 2)[:1])
    assert stale(monkeypatch, ask, sheet=str(elsewhere))


def test_a_listing_asks_of_pictures_their_names_alone(pictures, monkeypatch):
    _, root = pictures
    asked = []
    stat = os.stat
    monkeypatch.setattr(indexing.os, "stat", lambda path, **given: asked.append(str(path)) or stat(path, **given))
    listed = list(indexing._listing(str(root)))
    pictures = [path for path in asked if path.endswith(".jpg")]
    assert sum(1 for _ in root.rglob("*.jpg")) == 4 * 36 and len(pictures) == 4
    assert [entry[1] for entry in listed if len(entry) == 5] == [36] * 4


def test_without_a_usable_row_it_is_said_who_knows_more(pictures):
    ask, root = pictures
    casme2.write_sheet(
        root / casme2.SHEET, [replace(row, onset=9999, offset=None) for row in casme2.official_rows(2, 2)]
    )
    with pytest.raises(
        BadInput, match=r"no usable clip in corpus 'casme2', the first: .*ask `mer doctor casme2 --root"
    ):
        ask()


def test_where_no_clip_is_left_a_loss_is_named_before_a_remark(tmp_path):
    layout = Corpus(name="casme2", adapter="casme2", classes=("negative", "positive", "surprise"))
    casme2.write(tmp_path / "in", casme2.QUIRKS)
    casme2.write_sheet(tmp_path / "in" / casme2.SHEET, [casme2.Clip("09", "EP01_01", 1, 2, 3, "disgust")])
    with pytest.raises(BadInput, match=r"the first: clip casme2/sub09/EP01_01: .* line 2: no frames"):
        indexing.index(layout, str(tmp_path / "in"), tmp_path / "cache", measure, max_frames=100)
