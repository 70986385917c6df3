"""Names and paths in sheets that mean harm: whatever they say, nothing outside the data set is named or opened."""

import importlib
import os
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mer_lib import clips, registry
from mer_lib.corpora import indexing, inside
from mer_lib.ingest.measure import measure
from mer_lib.ingest.writer import write_images
from mer_lib.params import Corpus
from mer_lib.problems import BadInput, Problem, printable

CLASSES = ("negative", "positive", "surprise")
SHEETS = ("casme", "casme2", "casme3", "casme_sq", "samm", "samm_long", "smic_e", "mmew", "4dme")
WRITERS = {"smic_e": ("smic", "write_extended"), "4dme": ("fourdme", "write")}
HARM = (
    "../../outside",
    "{}/../../../outside",
    "{}\\..\\..\\outside",
    "..",
    "/etc/passwd",
    "{}\n$(touch harmed)",
    "./{}",
)


def stays(table: pd.DataFrame, root: Path) -> None:
    """Ids are three names; sources lie below the root; a folder made by an id lies where it is made."""
    for row in table.itertuples():
        dataset, subject, name = row.clip.split("/")
        assert row.subject == f"{dataset}/{subject}" and not {subject, name} & {"", ".", ".."}
        assert "\\" not in row.clip and printable(row.clip) == row.clip
        assert Path(os.path.normpath(root / row.source)).is_relative_to(root)
        assert Path(os.path.normpath(root / "out" / subject / name)).parent.parent == root / "out"


@pytest.mark.parametrize("name", SHEETS)
def test_no_cell_of_a_sheet_leads_out(tmp_path, name):
    """Each column of text in turn says what would lead out; lines that mean no harm are read as before."""
    module, function = WRITERS.get(name, (name, "write"))
    root = tmp_path / "a/b/c" / name
    getattr(importlib.import_module(f"layouts.{module}"), function)(root)
    write_images(tmp_path / "a/outside", {n: np.zeros((8, 8, 3), np.uint8) for n in range(1, 40)})
    corpus = Corpus(name=name, adapter=name, classes=CLASSES, options=registry.get("corpus", name).complete(None))
    index = lambda: indexing.index(corpus, str(root), tmp_path / "cache", lambda t, _, **limits: t)  # noqa: E731
    stays(index()[0], root)
    book = openpyxl.load_workbook(sheet := next(root.rglob("*.xlsx")))
    refused = set()
    for page in book.worksheets:
        for column in range(1, page.max_column + 1):
            cells = [row[0] for row in page.iter_rows(min_col=column, max_col=column) if isinstance(row[0].value, str)]
            for cell, harm in ((cell, harm) for cell in cells[1:2] for harm in HARM):
                honest, cell.value = cell.value, harm.format(cell.value)
                book.save(sheet)
                cell.value = honest
                try:
                    table, problems = index()
                except BadInput as error:
                    assert "\n" not in str(error)
                    continue
                stays(table, root)
                refused |= {p.what for p in problems if p.severity == "skipped"}
                assert all("\n" not in "".join(p.row().values()) for p in problems)
    assert not (tmp_path / "harmed").exists() and not Path("harmed").exists()
    assert refused


@pytest.mark.parametrize(
    ("clip", "source", "what"),
    [
        ("x/anna/take", "../../etc", "'../../etc' leaves the corpus's folder"),
        ("x/anna/take", "/etc/passwd", "'/etc/passwd' leaves the corpus's folder"),
        ("x/anna/take", "a/../../b", "'a/../../b' leaves the corpus's folder"),
        ("x/../take", "a", "subject '..' is no name"),
        ("x/anna/..", "a", "clip '..' is no name"),
        ("x/anna/a/../../b", "a", "clip 'a/../../b' is no name"),
        ("x/anna/a\\b", "a", "clip 'a\\b' is no name"),
        ("x/anna/a\nb", "a", r"clip 'a\nb' holds a control character"),
        ("x/an\x1b[2Jna/take", "a", r"subject 'an\x1b[2Jna' holds a control character"),
    ],
)
def test_every_adapters_table_is_held_to_it(tmp_path, monkeypatch, clip, source, what):
    """Also that of an adapter that does not look: here one that gives back what a sheet says."""
    dataset, subject, _ = clip.split("/", 2)
    told = {"dataset": dataset, "kind": "frames", "type": "micro"}
    rows = [
        told | {"clip": clip, "subject": f"{dataset}/{subject}", "name": "n", "source": source},
        told | {"clip": "x/ben/fine", "subject": "x/ben", "name": "fine", "source": "link/fine"},
    ]
    monkeypatch.setattr(registry.Entry, "load", lambda self: lambda root, **asked: clips.table(rows))
    corpus = Corpus(name="x", adapter="folder", classes=CLASSES)
    opened = []
    look = lambda table, root, **limits: opened.append(list(table["source"])) or table  # noqa: E731
    table, problems = indexing.index(corpus, str(tmp_path), tmp_path / "cache", look)
    assert list(table["clip"]) == ["x/ben/fine"] and opened == [["link/fine"]]
    (problem,) = problems
    assert problem.severity == "skipped" and what in problem.what and problem.remedy
    assert "\n" not in str(problem) and "\x1b" not in "".join(problem.row().values())


