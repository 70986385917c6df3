"""Grey videos of a fixed length: which frames, which grey, and which clips the papers' filter keeps."""

import cv2
import numpy as np
import pytest

from mer_lib import registry
from mer_lib.descriptors.grey_video import grey64x18, grey64x96, grey128x12
from mer_lib.descriptors.lengths import brought_to
from mer_lib.problems import BadInput

VIDEOS = {grey64x96: (96, 64), grey64x18: (18, 64), grey128x12: (12, 128)}


def clip(frames, side=128, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (frames, side, side, 3), np.uint8)


@pytest.mark.parametrize("video", VIDEOS, ids=lambda video: video.__name__)
@pytest.mark.parametrize("frames", [2, 30, 140])
def test_shape_is_what_the_networks_read(video, frames):
    length, side = VIDEOS[video]
    made = video(clip(frames))
    assert made.shape == (1, length, side, side, 1) and made.dtype == np.uint8
    readers = [e for e in registry.entries("model").values() if e.meta["inputs"] == video.__name__]
    assert readers
    for entry in readers:
        assert made.shape[1:] == (*(entry.meta[name] for name in ("frames", "side", "side", "channels")),)


def test_a_clip_of_that_length_keeps_its_frames():
    frames = clip(18)
    for made, frame in zip(grey64x18(frames)[0, ..., 0], frames, strict=True):
        luma = frame @ np.array([0.299, 0.587, 0.114])
        mean = luma.reshape(64, 2, 64, 2).mean(axis=(1, 3))  # 128 to 64: each pixel the mean of four
        assert np.abs(made - mean).max() <= 1.01


@pytest.mark.parametrize("frames", [5, 40])
def test_a_movement_keeps_its_course_at_any_length(frames):
    """A blob that crosses the picture at a constant speed does so in 18 frames."""
    at = np.linspace(50, 78, frames)
    x = np.arange(128)
    shown = [np.tile(255 * np.exp(-(((x - a) / 24) ** 2)), (128, 1)) for a in at]
    made = grey64x18(np.repeat(np.rint(shown).astype(np.uint8)[..., None], 3, axis=-1))[0, :, 0, :, 0]
    centre = (made * np.arange(64)).sum(-1) / made.sum(-1)
    np.testing.assert_allclose(centre, (np.linspace(50, 78, 18) + 0.5) / 2 - 0.5, atol=0.2)


def test_the_papers_filter_keeps_longer_clips_and_their_first_frames():
    frames = clip(19)
    kept = grey64x18(frames, take="first")
    assert np.array_equal(kept, grey64x18(frames[:18]))
    with pytest.raises(BadInput, match=r"18 frames, and the filter keeps clips of more than 18; .*spread"):
        grey64x18(frames[:18], take="first")


@pytest.mark.parametrize("take", ["spread", "first"])
def test_one_frame_is_no_clip(take):
    with pytest.raises(BadInput, match="one frame"):
        grey64x18(clip(1), take=take)


def test_bad_input_is_refused_in_words():
    with pytest.raises(BadInput, match="no way to take frames called 'last'"):
        brought_to(np.zeros((20, 4)), 18, "last")
    with pytest.raises(BadInput, match="8-bit RGB"):
        grey64x18(clip(20).astype(np.float32))


def test_small_crops_are_enlarged_and_the_grey_is_opencvs():
    frames = clip(18, side=32)
    made = grey64x18(frames)[0, ..., 0]
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    assert np.array_equal(made, [cv2.resize(g, (64, 64), interpolation=cv2.INTER_AREA) for g in grey])
