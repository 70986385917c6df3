"""mer index and mer doctor of data sets, as their users call them."""

import shutil

import pandas as pd
import pytest
from layouts import casme2, facescape, samm, smic
from typer.testing import CliRunner

from mer_lib import clips
from mer_lib.cli import app


def mer(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """A folder without params.yaml to work in, and a data set below it."""
    monkeypatch.chdir(tmp_path)
    casme2.write(tmp_path / "data/casme2", casme2.QUIRKS)
    return tmp_path / "data/casme2"


def test_a_short_table_and_the_clip_table_as_a_file(tmp_path):
    told = mer("index", "casme2")
    assert told.exit_code == 0 and told.stderr == ""
    lines = told.stdout.splitlines()
    assert lines[0] == "casme2 at data/casme2: 8 clips, 4 subjects, 200 fps"
    assert [line.split() for line in lines[1:6]] == [
        ["class", "clips", "subjects"], ["negative", "2", "2"], ["positive", "1", "1"], ["surprise", "1", "1"],
        ["(no", "label)", "4", "3"],
    ]  # fmt: skip
    assert lines[6:10] == [
        "frames a clip: 16 to 41, median 28",
        "apexes: 1 of 8 are not annotated and will be spotted",
        "lost 0",
        "noted 2:",
    ]
    assert lines[-1] == "written: casme2-clips.csv" and len(clips.load("casme2-clips.csv")) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["casme2-clips.csv", "data"]  # no cache, no results


def test_another_root_file_and_scheme(tmp_path, root):
    told = mer("index", "casme2", "--root", root, "--out", tmp_path / "o.csv", "--set", "scheme=own",
               "--set", "classes=[disgust, others]")  # fmt: skip
    assert told.exit_code == 0
    assert set(clips.load(tmp_path / "o.csv")["label"]) == {"", "disgust", "others"}


def test_a_scheme_without_its_classes_ends_with_the_line_to_write():
    told = mer("index", "casme2", "--set", "scheme=own")
    assert told.exit_code == 2 and "{name: casme2, adapter: casme2, scheme: own, classes: [happiness," in told.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("casme3x",), "no corpus 'casme3x'; did you mean 'casme3'?"),
        (("casme2", "--set", "shceme=own"), "corpus 'casme2' has no option 'shceme'"),
        (("casme2", "--set", "scheme"), "option 'scheme' has no value; write name=value"),
        (("casme2", "--root", "gone"), "gone: no such folder"),
        (("casme2", "--set", "classes=foo"), "corpora.casme2: classes: Input should be a valid tuple (got 'foo')"),
        (("casme2", "--set", "classes=[1, 2]"), "write two or more names, such as classes: [negative, positive]"),
        (("casme2", "--root", "x" * 400), "no such folder"),
        (("casme2", "--out", "."), ".: is a folder; name a file with --out"),
        (
            ("casme2", "--out", "data/casme2/CASME2-coding-20140508.xlsx/o.csv"),
            "o.csv: cannot be written (File exists)",
        ),
    ],
)
def test_mistakes_end_with_one_line(words, message):
    told = mer("index", *words)
    assert told.exit_code == 2 and message in told.stderr and told.stderr.count("\n") == 1


def test_many_problems_are_counted_and_shown_on_demand(root):
    rows = [casme2.Clip(1, f"EP{i:02d}_99", 1, 2, 3, "disgust") for i in range(15)]
    casme2.write_sheet(root / casme2.SHEET, [casme2.QUIRKS[0], *rows])
    short, long = mer("index", "casme2").stdout, mer("index", "casme2", "--all").stdout
    assert "lost 15:" in short and "… and 5 more: --all" in short and "EP14_99" not in short and "EP14_99" in long


