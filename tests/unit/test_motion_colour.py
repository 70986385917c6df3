"""Flow colours against the wheel's published layout and a pixel-by-pixel reading of the paper's equations."""

import math

import numpy as np
import pytest

from mer_lib.motion.colour import encode, legend, wheel
from mer_lib.problems import BadInput


def test_the_wheel_has_the_published_hues():
    hues = wheel()
    assert len(hues) == 55
    # Baker et al.'s table, channel by channel: in each segment one rises or falls by the floor of equal steps.
    up, down = (lambda n: [255 * i // n for i in range(n)]), (lambda n: [255 - 255 * i // n for i in range(n)])
    red = [255] * 15 + down(6) + [0] * 15 + up(13) + [255] * 6
    green = up(15) + [255] * 10 + down(11) + [0] * 19
    blue = [0] * 21 + up(4) + [255] * 24 + down(6)
    np.testing.assert_array_equal(hues, np.transpose([red, green, blue]))
    assert len(np.unique(hues, axis=0)) == 55
    corners = {
        0: (255, 0, 0),
        15: (255, 255, 0),
        21: (0, 255, 0),
        25: (0, 255, 255),
        36: (0, 0, 255),
        49: (255, 0, 255),
    }
    for place, colour in corners.items():
        np.testing.assert_array_equal(hues[place], colour)
    assert (hues.max(axis=1) == 255).all()
    assert (hues.min(axis=1) == 0).all()


def by_hand(u, v, longest):
    """Eq. 5 and 6 of Li et al. 2021 for one pixel; indices of the paper start at 1."""
    hues = wheel()
    place = (math.atan2(v, u) / math.pi + 1) / 2 * 54 + 1
    low = math.floor(place)
    high = low % 55 + 1
    strength = math.hypot(u, v) / longest
    colour = []
    for channel in range(3):
        hue = (1 - (place - low)) * hues[low - 1, channel] / 255 + (place - low) * hues[high - 1, channel] / 255
        colour.append(255 * (1 - strength * (1 - hue)) if strength <= 1 else 255 * 0.75 * hue)
    return colour


@pytest.mark.parametrize("longest", [None, 2.0])
def test_coding_is_the_papers(longest):
    field = np.random.default_rng(0).normal(size=(6, 7, 2))
    expected = [[by_hand(u, v, longest or np.hypot(*field.reshape(-1, 2).T).max()) for u, v in row] for row in field]
    assert np.abs(encode(field, longest=longest) - np.array(expected)).max() <= 0.501


def test_four_directions():
    field = np.array([[[1, 0], [0, 1], [-1, 0], [-1, -1e-12], [0, -1]]])
    right, down, last, left, up = encode(field)[0].astype(int)
    assert left.tolist() == wheel()[0].tolist() == [255, 0, 0]
    assert last.tolist() == wheel()[54].tolist() == [255, 0, 43]  # the wheel closes here
    assert right.argmax() == 2 and right[0] == 0  # azure
    assert down.argmax() == 2 and down[1] == 0  # violet
    assert up[0] == 255 and up[2] == 0 and up[1] > 200  # yellow


def test_no_motion_is_white_and_faster_than_the_scale_is_darker():
    assert (encode(np.zeros((4, 4, 2))) == 255).all()
    field = np.array([[[-1, -0.0], [-2, -0.0]]])
    np.testing.assert_array_equal(encode(field, longest=1.0)[0], [[255, 0, 0], [191, 0, 0]])


@pytest.mark.parametrize("unknown", [np.nan, np.inf])
def test_unknown_flow_is_black_and_changes_no_other_pixel(unknown):
    known = np.random.default_rng(0).normal(size=(5, 6, 2))
    known[2, 3] = 0
    field = known.copy()
    field[2, 3, 0] = unknown
    expected = encode(known)
    expected[2, 3] = 0
    np.testing.assert_array_equal(encode(field), expected)
    assert not encode(np.full((3, 3, 2), unknown)).any()


def test_each_field_of_a_stack_has_its_own_scale():
    fields = np.random.default_rng(0).normal(size=(2, 3, 5, 6, 2)) * np.arange(1, 7).reshape(2, 3, 1, 1, 1)
    np.testing.assert_array_equal(encode(fields), [[encode(f) for f in row] for row in fields])


def test_legend_reads_like_the_coding():
    picture = legend(41)
    assert picture.shape == (41, 41, 3) and picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[20, 20], [255, 255, 255])
    np.testing.assert_array_equal(picture[20, 0], wheel()[54])
    np.testing.assert_array_equal(picture[0, 0], [255, 255, 255])
    field = np.array([[[20.0, 0], [0, 20.0], [0, -20.0]]])
    np.testing.assert_array_equal([picture[20, 40], picture[40, 20], picture[0, 20]], encode(field, longest=20)[0])


def test_other_fields_are_refused():
    with pytest.raises(BadInput, match="give flow"):
        encode(np.zeros((4, 4, 3)))
