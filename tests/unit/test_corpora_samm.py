"""SAMM on generated layouts: its quirks, and the official list's clips."""

from collections import Counter

import pytest
from layouts import samm as layout
from layouts.common import Clip

from mer_lib.corpora.samm import index
from mer_lib.problems import BadInput, collect

CLASSES = ("negative", "positive", "surprise")


def read(root, rows=layout.QUIRKS, classes=CLASSES, **options):
    layout.write(root, rows)
    with collect() as problems:
        return index(root, name="samm", classes=classes, **options).set_index("name"), problems


@pytest.fixture(scope="module")
def quirks(tmp_path_factory):
    table, problems = read(tmp_path_factory.mktemp("samm"))
    assert not problems
    return table


def test_the_header_stands_below_thirteen_lines(quirks):
    assert len(layout.PREAMBLE) == 13 and quirks.loc["006_1_2", ["onset", "apex", "offset"]].tolist() == [7, 33, 77]


def test_six_clips_have_numbers_of_four_digits(tmp_path):
    rows = [Clip(name[:3], name, 7, 20, 36, "Anger", "4", range(1, 41), ("IV",)) for name in layout.FOUR_DIGITS]
    table, problems = read(tmp_path, [layout.QUIRKS[0], *rows])
    assert not problems and table["onset"].tolist() == [7, *[6] * 6]
    assert (tmp_path / table.loc["013_1_12", "source"] / "013_0007.jpg").is_file()
    assert (tmp_path / table.loc["006_1_2", "source"] / "006_05562.jpg").is_file()


def test_action_units_with_sides_alternatives_and_intensities(quirks):
    assert quirks["action_units"].tolist() == ["4+7", "(R6 or R12)+R15", "L12 or L14", "10A/B", "14"]


def test_a_subject_that_excel_took_for_a_number(quirks):
    assert quirks.loc["026_1_1", "subject"] == "samm/026"


def test_an_apex_of_minus_one_is_unknown_and_other_is_no_class(quirks):
    assert quirks.loc["035_7_2", ["flags", "label", "emotion"]].tolist() == ["no apex", "", "Other"]


def test_objective_classes_stand_in_the_sheet(tmp_path):
    table, _ = read(tmp_path, classes=("I", "II", "IV"), scheme="objective")
    assert table["label"].tolist() == ["IV", "I", "I", "II", ""]


def test_own_classes_take_other_in_any_spelling(tmp_path):
    table, _ = read(tmp_path, classes=("Anger", "Other"), scheme="own")
    assert table["label"].tolist() == ["Anger", "", "", "", "Other"]


def test_the_other_name_of_the_sheet(tmp_path):
    layout.write(tmp_path, layout.QUIRKS, sheet="SAMM_20181215_Micro_FACS_Codes_v2.xlsx")
    assert len(index(tmp_path, name="samm", classes=CLASSES)) == 5


def test_a_workbook_without_its_sheet(tmp_path):
    layout.write(tmp_path, layout.QUIRKS)
    layout.write_sheet(tmp_path / layout.SHEET, layout.QUIRKS, page="MICRO")
    with pytest.raises(BadInput, match=r"no sheet 'MICRO_ONLY' in the workbook; did you mean 'MICRO'\?"):
        index(tmp_path, name="samm", classes=CLASSES)


def test_the_official_clips_have_the_official_labels(tmp_path):
    layout.write(tmp_path, subjects=None, clips=None)
    with collect() as problems:
        table = index(tmp_path, name="samm", classes=CLASSES)
    assert not problems and (len(table), table["subject"].nunique()) == (133, 28)
    assert Counter(table["label"]) == {"negative": 92, "positive": 26, "surprise": 15}
