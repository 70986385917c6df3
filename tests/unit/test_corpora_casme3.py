"""CAS(ME)³ part A: every quirk of its sheet and folders, on a generated layout."""

import pandas as pd
import pytest
from layouts import casme3 as layout

from mer_lib import clips
from mer_lib.corpora.casme3 import index
from mer_lib.problems import BadInput, collect

CLASSES = clips.OFFICIAL_CLASSES


@pytest.fixture(scope="module", params=["whole", "cut"])
def indexed(request, tmp_path_factory):
    root = layout.write(tmp_path_factory.mktemp("casme3"), cut=request.param == "cut")
    with collect() as found:
        table = index(root, name="casme3", classes=CLASSES)
    return request.param, table.set_index("clip", drop=False), found


def test_every_cell_is_text_and_frames_are_found_by_their_numbers(indexed):
    form, table, _ = indexed
    found = table.loc["casme3/spNO.1/b"]
    first = 0 if form == "cut" else 15
    assert (found["onset"], found["apex"], found["offset"]) == (first, first + 4, first + 13)
    assert found["source"] == ("Part_A_ME_clip/frame/spNO.1_b_16" if form == "cut" else "part_A/spNO.1/b/color")
    assert (found["subject"], found["label"], found["fps"], found["type"]) == ("casme3/spNO.1", "negative", 30, "micro")


def test_names_that_repeat_within_a_subject_carry_their_onset(indexed):
    form, table, _ = indexed
    wanted = ["casme3/spNO.1/j@0"] if form == "cut" else ["casme3/spNO.1/j@2", "casme3/spNO.1/j@14"]
    assert [clip for clip in table["clip"] if "spNO.1/j" in clip][: len(wanted)] == wanted


def test_others_and_Others_are_one_emotion(indexed):
    table = indexed[1].set_index("name")
    assert (
        list(table.loc[["a", "c"], "emotion"]) == ["others", "Others"] and (table.loc[["a", "c"], "label"] == "").all()
    )


def test_a_row_out_of_order_loses_its_apex(indexed):
    found = indexed[1].loc["casme3/spNO.2/c"]
    assert pd.isna(found["apex"]) and "no apex" in found["flags"]


def test_the_slip_of_spNO_216_is_corrected_with_its_reason(tmp_path):
    with collect() as said:
        table = index(layout.write(tmp_path), name="casme3", classes=CLASSES).set_index("name")
    found = table.loc["d"]
    assert (found["onset"], found["apex"], found["offset"]) == (7, 28, 54) and "corrected" in found["flags"]
    assert any("spNO.216/d@3647 is corrected" in p.what for p in said)


def test_an_onset_of_0_where_frames_count_from_1_moves_to_the_first(indexed):
    found = indexed[1].loc["casme3/spNO.216/e"]
    assert found["onset"] == 0 and pd.isna(found["apex"]) and "onset moved" in found["flags"]


def test_missing_frames_are_said_by_folder(indexed):
    said = {p.clip: p.what for p in indexed[2] if p.severity == "skipped"}
    assert "no folder spNO.138/c/color" in said["casme3/spNO.138/c"]


def test_depth_is_not_taken_for_colour(indexed):
    assert not indexed[1]["source"].str.contains("depth").any()


def test_objective_classes(tmp_path):
    root = layout.write(tmp_path)
    table = index(root, name="c", classes=("I", "II", "III", "VII"), scheme="objective")
    assert dict(zip(table["name"], table["label"], strict=True))["b"] == "III"
    own = ("disgust", "surprise", "others", "happiness")
    assert index(root, name="c", classes=own, scheme="own")["label"].value_counts()["others"] == 2


def test_a_sheet_of_another_name_and_one_with_a_column_renamed(tmp_path):
    root = layout.write(tmp_path)
    layout.write_sheet(root / layout.SHEET, name="Sheet1")
    assert len(index(root, name="c", classes=CLASSES)) == 7
    layout.write_sheet(
        root / layout.SHEET,
        header=("Subject", "Filename", "Onset", "Peak", "Offset", "AU", "Objective class", "emotion"),
    )
    with pytest.raises(BadInput, match="no column 'Apex'"):
        index(root, name="c", classes=CLASSES)
