"""Eyes and mouth: where they are cut, what stays outside, and which clips are refused."""

import inspect

import numpy as np
import pytest
import skimage.data

from mer_lib import registry
from mer_lib.descriptors.regions import cut, regions32x18, regions32x96
from mer_lib.faces import align
from mer_lib.problems import BadInput, collect

# eyes, nose and corners of the mouth as MTCNN finds them
ASTRONAUT = np.array([[205.0, 101.7], [246.8, 103.7], [224.7, 129.0], [201.7, 139.3], [245.3, 141.9]])


@pytest.fixture(scope="module")
def face():
    """A real face's crop (128, 128, 3) and its five landmarks."""
    matrix = align.similarity(ASTRONAUT, align.template(128, 0.15))
    crop = align.Warp(matrix, 128, 512, 512)(skimage.data.astronaut())
    return crop, align.transform(matrix, ASTRONAUT).astype(np.float32)


def clip(face, count):
    crop, five = face
    return np.repeat(crop[None], count, axis=0), np.repeat(five[None], count, axis=0)


@pytest.mark.parametrize(("regions", "length"), [(regions32x96, 96), (regions32x18, 18)])
def test_shape_is_what_the_networks_read(face, regions, length):
    made = regions(*clip(face, 5))
    assert made.shape == (1, length, 32, 32, 2) and made.dtype == np.uint8
    readers = [e for e in registry.entries("model").values() if e.meta["inputs"] == regions.__name__]
    assert len(readers) == 2
    for entry in readers:
        assert made.shape[1:] == tuple(entry.meta[name] for name in ("frames", "side", "side", "channels"))


@pytest.mark.parametrize("boxes", ["wide", "tight"])
def test_what_moves_at_the_eyes_is_not_in_the_mouth_and_the_other_way(face, boxes):
    frames, five = clip(face, 18)
    still = regions32x18(frames, five, boxes=boxes)
    for channel, point in ((0, five[0, 0]), (1, five[0, 3:].mean(0))):
        x, y = point.round().astype(int)
        moved = frames.copy()
        moved[9:, y - 2 : y + 3, x - 2 : x + 3] = 255 - moved[9:, y - 2 : y + 3, x - 2 : x + 3]
        differs = (regions32x18(moved, five, boxes=boxes) != still).any(axis=(0, 2, 3))
        assert differs[9:, channel].all() and not differs[:, 1 - channel].any() and not differs[:9].any()


def test_boxes_hold_what_they_are_named_after():
    points = np.full((68, 2), 60.0)
    points[[1, 2, 6, 14, 15]] = [10, 55], [12, 65], [40, 110], [115, 65], [117, 55]
    points[17:27] = np.linspace((25, 30), (100, 30), 10)
    points[36:48] = np.linspace((30, 40), (95, 45), 12)
    points[48:68] = np.linspace((45, 80), (85, 90), 20)
    assert cut(points, "wide", 128).tolist() == [[10, 30, 118, 56], [12, 65, 116, 111]]
    # 75 px wide, 15 px around; 40 px wide, 8 px around
    assert cut(points, "tight", 128).tolist() == [[10, 15, 116, 61], [37, 72, 94, 99]]


def test_boxes_end_at_the_crop_and_are_refused_beyond_it():
    points = np.random.default_rng(0).uniform(20, 100, (68, 2))
    points[48:68] += [60, 0]
    eyes, mouth = cut(points, "tight", 128)
    assert mouth[2] <= 128 and (mouth >= 0).all() and (eyes >= 0).all()
    with pytest.raises(BadInput, match="lie outside the crop"):
        cut(points + np.array([0, 400]), "tight", 128)


def test_points_in_doubt_are_replaced_so_that_regions_follow_the_detector(face):
    frames, five = clip(face, 3)
    there = regions32x18(frames, five)
    lower = five + np.float32([0, 14])  # further off than doubted
    with collect() as told:
        trusting = regions32x18(frames, lower, doubt=9.0)
        assert not told
        elsewhere = regions32x18(frames, lower)
    assert ["mean face" in problem.what for problem in told] == [True], "the clip's row says so"
    assert np.array_equal(there, trusting) and not np.array_equal(there, elsewhere)


def test_one_frame_and_unknown_boxes_are_refused(face):
    with pytest.raises(BadInput, match="one frame"):
        regions32x18(*clip(face, 1))
    with pytest.raises(BadInput, match="one of wide, tight"):
        regions32x18(*clip(face, 4), boxes="oval")


def test_both_lengths_have_the_same_options():
    one, other = (inspect.signature(f).parameters for f in (regions32x96, regions32x18))
    assert list(one) == list(other) and one["doubt"].default == other["doubt"].default
