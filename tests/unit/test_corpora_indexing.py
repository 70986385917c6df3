"""Indexing: the clip table is kept, and never a moment longer than the folder and the options it came from."""

import os
from functools import partial

import numpy as np
import pytest

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