def test_a_corpus_of_params_yaml_with_its_own_name_and_cache(tmp_path, repository):
    text = (repository / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(
        text.replace(
            "corpora: [synthetic]", "corpora: [{name: mine, adapter: casme2, sheet: CASME2-coding-20140508.xlsx}]"
        )
    )
    (tmp_path / "local.yaml").write_text("roots: {mine: data/casme2}\n")
    told = mer("index", "mine", "--set", "scheme=own", "--set", "classes=[disgust, others]")
    assert told.exit_code == 0 and told.stdout.startswith("mine at data/casme2: 8 clips")
    assert set(clips.load("mine-clips.csv")["dataset"]) == {"mine"} and (tmp_path / ".mer/index/mine").is_dir()


def test_a_composite_with_the_folder_of_its_parts(tmp_path):
    samm.write(tmp_path / "data/samm", subjects=2, clips=2)
    smic.write(tmp_path / "data/smic", subjects=2, clips=2)
    told = mer("index", "megc2019", "--root", tmp_path / "data", "--all")
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("megc2019: 12 clips, ")
    table = pd.read_csv("megc2019-clips.csv")
    assert set(table["dataset"]) == {"casme2", "samm", "smic"} and "lost 430:" in told.stdout


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside params.yaml"])
def test_meshes(tmp_path, repository, beside):
    facescape.write(tmp_path / "data/facescape")
    if beside:
        shutil.copy(repository / "params.yaml", tmp_path)
    told = mer("index", "facescape")
    assert told.exit_code == 0 and "meshes" in told.stdout.splitlines()[0]
    assert pd.read_csv("facescape-meshes.csv").columns[0] == "mesh"


def test_the_doctor_of_a_data_set_that_is_well():
    told = mer("doctor", "casme2")
    assert told.exit_code == 0
    assert [line.split()[:2] for line in told.stdout.splitlines()[1:5]] == [
        ["ok", "folder"], ["ok", "sheet"], ["ok", "frames"], ["ok", "table"]
    ]  # fmt: skip
    assert "should look like" not in told.stdout and "  note  CASME2-coding-20140508.xlsx line 4" in told.stdout


def test_the_doctor_tells_what_it_looked_for_and_draws_what_it_should_find(root):
    (root / casme2.SHEET).rename(root / "casme coding.xlsx")
    (root / "CASME2_RAW_selected/sub01").rename(root / "CASME2_RAW_selected/person 1")
    told = mer("doctor", "casme2", "--root", root)
    assert told.exit_code == 1
    sheet = next(line for line in told.stdout.splitlines() if line.startswith("FAIL  sheet"))
    assert "no sheet CASME2-coding-20140508.xlsx" in sheet and "(found: casme coding.xlsx)" in sheet
    assert "It should look like this:" in told.stdout and "      EP02_01f/" in told.stdout
    assert "table" not in told.stdout


def test_the_doctor_of_a_root_too_high_and_too_low(root):
    told = mer("doctor", "casme2", "--root", root.parent)
    assert told.exit_code == 0 and f"the root is 1 level too high: the data are in {root}" in told.stdout
    told = mer("doctor", "casme2", "--root", root / "CASME2_RAW_selected")
    assert told.exit_code == 1 and f"use {root} as the root" in told.stdout


def test_the_doctor_names_every_clip_that_is_lost(root):
    casme2.write_sheet(root / casme2.SHEET, [*casme2.QUIRKS, casme2.Clip(9, "EP01_01", 1, 2, 3, "disgust")])
    told = mer("doctor", "casme2")
    assert told.exit_code == 1 and "FAIL  table            8 rows can be used, 1 cannot; see below why" in told.stdout
    assert "  lost  clip casme2/sub09/EP01_01: CASME2-coding-20140508.xlsx line 10: no frames" in told.stdout


def test_the_doctor_of_a_composite_looks_at_each_part(tmp_path):
    samm.write(tmp_path / "data/samm", subjects=2, clips=2)
    told = mer("doctor", "megc2019", "--root", tmp_path / "data")
    lines = told.stdout.splitlines()
    assert told.exit_code == 1 and [line for line in lines if line in ("casme2", "smic", "samm", "megc2019")] == [
        "casme2", "smic", "samm", "megc2019"
    ]  # fmt: skip
    assert any(line.startswith("FAIL  folder") and "data/smic" in line for line in lines)


def test_an_absent_folder(root):
    told = mer("doctor", "samm")
    assert (
        told.exit_code == 1
        and "FAIL  folder           no folder data/samm; link it there, or give --root" in told.stdout
    )
