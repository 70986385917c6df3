"""The picture of what changes between onset and apex."""

import numpy as np
import pytest

from mer_lib.descriptors.change import MIDDLE, change
from mer_lib.problems import BadInput

FRAMES = np.random.default_rng(0).integers(90, 110, (6, 32, 32, 3), dtype=np.uint8)


def test_what_stays_is_grey_and_what_changes_is_as_bright_as_its_gain():
    frames = FRAMES.copy()
    frames[4] = frames[1]
    frames[4, 8:16, 8:16, 0] += 5
    found = change(frames, np.array([[1, 4]]), size=32, gain=4.0)
    assert found.shape == (1, 32, 32, 3) and found.dtype == np.uint8
    expected = np.full((32, 32, 3), MIDDLE)
    expected[8:16, 8:16, 0] += 20
    np.testing.assert_array_equal(found[0], expected)


def test_a_smaller_picture_is_the_mean_over_areas():
    frames = FRAMES.copy()
    frames[5] = frames[0]
    frames[5, ::2, ::2] += 8  # a quarter of the pixels
    found = change(frames, np.array([[0, 5]]), size=16)
    assert np.abs(found.astype(int) - (MIDDLE + 4 * 2)).max() <= 4  # both pictures are rounded before they are compared


@pytest.mark.parametrize("pair", [(3, 3), (0, 6), (4, 2), (-1, 2)])
def test_positions_beyond_the_frames_are_bad_input(pair):
    with pytest.raises(BadInput, match="onset"):
        change(FRAMES, np.array([pair]))


@pytest.mark.parametrize("options", [{"size": 0}, {"gain": 0.0}])
def test_options_must_be_positive(options):
    with pytest.raises(BadInput, match="above 0"):
        change(FRAMES, np.array([[0, 1]]), **options)
