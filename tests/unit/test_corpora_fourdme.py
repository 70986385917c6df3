"""4DME on a generated layout: people filmed twice, several emotions, frames counted anew, a release with quotes."""

import pytest
from layouts import fourdme as layout

from mer_lib.corpora.fourdme import OWN, index
from mer_lib.problems import collect

CLASSES = ("negative", "positive", "surprise")


@pytest.fixture(scope="module", params=[False, True], ids=["release", "quoted"])
def found(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("4dme")
    layout.write(root, quoted=request.param)
    with collect() as problems:
        return index(root, name="4dme", classes=CLASSES).set_index("name"), problems, root


def test_a_person_filmed_twice_is_one_subject(found):
    table = found[0]
    assert table["subject"].tolist() == ["4dme/S01", "4dme/S13", "4dme/S13", "4dme/S49", "4dme/S50"]
    assert "S13_2nd" in table.loc["S13_04_002", "source"]


def test_classes_and_a_clip_with_two_emotions(found):
    table = found[0]
    assert table["label"].tolist() == ["positive", "negative", "surprise", "negative", ""]
    assert table.loc["S50_01_001", ["emotion", "flags"]].tolist() == ["Positive & Surprise", "several emotions"]


def test_marks_of_action_units_are_kept(found):
    assert found[0].loc["S01_01_001", "action_units"] == "6+12(k)"


def test_frames_counted_anew_keep_their_apex(found):
    row = found[0].loc["S49_01_001"]
    assert row[["onset", "apex", "offset", "flags"]].tolist() == [0, 10, 19, "frames counted anew"]
    assert [problem.severity for problem in found[1]] == ["warning"]


def test_own_classes(found):
    table = index(found[2], name="4dme", classes=OWN, scheme="own").set_index("name")
    assert table["label"].tolist() == ["positive", "negative", "surprise", "repression", ""]
