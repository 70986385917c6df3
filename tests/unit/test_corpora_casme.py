"""CASME on a generated layout: onsets and offsets that do not fit the folders."""

import pytest
from layouts import casme as layout

from mer_lib.corpora.casme import OWN, index
from mer_lib.problems import collect

CLASSES = ("negative", "positive", "surprise")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    root = tmp_path_factory.mktemp("casme")
    layout.write(root)
    with collect() as problems:
        return index(root, name="casme", classes=CLASSES).set_index("name"), problems, root


def test_a_row_that_fits(found):
    row = found[0].loc["EP01_5"]
    assert row[["clip", "subject", "fps", "action_units"]].tolist() == ["casme/sub01/EP01_5", "casme/sub01", 60, "14"]
    assert row[["onset", "apex", "offset", "label", "flags"]].tolist() == [5, 13, 25, "negative", ""]


def test_an_interval_that_is_not_there_gives_way_to_the_folder(found):
    row = found[0].loc["EP08_10"]
    assert row[["onset", "offset", "flags"]].tolist() == [0, 49, "onset moved; offset moved; no apex"]
    assert any("frames 2 to 14 are not there, the folder holds frames 100 to 149" in str(p) for p in found[1])


def test_an_offset_past_the_last_frame_is_the_last_frame(found):
    assert found[0].loc["EP03_2", ["onset", "apex", "offset", "flags"]].tolist() == [4, 14, 39, "offset moved"]


def test_an_offset_before_the_onset(found):
    assert found[0].loc["EP13_2", ["onset", "apex", "offset"]].tolist() == [0, 7, 24]


def test_every_correction_is_told_and_nothing_is_lost(found):
    assert len(found[1]) == 3 and {problem.severity for problem in found[1]} == {"warning"}


def test_tense_is_a_class_of_its_own_scheme_alone(found):
    assert found[0].loc["EP13_2", "label"] == ""
    table = index(found[2], name="casme", classes=OWN, scheme="own").set_index("name")
    assert table.loc["EP13_2", "label"] == "tense"
