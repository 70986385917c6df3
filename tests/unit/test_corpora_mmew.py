"""MMEW on a generated layout: folders by emotion, subjects in names, ends that are missing."""

import pytest
from layouts import mmew as layout

from mer_lib.corpora.mmew import index
from mer_lib.ingest.measure import measure
from mer_lib.problems import collect

CLASSES = ("negative", "positive", "surprise")


@pytest.fixture
def root(tmp_path):
    layout.write(tmp_path)
    return tmp_path


def read(root, **options):
    with collect() as problems:
        return index(root, name="mmew", classes=CLASSES, **options).set_index("name"), problems


def test_the_subject_is_the_first_part_of_the_name(root):
    table, _ = read(root)
    assert table["subject"].tolist() == ["mmew/S01", "mmew/S01", "mmew/S02"] and set(table["fps"]) == {90}
    assert table.loc["S01-01-001", ["onset", "apex", "offset"]].tolist() == [14, 24, 39]


def test_macro_expressions_beside_are_not_taken(root):
    assert read(root)[0]["source"].str.startswith("Micro_Expression/").all()


def test_an_offset_past_the_end_and_none_at_all(root):
    table, problems = read(root)
    assert table.loc["S01-04-002", ["offset", "flags"]].tolist() == [39, "offset moved"]
    assert table.loc["S02-07-001", "flags"] == "no apex" and len(problems) == 1
    assert measure(table.reset_index(), root, max_frames=100)["frames"].tolist() == [50, 40, 40]


def test_other_is_no_class_of_megc_2019(root):
    assert read(root)[0].loc["S02-07-001", ["label", "emotion", "action_units"]].tolist() == ["", "others", "4+7"]


def test_a_folder_of_another_emotion_is_told(root):
    (root / "Micro_Expression/fear").mkdir()
    (root / "Micro_Expression/disgust/S01-04-002").rename(root / "Micro_Expression/fear/S01-04-002")
    table, problems = read(root)
    assert table.loc["S01-04-002", "label"] == "negative"
    assert "S01-04-002 is disgust here, but lies in the folder 'fear'; the sheet is followed" in str(problems[0])


def test_folders_by_person(tmp_path):
    layout.write(tmp_path, by_person=True)
    table, problems = read(tmp_path)
    assert table["source"].iloc[0] == "Micro_Expression/S01/happiness/S01-01-001" and len(table) == 3
    assert len(problems) == 1


def test_other_names_of_the_sheet(root):
    (root / layout.SHEET).rename(root / "MMEW_Micro_Exp (20).xlsx")
    assert len(read(root)[0]) == 3
