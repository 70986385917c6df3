"""Clips of a drifting head: the truth that comes with them, against the pictures and against what was asked for."""

import cv2
import numpy as np
import pytest

from mer_lib.geometry.registration import locate
from mer_lib.problems import BadInput
from mer_lib.synth.drifts import STILL, drifting_clips


@pytest.fixture(scope="module")
def clips():
    made = {"drift": 5.0, "frames": 4, "light": 0.0, "noise": False, "seed": 3}
    return {degrees: next(drifting_clips(1, degrees=degrees, **made)) for degrees in (0.0, 3.0)}


@pytest.fixture(params=[0.0, 3.0])
def clip(request, clips):
    return clips[request.param]


def grid(size):
    return np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1)


def fetched(frame, where):
    return cv2.remap(frame.astype(np.float32), *np.moveaxis(where, -1, 0), cv2.INTER_CUBIC)


def test_the_head_goes_as_far_as_asked(clip):
    face = np.isfinite(clip.motion[..., 0]) & (clip.still | clip.moving)
    gone = clip.rigid[-1][face] - grid(128)[face]
    assert np.linalg.norm(gone.mean(axis=0)) == pytest.approx(5, rel=0.1)
    assert np.abs(clip.rigid[0] - grid(128))[face].max() < 0.01


def test_still_skin_is_where_the_truth_says(clip):
    """Fetched from there, the last frame looks like the first; from a pixel beside it does not."""
    first = clip.frames[0].astype(np.float32)
    wrong = [
        np.median(np.abs(fetched(clip.frames[-1], clip.rigid[-1] + np.float32(by)) - first)[clip.still])
        for by in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
    ]
    assert min(wrong[1:]) > 1.3 * wrong[0]


def test_the_expression_is_two_pixels_and_not_the_heads(clip):
    length = np.linalg.norm(clip.motion, axis=-1)
    assert length[clip.moving].max() == pytest.approx(2, rel=0.02)
    assert length[clip.still].max() < STILL and not (clip.still & clip.moving).any()


def test_the_same_expression_under_every_condition(clips):
    np.testing.assert_array_equal(clips[0.0].motion, clips[3.0].motion)
    np.testing.assert_array_equal(clips[0.0].frames[0], clips[3.0].frames[0])


def test_registration_takes_out_nine_tenths_of_the_drift(clip):
    home = locate(clip.frames, clip.landmarks).home(len(clip.frames) - 1, clip.rigid[-1][clip.still].astype(float))
    left = np.linalg.norm(home - grid(128)[clip.still], axis=-1)
    assert np.median(left) < 0.1 * 5


@pytest.mark.parametrize("wrong", [{"n": 0}, {"drift": -1}, {"frames": 1}, {"size": 16}, {"degrees": -1}, {"light": 1}])
def test_senseless_conditions_are_refused(wrong):
    with pytest.raises(BadInput):
        next(drifting_clips(**{"n": 1, "drift": 1.0} | wrong))
