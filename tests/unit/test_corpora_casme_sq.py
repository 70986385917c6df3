"""CAS(ME)²: every quirk of its sheet and folders, on a generated layout."""

import pandas as pd
import pytest
from layouts import casme_sq as layout

from mer_lib import clips
from mer_lib.corpora.casme_sq import FOLDERS, VIDEOS, index
from mer_lib.problems import BadInput, collect

CLASSES = clips.OFFICIAL_CLASSES


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return layout.write(tmp_path_factory.mktemp("casme_sq"))


@pytest.fixture(scope="module")
def indexed(root):
    with collect() as found:
        table = index(root, name="casme_sq", classes=CLASSES)
    return table.set_index("clip", drop=False), found


def row(indexed, clip):
    return indexed[0].loc[f"casme_sq/{clip}"]


def test_a_row_is_an_interval_of_a_long_video_counted_from_0(indexed):
    found = row(indexed, "s15/disgust1_1")
    assert (found["onset"], found["apex"], found["offset"]) == (9, 13, 19)  # the frames count from 1
    assert found["source"] == "rawpic/s15/15_0101disgustingteeth" and found["kind"] == "frames" and found["fps"] == 30
    assert (found["subject"], found["action_units"], found["label"]) == ("casme_sq/s15", "4+7", "negative")


def test_types_are_micro_and_macro(indexed):
    assert indexed[0]["type"].value_counts().to_dict() == {"micro": 4, "macro": 2}


def test_the_naming_rules_lead_from_the_sheets_subject_to_the_folder(indexed):
    assert row(indexed, "s21/happy1_1")["source"] == "rawpic/s21/21_0502funnyerrors"


def test_the_folder_of_s23_that_lies_in_s19_is_found(indexed):
    assert row(indexed, "s23/happy1_1")["source"] == "rawpic/s19/23_0502funnyerrors"


def test_an_offset_of_0_means_none_and_the_apex_stands_for_it(indexed):
    found = row(indexed, "s15/disgust1_2")
    assert (found["onset"], found["apex"], found["offset"]) == (24, 27, 27)
    assert found["flags"] == "the apex stands for the offset"


def test_others_has_no_class_among_three_and_one_of_its_own(root, indexed):
    assert row(indexed, "s15/disgust1_2")["emotion"] == "others" and row(indexed, "s15/disgust1_2")["label"] == ""
    own = index(root, name="x", classes=("negative", "positive", "surprise", "others"), scheme="own")
    assert own.set_index("name").loc["disgust1_2", "label"] == "others"


def test_rows_out_of_order_lose_the_apex_or_are_refused(indexed):
    found = row(indexed, "s23/happy2_2")
    assert pd.isna(found["apex"]) and (found["onset"], found["offset"]) == (8, 14) and "no apex" in found["flags"]
    said = {p.clip: p for p in indexed[1] if p.severity == "skipped"}
    assert "offset 11 comes before onset 20" in said["casme_sq/s23/happy2_3"].what
    assert "line 7" in said["casme_sq/s23/happy2_3"].file


def test_a_row_without_frames_is_said_by_the_folder_that_was_looked_for(indexed):
    said = {p.clip: str(p) for p in indexed[1] if p.severity == "skipped"}
    assert "no folder s23/23_0402" in said["casme_sq/s23/anger2_1"] and len(said) == 2


def test_a_video_without_an_expression_is_noted(indexed):
    assert any("rawpic/s23/23_0102eatingworms" in p.what for p in indexed[1] if p.severity == "warning")


def test_the_same_without_naming_rules_and_under_the_challenges_file_name(tmp_path):
    root = layout.write(tmp_path, rules=False, sheet="CASME_sq_gt.xlsx", frames="cropped")
    with collect() as found:
        table = index(root, name="casme_sq", classes=CLASSES)
    assert len(table) == 6 and table["source"].str.startswith("cropped/").all()
    assert any("naming rule1" in p.what for p in found)
    assert {(i, n) for _, n, i in layout.RULE1} == {(int(i), n) for i, n in FOLDERS.items()}
    assert {name: code for code, name in layout.RULE2} == VIDEOS


def test_codes_and_folders_that_a_spreadsheet_turned_into_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "RULE1", tuple((f"s{n}", f"s{n}", i) for _, n, i in layout.RULE1))
    monkeypatch.setattr(layout, "RULE2", tuple((int(code), name) for code, name in layout.RULE2))
    assert len(index(layout.write(tmp_path), name="casme_sq", classes=CLASSES)) == 6


def test_several_rows_of_one_name_carry_their_onset(tmp_path):
    rows = [*layout.ROWS[:1], (1, "disgust1_1", 22, 24, 27, "4", "negative", "micro-expression", "")]
    found = index(layout.write(tmp_path, rows), name="c", classes=CLASSES)
    assert list(found["clip"]) == ["c/s15/disgust1_1@9", "c/s15/disgust1_1@21"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((23, "anger1_1", 1, 2, 3, "4", "negative", "micro-expression", ""), "subject '23' is not in the naming rules"),
        (
            (1, "angry1_1", 1, 2, 3, "4", "negative", "micro-expression", ""),
            "video 'angry1' is not in the naming rules",
        ),
        ((1, "anger1_1", 1, 2, 3, "4", "negative", "small", ""), "type 'small' is neither micro nor macro"),
        ((1, "anger1_1", "five", 2, 3, "4", "negative", "micro-expression", ""), "onset 'five' is no number"),
        ((1, "anger1_1", 5, 0, 0, "4", "negative", "micro-expression", ""), "neither offset nor apex is annotated"),
    ],
)
def test_a_bad_row_is_refused_by_its_line_and_the_others_go_on(tmp_path, row, words):
    root = layout.write(tmp_path, [*layout.ROWS[:2], row])
    with collect() as found:
        table = index(root, name="c", classes=CLASSES)
    (said,) = [p for p in found if p.severity == "skipped"]
    assert len(table) == 2 and words in said.what and "line 3" in said.file


def test_a_root_without_a_sheet_says_what_was_looked_for(tmp_path):
    (tmp_path / "rawpic/s15/15_0101disgustingteeth").mkdir(parents=True)
    with pytest.raises(BadInput, match=r"CASME_sq_gt"):
        index(tmp_path, name="c", classes=CLASSES)


def test_a_root_a_level_too_high_or_too_low_is_said(tmp_path, root):
    (tmp_path / "CAS(ME)^2").symlink_to(root)
    assert len(index(tmp_path, name="c", classes=CLASSES)) == 6
    with pytest.raises(BadInput, match="too low"):
        index(root / "rawpic", name="c", classes=CLASSES)


def test_upper_case_links_and_other_files_do_no_harm(tmp_path):
    layout.write(tmp_path)
    (tmp_path / "rawpic/s15").rename(tmp_path / "rawpic/S15")
    (tmp_path / "rawpic/s19/again").symlink_to(tmp_path / "rawpic")
    (tmp_path / "rawpic/Thumbs.db").write_bytes(b"")
    assert len(index(tmp_path, name="c", classes=CLASSES)) == 6
