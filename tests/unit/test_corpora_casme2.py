"""CASME II on generated layouts: its quirks, and the official list's clips."""

from collections import Counter

import pytest
from layouts import casme2 as layout
from layouts.common import Clip, official

from mer_lib.corpora.casme2 import OWN, index
from mer_lib.ingest.source import open_source
from mer_lib.problems import BadInput, collect

CLASSES = ("negative", "positive", "surprise")


def read(root, rows=layout.QUIRKS, classes=CLASSES, frames="CASME2_RAW_selected", sheet=layout.SHEET, **options):
    layout.write(root, rows, frames=frames, sheet=sheet)
    with collect() as problems:
        return index(root, name="casme2", classes=classes, **options).set_index("name"), problems


@pytest.fixture(scope="module")
def quirks(tmp_path_factory):
    return read(tmp_path_factory.mktemp("casme2"))[0]


def test_numbers_that_are_not_padded_are_sorted_as_numbers(tmp_path):
    table, _ = read(tmp_path, (Clip("01", "EP02_01f", 98, 100, 104, "happiness", 12, range(95, 110)),))
    row = table.iloc[0]
    frames = open_source(tmp_path / row["source"], "frames").frames(row["onset"], row["offset"] + 1)
    assert [round(float(frame.mean())) for frame in frames] == list(range(98, 105))
    assert row["apex"] - row["onset"] == 2


def test_subjects_as_text_and_as_numbers(quirks):
    assert quirks["subject"].tolist()[:3] == ["casme2/sub01", "casme2/sub01", "casme2/sub04"]


def test_action_units_as_numbers_and_text(quirks):
    assert quirks["action_units"].tolist()[:3] == ["12", "4+L10", "R2+15"]


def test_an_apex_that_is_a_slash_is_spotted_later(quirks):
    assert quirks.loc["EP12_01f", ["onset", "offset"]].tolist() == [2, 29]
    assert quirks["apex"].isna().sum() == 1 and "no apex" in quirks.loc["EP12_01f", "flags"]


def test_two_disgusts_are_not_in_the_official_list_and_a_surprise_is(quirks):
    assert quirks.loc[["EP12_01f", "EP09_05f", "EP12_03f"], "label"].tolist() == ["", "", "surprise"]
    assert quirks.loc["EP09_05f", "flags"] == "corrected"


def test_sadness_fear_and_others_are_no_class_of_megc_2019_here(quirks):
    assert quirks.loc[["EP03_02", "EP07_37", "EP18_44"], "label"].tolist() == ["negative", "", ""]
    assert quirks.loc["EP07_37", "emotion"] == "sadness"


def test_own_classes(tmp_path):
    table, problems = read(tmp_path, classes=OWN, scheme="own")
    assert table.loc[["EP02_01f", "EP12_01f", "EP07_37"], "label"].tolist() == ["happiness", "disgust", "sadness"]
    assert not problems


def test_objective_classes_from_the_sheet_that_holds_them(tmp_path):
    layout.write_objective(tmp_path / layout.OBJECTIVE, layout.QUIRKS[:3], (1, "III", "7"))
    table, problems = read(tmp_path, classes=("I", "III"), scheme="objective")
    assert table["label"].tolist()[:4] == ["I", "III", "", ""] and not problems


def test_objective_classes_without_their_sheet(tmp_path):
    with pytest.raises(
        BadInput, match=r"no sheet CASME2-ObjectiveClasses\*\.xlsx \(found: CASME2-coding-20140508\.xlsx\)"
    ):
        read(tmp_path, classes=("I", "II"), scheme="objective")


def test_the_later_version_of_the_sheet_lacks_apexes_and_labels(tmp_path):
    rows = (Clip("01", "EP02_01f", 3, 10, 30, "happiness"), Clip("01", "EP03_02", 3, None, 30, ""))
    table, problems = read(tmp_path, rows, sheet="CASME2-coding-20190701.xlsx")
    assert table["label"].tolist() == ["positive", ""] and table["flags"].tolist() == ["", "no apex"] and not problems


@pytest.mark.parametrize("frames", ["CASME2-RAW", "Cropped", "Cropped-updated/Cropped"])
def test_the_other_folders_of_frames(tmp_path, frames):
    table, _ = read(tmp_path, layout.QUIRKS[:1], frames=frames)
    assert table["source"].item() == f"{frames}/sub01/EP02_01f" and table["onset"].item() == 6


def test_the_official_clips_have_the_official_labels(tmp_path):
    layout.write(tmp_path, subjects=None, clips=None)
    with collect() as problems:
        table = index(tmp_path, name="casme2", classes=CLASSES)
    assert not problems and (len(table), table["subject"].nunique()) == (145, 24)
    assert Counter(table["label"]) == {"negative": 88, "positive": 32, "surprise": 25}
    labels = dict(zip(table["clip"], table["label"], strict=True))
    assert labels == {f"casme2/{subject}/{clip}": label for subject, clip, label in official("casme2")}
