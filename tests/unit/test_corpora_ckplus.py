"""CK+: posed expressions without a sheet, on a generated layout."""

import pytest
from layouts import ckplus as layout

from mer_lib import clips
from mer_lib.corpora.ckplus import EMOTIONS, OWN, index
from mer_lib.problems import BadInput, collect

CLASSES = clips.OFFICIAL_CLASSES


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return layout.write(tmp_path_factory.mktemp("ckplus"))


@pytest.fixture(scope="module")
def indexed(root):
    with collect() as found:
        table = index(root, name="ckplus", classes=CLASSES)
    return table.set_index("clip", drop=False), found


def test_a_sequence_goes_from_its_first_frame_to_the_apex_at_its_last(indexed):
    table, found = indexed
    assert list(table["clip"]) == [f"ckplus/{sequence}" for sequence in layout.SEQUENCES]
    row = table.loc["ckplus/S005/001"]
    assert (row["onset"], row["apex"], row["offset"], row["fps"]) == (0, 10, 10, 30)
    assert (table["type"] == "macro").all() and not found
    assert row["source"] == "cohn-kanade-images/S005/001"


def test_emotions_are_numbers_in_the_notation_of_their_authors_and_some_sequences_have_none(indexed):
    table = indexed[0].set_index(indexed[0]["clip"].str.removeprefix("ckplus/"))
    assert dict(table["emotion"]) == {
        "S005/001": "disgust", "S005/002": "", "S010/001": "surprise", "S010/002": "", "S011/001": "contempt",
        "S011/002": "neutral",
    }  # fmt: skip
    assert list(table["label"]) == ["negative", "", "surprise", "", "negative", ""]
    assert layout.FLOAT.format(3) == "   3.0000000e+00" and EMOTIONS[3] == "disgust"


def test_its_own_classes(root):
    table = index(root, name="ckplus", classes=OWN, scheme="own")
    assert list(table["label"]) == ["disgust", "", "surprise", "", "contempt", ""]


def test_action_units_come_with_their_intensities(indexed):
    table = indexed[0]
    assert list(table["action_units"][:3]) == ["9D+17", "1B+2C", ""]


def test_folders_as_the_archives_are_called_when_each_is_unpacked_into_its_own(tmp_path):
    layout.write(
        tmp_path,
        images="extended-cohn-kanade-images/cohn-kanade-images",
        emotions="Emotion_labels/Emotion",
        facs="FACS_labels/FACS",
    )
    with collect() as found:
        table = index(tmp_path, name="ckplus", classes=CLASSES)
    assert len(table) == 6 and (table["label"] != "").sum() == 3 and not found
    assert index(tmp_path / "extended-cohn-kanade-images", name="c", classes=CLASSES)["label"].eq("").all()


def test_without_the_emotions_this_is_said(tmp_path, root):
    (tmp_path / "cohn-kanade-images").symlink_to(root / "cohn-kanade-images")
    with collect() as found:
        table = index(tmp_path, name="ckplus", classes=CLASSES)
    assert len(table) == 6 and (table["label"] == "").all()
    assert "no folder Emotion" in found[0].what


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("   9.0e+00", "holds 9, where a number from 0 to 7"),
        ("happy", "no numbers"),
        ("1 2", "2 numbers"),
        ("3.5", "3.5"),
    ],
)
def test_an_emotion_that_is_none_loses_its_sequence_alone(tmp_path, text, words):
    layout.write(tmp_path)
    file = tmp_path / "Emotion/S005/001/S005_001_00000011_emotion.txt"
    file.write_text(text)
    with collect() as found:
        table = index(tmp_path, name="ckplus", classes=CLASSES)
    (said,) = found
    assert len(table) == 5 and said.clip == "ckplus/S005/001" and words in said.what and said.file == str(file)


def test_a_folder_without_pictures_is_told(tmp_path):
    (tmp_path / "Emotion").mkdir()
    with pytest.raises(BadInput, match="no folder of frames cohn-kanade-images"):
        index(tmp_path, name="ckplus", classes=CLASSES)


def test_the_folder_of_the_pictures_as_the_root_is_too_low(tmp_path):
    root = layout.write(tmp_path / "ck")
    with pytest.raises(BadInput, match=f"1 level too low: Emotion lies beside it; use {root} as the root"):
        index(root / "cohn-kanade-images", name="ckplus", classes=CLASSES)
