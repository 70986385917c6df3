"""The views that a stage keeps, of a ball: the same pictures as rendered whole, landmarks and sight by its geometry."""

import geometry_balls as balls
import numpy as np
import pytest
from geometry_balls import CAMERA, EYES, FOV, LANDMARKS, SIZE, clip

from mer_lib.geometry.multiview import generate, projected_landmarks
from mer_lib.geometry.relief import relief
from mer_lib.geometry.views import render_views, views
from mer_lib.problems import BadInput

OPTIONS = {"yaws": [-35.0, 45.0], "fov": FOV, "rest_px": 0.1, "renderer": "raster"}


def moving():
    """A clip of five frames whose pattern moves."""
    frames, depth, landmarks = clip(5, noise=0.01)
    frames = np.stack([balls.frame(np.full((SIZE, SIZE, 2), 0.4 * t)) for t in range(5)])
    return frames, depth, landmarks


def test_onset_and_apex_are_those_of_the_whole_clip():
    frames, depth, landmarks = moving()
    whole = generate(frames, depth, landmarks, None, **OPTIONS)
    ends = generate(frames, depth, landmarks, 3, **OPTIONS)
    assert whole["yaw"].tolist() == ends["yaw"].tolist() == [-35.0, 45.0]
    pictures = whole["frames"].reshape(2, 5, SIZE, SIZE, 3)
    np.testing.assert_array_equal(ends["frames"].reshape(2, 2, SIZE, SIZE, 3), pictures[:, [0, 3]])
    given = render_views(frames, depth, landmarks, OPTIONS["yaws"], fov=FOV)
    np.testing.assert_array_equal(pictures, given)
    np.testing.assert_array_equal(whole["visible"], ends["visible"])


def test_landmarks_are_where_the_ball_has_them():
    frames, depth, landmarks = clip()
    surface = relief(frames, depth, landmarks, fov=FOV)
    found = projected_landmarks(surface, landmarks, [25.0])[0, 0]
    points = balls.hit(np.zeros(3), balls.rays(CAMERA, LANDMARKS))  # on the ball, in the camera's axes
    (view,) = views(surface, [25.0])
    expected = view.camera.project((points - EYES) * (1, -1, -1), view.pose)[:, :2]
    assert np.abs(found - expected).max() < 0.5
    assert np.abs(found - LANDMARKS).max() > 3, "the head has turned"


def test_a_view_does_not_show_the_side_that_is_turned_away():
    """Turned to the subject's left (yaw > 0), which is the picture's right, a face hides what was there."""
    made = generate(*clip(), None, **{**OPTIONS, "yaws": [-45.0, 45.0]})
    left, right = (made["visible"][:, :, half].mean((1, 2)) for half in (slice(SIZE // 2), slice(SIZE // 2, None)))
    assert left[1] > 1.3 * right[1] and right[0] > 1.3 * left[0]
    assert made["visible"].dtype == np.uint8 and made["visible"].max() == 255


@pytest.mark.parametrize("apex", [0, 5, -1])
def test_an_apex_outside_the_clip_is_bad_input(apex):
    with pytest.raises(BadInput, match="apex is frame"):
        generate(*moving(), apex, **OPTIONS)


def test_one_frame_has_views():
    made = generate(*clip(1), None, **OPTIONS)
    assert made["frames"].shape == (2, SIZE, SIZE, 3) and made["landmarks"].shape == (2, 5, 2)