def test_a_link_is_followed(tmp_path):
    """A lab's recordings lie on another disk; a path with .. to the same place is refused."""
    write_images(tmp_path / "disk/anna/take", {n: np.full((8, 8, 3), n, np.uint8) for n in range(1, 6)})
    root = tmp_path / "mine"
    root.mkdir()
    (root / "anna").symlink_to(tmp_path / "disk/anna")
    (root / "clips.csv").write_text("name,subject,source\ntake,anna,\nother,anna,../disk/anna/take\n")
    corpus = Corpus(name="mine", adapter="folder", classes=CLASSES)
    table, problems = indexing.index(corpus, str(root), tmp_path / "cache", measure, max_frames=99)
    assert list(table["source"]) == ["anna/take"] and table["frames"].item() == 5
    assert [p.what for p in problems] == ["'../disk/anna/take' leaves the corpus's folder"]


@pytest.mark.parametrize("path", ["..", "../x", "/etc", "a/../../x", "/root-is-elsewhere"])
def test_what_leaves(tmp_path, path):
    assert inside.leaves(tmp_path, path)
    assert not inside.leaves(tmp_path, f"x/{'y' * 3}/..") and not inside.leaves(tmp_path, tmp_path / "x")
    assert not inside.leaves("data/x", "..a/...") and inside.leaves("data/x", "../xy")


ODD = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=30)
SHELL = st.sampled_from([
    "$(touch x)", "`touch x`", "; touch x", "a b", "-rf", "..", "../..", "'", '"', "%s", "{}", "{x}", "<script>", "a|b",
    "a\nb", "Jörg", "Jo\u0308rg", "~", "*", "a,b", "=1+1", "\u202egnp", "con.avi", "\ud800", "/", "\\", "", " ", ".",
])  # fmt: skip


@given(rows=st.lists(st.tuples(SHELL | ODD, SHELL | ODD), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_names_a_sheet_holds_ids_are_names_and_messages_lines(tmp_path_factory, rows):
    """Own videos called so, in folders called so, where a file system can hold them."""
    root = tmp_path_factory.mktemp("own")
    for name, subject in rows:
        try:
            (root / subject).mkdir(exist_ok=True)
            file = root / subject / f"{name}.avi"
            if file.resolve().is_relative_to(root) and (root / subject).resolve() != root:
                file.touch()
        except (OSError, ValueError):
            continue
    sheet = pd.DataFrame([*rows, ("fine", "ben")], columns=["name", "subject"])
    (root / "fine.avi").touch()
    (root / "clips.csv").write_text(sheet.to_csv(index=False), encoding="utf-8", errors="backslashreplace")
    corpus = Corpus(name="own", adapter="folder", classes=CLASSES)
    try:
        table, problems = indexing.index(corpus, str(root), root / "cache", lambda t, _, **limits: t)
    except BadInput as error:  # the sheet as a whole is no table any more
        assert "\n" not in str(error) and error.problem.remedy
        return
    stays(table, root)
    assert len(table) and all((root / source).exists() for source in table["source"])
    for problem in problems:
        row = problem.row()
        assert row["what"] and row["remedy"] and not any(mark in "".join(row.values()) for mark in "\n\r\x1b")


def test_what_no_terminal_can_hold_is_written_out():
    problem = Problem("what\x1b]0;x\x07", "do\nit", clip="a/b/c\rd", file="d\udce4.avi")
    assert str(problem) == r"clip a/b/c d: d\udce4.avi: what\x1b]0;x\x07; do it"
    assert problem.row()["clip"] == r"a/b/c\rd" and problem.row()["file"] == r"d\udce4.avi"
    assert printable("Grüße, 表情 😀\u200d") == "Grüße, 表情 😀\u200d"
