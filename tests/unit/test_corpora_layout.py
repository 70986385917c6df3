"""Where a data set is below a root, and what is said when it is not."""

import os
import shutil
from importlib import import_module

import pytest
from layouts import casme2, smic
from layouts.common import Clip, write_book

from mer_lib import registry
from mer_lib.corpora import casme2 as adapter
from mer_lib.corpora.layout import find_frames, find_sheet
from mer_lib.problems import BadInput, collect

CLASSES = ("negative", "positive", "surprise")
LAYOUT = adapter.LAYOUTS["casme2"]
ONE = (Clip(1, "EP02_01f", 3, 10, 30, "happiness"),)


@pytest.fixture
def root(tmp_path):
    casme2.write(tmp_path / "casme2", ONE)
    return tmp_path / "casme2"


def index(root, **options):
    with collect() as problems:
        return adapter.index(root, name="casme2", classes=CLASSES, **options), problems


def complaint(root, **options):
    with pytest.raises(BadInput) as error:
        index(root, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_root_a_level_too_high_works_and_is_told(root):
    table, problems = index(root.parent)
    assert table["source"].tolist() == ["casme2/CASME2_RAW_selected/sub01/EP02_01f"]
    assert f"the root is 1 level too high: the data are in {root}; it works as it is" in str(problems[0])


def test_a_root_a_level_too_low_is_told_with_the_right_one(root):
    told = complaint(root / "CASME2_RAW_selected")
    assert f"the root is 1 level too low: the sheet CASME2-coding-20140508.xlsx lies in {root}; use {root}" in told


def test_a_root_that_is_a_subjects_folder(root):
    told = complaint(root / "CASME2_RAW_selected/sub01")
    assert "the root is 2 levels too low" in told and f"use {root} as the root" in told


def test_frames_of_a_root_that_is_too_low(root):
    with pytest.raises(BadInput, match=r"the root is too low: it is the folder 'sub01' of the frames"):
        find_frames(root / "CASME2_RAW_selected/sub01", LAYOUT)


def test_no_such_root(tmp_path):
    assert "no such folder; set the corpus's root in local.yaml" in complaint(tmp_path / "nowhere")


def test_what_was_looked_for_and_the_closest_there_is(root):
    (root / casme2.SHEET).rename(root / "casme coding.xlsx")
    write_book(root / "anything.xlsx", ("a",), ())
    told = complaint(root)
    assert "no sheet CASME2-coding-20140508.xlsx or CASME2-coding*.xlsx" in told
    assert "(found: casme coding.xlsx, anything.xlsx)" in told and "docs/data-sets/casme2.md" in told
    assert len(index(root, sheet="casme coding.xlsx")[0]) == 1


def test_frames_under_another_name_are_known_by_their_subjects(root):
    (root / "CASME2_RAW_selected").rename(root / "raw frames")
    assert index(root)[0]["source"].item() == "raw frames/sub01/EP02_01f"


def test_no_frames_at_all(root):
    (root / "CASME2_RAW_selected/sub01").rename(root / "CASME2_RAW_selected/person1")
    told = complaint(root)
    assert "no folder of frames CASME2_RAW_selected or CASME2-RAW" in told and "(found: CASME2_RAW_selected)" in told


def test_names_in_another_case(root):
    (root / casme2.SHEET).rename(root / casme2.SHEET.upper())
    (root / "CASME2_RAW_selected/sub01/EP02_01f").rename(root / "CASME2_RAW_selected/sub01/ep02_01F")
    (root / "CASME2_RAW_selected/sub01").rename(root / "CASME2_RAW_selected/SUB01")
    (root / "CASME2_RAW_selected").rename(root / "casme2_raw_SELECTED")
    table, problems = index(root)
    assert table["source"].item() == "casme2_raw_SELECTED/SUB01/ep02_01F" and not problems
    assert table["clip"].item() == "casme2/sub01/EP02_01f"


def test_an_xls_of_the_right_name_is_told_to_be_saved_anew(root):
    (root / casme2.SHEET).rename(root / "CASME2-coding-20140508.xls")
    assert "CASME2-coding-20140508.xls: is an old Excel file (xls); open it and save it as xlsx" in complaint(root)


def test_locks_of_open_workbooks_are_passed_over(root):
    (root / f"~${casme2.SHEET}").write_bytes(b"lock")
    assert len(index(root)[0]) == 1


def test_of_two_sheets_the_better_one_is_read_and_the_other_told(root):
    shutil.copy(root / casme2.SHEET, root / "CASME2-coding-20190701.xlsx")
    table, problems = index(root)
    assert len(table) == 1 and "CASME2-coding-20140508.xlsx is read, CASME2-coding-20190701.xlsx is not" in str(
        problems[0]
    )
    assert not index(root, sheet="CASME2-coding-20190701.xlsx")[1]


def test_of_two_kinds_of_frames_the_raw_ones_are_taken_and_the_others_on_demand(root):
    casme2.write(root, ONE, frames="Cropped")
    table, problems = index(root)
    assert table["source"].item().startswith("CASME2_RAW_selected") and "not from Cropped" in str(problems[0])
    table, problems = index(root, frames="Cropped")
    assert table["source"].item().startswith("Cropped") and not problems


@pytest.mark.parametrize(("options", "words"), [
    ({"sheet": "gone.xlsx"}, "gone.xlsx: no such sheet; correct 'sheet:'"),
    ({"frames": "gone"}, "gone: no such folder; correct 'frames:'"),
    ({"frames": "CASME2_RAW_selected/sub01"}, r"no folders like sub\d+ in it; correct 'frames:'"),
])  # fmt: skip
def test_options_that_lead_nowhere(root, options, words):
    assert words in complaint(root, **options)


def test_a_sheet_that_lies_elsewhere(root, tmp_path):
    (root / casme2.SHEET).rename(tmp_path / "elsewhere.xlsx")
    assert len(index(root, sheet=str(tmp_path / "elsewhere.xlsx"))[0]) == 1


def test_rings_of_links_end(root):
    os.symlink(root, root / "ring")
    os.symlink(root, root / "CASME2_RAW_selected/sub02")
    os.symlink(root / "gone", root / "dangling")
    table, _ = index(root)
    assert table["clip"].tolist() == ["casme2/sub01/EP02_01f"]


def test_a_folder_that_has_to_be_called_so_is_not_taken_for_another(tmp_path):
    smic.write(tmp_path, subjects=1, clips=1, modality="VIS")
    with pytest.raises(BadInput, match=r"no folder of frames .*HS \(found: SMIC_all_cropped\)"):
        registry.get("corpus", "smic").load()(tmp_path, name="smic", classes=CLASSES)


def test_finding_looks_at_names_alone(root):
    (root / casme2.SHEET).write_bytes(b"")
    assert find_sheet(root, LAYOUT) == root / casme2.SHEET


@pytest.mark.parametrize("name", sorted({"casme", "casme2", "samm", "smic", "smic_e", "mmew", "4dme"}))
def test_the_page_of_a_data_set_draws_the_doctors_tree(name, repository):
    entry = registry.get("corpus", name)
    layout = import_module(entry.module).LAYOUTS[name]
    page = (repository / layout.docs).read_text(encoding="utf-8")
    assert layout.tree in page.replace(f"data/{name}/", f"{name}/") and f"mer index {name}" in page
    assert all(f"`{option}`" in page or f"`{option}:" in page for option in entry.options)
    assert layout.tree.startswith(f"{name}/\n")


def test_frames_outside_the_root_are_told(root, tmp_path):
    casme2.write(tmp_path / "elsewhere", ONE)
    for given in (str(tmp_path / "elsewhere/CASME2_RAW_selected"), "../elsewhere/CASME2_RAW_selected"):
        assert "lies outside the root" in complaint(root, frames=given)
    assert len(index(root, frames=str(root / "CASME2_RAW_selected"))[0]) == 1


@pytest.mark.parametrize("options", [{"sheet": "x" * 400}, {"frames": "x" * 400}])
def test_names_no_disk_can_hold(root, options):
    assert "no such" in complaint(root, **options)


def test_folders_that_may_not_be_listed(root, monkeypatch):
    """Rights are withheld by hand: tests may run as a user who may do everything."""
    (root / "private").mkdir()
    closed, listed = set(), os.scandir

    def scandir(folder="."):
        if os.path.realpath(folder) in closed:
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    for folder, told in (("private", None), ("CASME2_RAW_selected", "CASME2_RAW_selected"), (".", "")):
        closed.clear()
        closed.add(os.path.realpath(root / folder))
        if told is None:
            assert len(index(root)[0]) == 1
        else:
            assert f"{root / told}: the folder cannot be opened (permission denied)" in complaint(root)


def test_the_root_that_is_named_where_it_is_too_low_works(tmp_path):
    for name, below in (("facescape", "1"), ("stirling", "F_3D_N"), ("ckplus", "cohn-kanade-images/S005")):
        write = import_module(f"layouts.{name}").write
        write(tmp_path / name)
        entry = registry.get("corpus", name)
        with pytest.raises(BadInput, match=f"use {tmp_path / name} as the root"):
            entry.load()(tmp_path / name / below, name=name, classes=CLASSES)
