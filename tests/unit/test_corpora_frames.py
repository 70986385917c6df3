"""Numbers of frames and their positions: listings as the reader of frames makes them, ends that are not there."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts.common import write_frames

from mer_lib.corpora import frames
from mer_lib.ingest import images
from mer_lib.ingest.source import open_source
from mer_lib.problems import BadInput


def test_a_listing_is_what_the_reader_of_frames_makes_of_the_folder(tmp_path):
    for name in ("reg_img9.jpg", "img10.JPG", "a1b2.png", "006_00011.jpg", "x.jpg", ".img3.jpg", "Thumbs.db", "12.txt"):
        (tmp_path / name).touch()
    assert frames.numbers(tmp_path).tolist() == [2, 9, 10, 11]
    assert [number for number, _ in images.numbered_images(tmp_path)] == [2, 9, 10, 11]
    assert frozenset(images.SUFFIXES) == frames.SUFFIXES


def test_a_position_shows_the_frame_of_that_number(tmp_path):
    write_frames(tmp_path / "clip", (98, 99, 100, 101, 7), "img{}.png")  # as text, 100 comes before 98
    numbers = frames.numbers(tmp_path / "clip")
    placed = frames.place(numbers, 98, 99, 101)
    shown = open_source(tmp_path / "clip", "frames").frames(placed.onset, placed.offset + 1)
    assert [int(frame[0, 0, 0]) for frame in shown] == [98, 99, 100, 101] and placed.apex == 2


@pytest.mark.parametrize(
    ("names", "words"),
    [((), "no numbered images"), (("a.jpg",), "no numbered images"), (("i1.jpg", "i01.jpg"), "two files for frame 1")],
)
def test_a_folder_that_is_no_sequence(tmp_path, names, words):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(BadInput, match=words):
        frames.numbers(tmp_path)


def test_a_folder_that_is_gone(tmp_path):
    with pytest.raises(BadInput, match=r"cannot be listed \(No such file or directory\)"):
        frames.numbers(tmp_path / "gone")


numbering = st.lists(st.integers(0, 300), min_size=6, max_size=80, unique=True).map(sorted)


@given(numbering, st.data())
def test_numbers_that_are_there_keep_their_frame(listed, data):
    onset, apex, offset = sorted(data.draw(st.lists(st.sampled_from(listed), min_size=3, max_size=3, unique=True)))
    placed = frames.place(np.array(listed), onset, apex, offset)
    assert [listed[at] for at in (placed.onset, placed.apex, placed.offset)] == [onset, apex, offset]
    assert placed.flags == () and placed.remarks == ()


@given(numbering, st.integers(0, 320), st.integers(0, 320), st.integers(0, 320), st.booleans())
def test_any_interval_is_placed_in_order_inside_the_folder_or_refused(listed, onset, apex, offset, whole):
    try:
        placed = frames.place(np.array(listed), onset, apex, offset, whole=whole)
    except BadInput:
        assert not whole
        return
    assert 0 <= placed.onset < placed.offset < len(listed)
    if placed.apex is None:
        assert frames.NO_APEX in placed.flags
    else:
        assert placed.onset <= placed.apex <= placed.offset
    if "onset moved" in placed.flags or "offset moved" in placed.flags:
        assert placed.remarks


NUMBERS = np.array([*range(10, 30), *range(33, 60)])  # 30, 31 and 32 are missing


def test_ends_move_inwards_to_the_nearest_frame_and_it_is_said():
    placed = frames.place(NUMBERS, 9, 20, 50)
    assert NUMBERS[placed.onset] == 10 and placed.flags == ("onset moved",)
    assert placed.remarks == ("onset is frame 9, which is not there: frame 10 is taken",)
    placed = frames.place(NUMBERS, 20, 40, 62)  # a tenth of the 43 frames is 4
    assert NUMBERS[placed.offset] == 59 and placed.flags == ("offset moved",)


def test_ends_do_not_move_far():
    words = "offset is frame 70, which is not there: the folder holds frames 10 to 59, 3 missing between them"
    with pytest.raises(BadInput, match=words):
        frames.place(NUMBERS, 20, 40, 70)


def test_an_apex_is_dropped_and_never_moved():
    placed = frames.place(NUMBERS, 20, 31, 50)
    assert placed.apex is None and placed.flags == (frames.NO_APEX,) and "apex is frame 31" in placed.remarks[0]
    placed = frames.place(NUMBERS, 20, 15, 50)
    assert placed.apex is None and "apex 15 lies outside 20 to 50, so it is spotted instead" in placed.remarks


def test_an_unknown_apex_is_flagged_without_a_remark():
    placed = frames.place(NUMBERS, 20, None, 50)
    assert placed.flags == (frames.NO_APEX,) and placed.remarks == ()


def test_backwards_is_refused_unless_the_folder_is_the_clip():
    with pytest.raises(BadInput, match="offset 20 comes before onset 40"):
        frames.place(NUMBERS, 40, None, 20)
    placed = frames.place(NUMBERS, 40, 50, 20, whole=True)
    assert (placed.onset, NUMBERS[placed.apex], placed.offset) == (0, 50, len(NUMBERS) - 1)


def test_frames_counted_anew_keep_their_apex():
    placed = frames.place(np.arange(1, 21), 2480, 2490, 2499, whole=True)
    assert (placed.onset, placed.apex, placed.offset) == (0, 10, 19) and placed.flags == ("frames counted anew",)


def test_folders_at_a_depth_in_any_case_links_followed_rings_ended(tmp_path):
    (tmp_path / "Sub01/EP02_01f").mkdir(parents=True)
    (tmp_path / "elsewhere/EP09").mkdir(parents=True)
    (tmp_path / "Sub01/.hidden").mkdir()
    (tmp_path / "Sub01/notes.txt").touch()
    os.symlink(tmp_path / "elsewhere", tmp_path / "sub02")
    os.symlink(tmp_path, tmp_path / "Sub01/back")
    found = frames.folders(tmp_path, 2)
    assert set(found) == {"sub01/ep02_01f", "sub01/back", "elsewhere/ep09", "sub02/ep09"}
    assert found["sub01/ep02_01f"] == tmp_path / "Sub01/EP02_01f"


def test_a_link_to_itself_hides_no_folder(tmp_path):
    (tmp_path / "sub01").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    assert frames.subfolders(tmp_path) == ["sub01"]


def test_a_number_too_long_for_a_frame_is_told(tmp_path):
    (tmp_path / "img1.jpg").touch()
    (tmp_path / f"img{'9' * 25}.jpg").touch()
    for listing in (frames.numbers, images.numbered_images):
        with pytest.raises(BadInput, match="is too large for a frame's; rename the file"):
            listing(tmp_path)


def test_what_cannot_be_listed_is_told_and_what_is_absent_is_empty(tmp_path):
    assert frames.names(tmp_path / "nowhere") == []
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(BadInput, match="cannot be listed"):
        frames.names(tmp_path / "loop")
