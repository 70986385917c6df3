"""The apex frame and the motion around it, against clips whose motion is known."""

import cv2
import numpy as np
import pytest

from mer_lib.descriptors.apex import apex_frame, apex_time
from mer_lib.problems import BadInput


def clip(shifts, side=128, seed=0):
    """A smooth picture shifted to the right by so many pixels in each frame: (T, side, side, 3) uint8."""
    rng = np.random.default_rng(seed)
    wide = cv2.GaussianBlur(rng.normal(size=(side, side + 64, 3)), (0, 0), 3)
    wide = ((wide - wide.min()) / np.ptp(wide) * 255).astype(np.float32)
    move = lambda by: np.float32([[1, 0, by - 32], [0, 1, 0]])  # noqa: E731
    frames = [cv2.warpAffine(wide, move(by), (side, side), flags=cv2.INTER_CUBIC) for by in shifts]
    return np.clip(np.rint(frames), 0, 255).astype(np.uint8)


def test_the_apex_frame_is_the_pairs_second_frame():
    frames, pair = clip(range(6), 112), np.array([[0, 4]])
    image = apex_frame(frames, pair)
    assert image.shape == (1, 224, 224, 3) and image.dtype == np.uint8
    for k in range(6):
        halved = image[0].reshape(112, 2, 112, 2, 3).mean((1, 3))
        assert (np.abs(halved - frames[k]).mean() < 3) == (k == 4)


def test_motion_goes_there_and_back():
    """2 px at the apex: the scale's end there, in proportion before and behind; v stays at 128."""
    shifts = np.concatenate([np.linspace(0, 2, 11), np.linspace(2, 0, 11)[1:]])
    frames, pair = clip(shifts), np.array([[0, 10]])
    found = apex_time(frames, pair)
    assert found.shape == (1, 11, 112, 112, 3) and found.dtype == np.uint8
    np.testing.assert_array_equal(found[0, 0], cv2.resize(frames[10], (112, 112), interpolation=cv2.INTER_AREA))
    inner = found[0, 1:, 20:-20, 20:-20].astype(float)
    u, v = ((inner[..., k].mean((1, 2)) - 128) / 127 for k in (0, 1))
    at_apex = u[4]
    assert at_apex > 0.6  # the field's longest arrow is somewhat longer than its mean
    np.testing.assert_allclose(
        u / at_apex, [0.2 * 2, 0.8, 1.2, 1.6, 2, 1.6, 1.2, 0.8, 0.4, 0] / np.float64(2), atol=0.06
    )
    assert np.abs(v).max() < 0.06


def test_motion_ends_with_the_clip():
    """The apex two frames before the end: the last picture is of the last frame, not of twice the apex."""
    frames = clip(np.linspace(0, 3, 13))
    late = apex_time(frames, np.array([[0, 10]]), frames_kept=5)
    u = late[0, 1:, 20:-20, 20:-20, 0].mean((1, 2)) - 128
    np.testing.assert_allclose(u / u[-1], [0.25, 0.5, 0.75, 1], atol=0.05)
    assert late.shape[1] == 5


def test_a_still_face_has_no_motion_and_too_few_pictures_are_refused():
    frames = np.repeat(clip([0]), 4, 0)
    found = apex_time(frames, np.array([[0, 2]]))
    assert (found[0, 1:] == 128).all()
    with pytest.raises(BadInput, match="frames_kept: 1"):
        apex_time(frames, np.array([[0, 2]]), frames_kept=1)
