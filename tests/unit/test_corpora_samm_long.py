"""SAMM Long Videos: every quirk of the sheet and the folders, on a generated layout."""

import pandas as pd
import pytest
from layouts import samm_long as layout

from mer_lib import clips
from mer_lib.corpora.samm_long import index
from mer_lib.problems import BadInput, collect

CLASSES = clips.OFFICIAL_CLASSES


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return layout.write(tmp_path_factory.mktemp("samm_long"))


@pytest.fixture(scope="module")
def indexed(root):
    with collect() as found:
        table = index(root, name="samm_long", classes=CLASSES)
    return table.set_index("name", drop=False), found


def test_the_header_stands_in_row_10_and_the_video_is_two_parts_of_the_name(indexed):
    found = indexed[0].loc["006_1_1"]
    assert found["clip"] == "samm_long/006/006_1_1" and found["source"] == "SAMM_longvideos/006_1"
    assert (found["onset"], found["apex"], found["offset"], found["fps"]) == (4, 9, 19, 200)
    assert found["action_units"] == "R12A"


def test_types_are_macro_and_micro_and_no_clip_has_a_label(indexed):
    assert dict(indexed[0]["type"]) == {
        "006_1_1": "macro", "006_1_2": "micro", "006_3_1": "macro", "020_6_5": "macro", "036_7_4": "macro",
        "035_7_1": "micro",
    }  # fmt: skip
    assert (indexed[0]["label"] == "").all() and (indexed[0]["emotion"] == "").all()


def test_fractions_mean_the_nearest_frame(indexed):
    found = indexed[0].loc["006_1_2"]
    assert (found["onset"], found["apex"], found["offset"]) == (11, 14, 19)  # 12.4, 14.6, 19.5; frames count from 1


def test_an_apex_of_minus_1_is_unknown(indexed):
    found = indexed[0].loc["006_3_1"]
    assert pd.isna(found["apex"]) and found["flags"] == "no apex"


def test_an_onset_of_0_is_unknown_and_the_apex_stands_for_it(indexed):
    found = indexed[0].loc["035_7_1"]
    assert (found["onset"], found["apex"], found["offset"]) == (5, 5, 13)
    assert found["flags"] == "the apex stands for the onset"
    said = {p.file: p.what for p in indexed[1] if p.severity == "skipped"}
    assert said[f"{layout.SHEET} line 17"] == "neither onset nor apex is annotated"


@pytest.mark.parametrize(("name", "last"), [("020_6_5", 5001), ("036_7_4", 8201)])
def test_offsets_past_the_end_are_corrected_with_the_reason(indexed, name, last):
    found = indexed[0].loc[name]
    assert found["offset"] == 16 and "corrected" in found["flags"]  # 17 frames, up to ``last``
    assert layout.VIDEOS[name[:5]][0][-1] == last
    assert any(name in p.what and "ends before the offset" in p.what for p in indexed[1])


def test_numbers_of_five_digits(indexed):
    assert indexed[0].loc["035_7_1", "source"] == "SAMM_longvideos/035_7"


def test_what_does_not_match_is_said(indexed):
    said = {p.clip: p.what for p in indexed[1] if p.severity == "skipped"}
    assert "no folder 037_3" in said["samm_long/037/037_3_1"]
    assert any("SAMM_longvideos/009_2" in p.what for p in indexed[1] if p.severity == "warning")


@pytest.mark.parametrize("name", ["SAMM_LongVideos_V1_Release.xlsx", "SAMM_LongVideos_V3_Release.xlsx"])
def test_every_version_is_found_the_newest_first(tmp_path, root, name):
    layout.write_sheet(tmp_path / name)
    (tmp_path / "SAMM_longvideos").symlink_to(root / "SAMM_longvideos")
    assert len(index(tmp_path, name="s", classes=CLASSES)) == 6


def test_a_workbook_of_another_kind_says_which_sheets_it_has(tmp_path, root):
    layout.write_sheet(tmp_path / layout.SHEET, name="MICRO_ONLY")
    (tmp_path / "SAMM_longvideos").symlink_to(root / "SAMM_longvideos")
    with pytest.raises(BadInput, match=r"no sheet 'FACS_Movement_Only'.*MICRO_ONLY"):
        index(tmp_path, name="s", classes=CLASSES)
