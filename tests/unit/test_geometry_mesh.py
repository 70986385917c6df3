"""Surfaces from depth against a ball, planes and steps."""

import geometry_balls as balls
import numpy as np
import pytest

from mer_lib.geometry import mesh
from mer_lib.problems import BadInput

SIZE, CAMERA, EYES = balls.SIZE, balls.CAMERA, balls.EYES


def edges(shape, depth, yaw):
    """The largest difference in depth along the edges that a view shows."""
    at, faces = depth[tuple(shape.at.T)], shape.seen_from(yaw)
    return np.abs(at[faces] - at[np.roll(faces, 1, axis=1)]).max()


def test_points_lie_on_the_ball_they_were_measured_on():
    depth = balls.depth()
    points = mesh.lifted(CAMERA, EYES, balls.PIXELS, depth)[np.isfinite(depth)]
    centre = (balls.CENTRE - EYES) * (1, -1, -1)
    np.testing.assert_allclose(np.linalg.norm(points - centre, axis=1), balls.RADIUS, atol=2e-6)


def test_the_eyes_are_their_distance_apart_and_the_origin():
    eyes = mesh.lifted(CAMERA, EYES, balls.LANDMARKS[:2], np.zeros(2))
    np.testing.assert_allclose(eyes, [(-0.0315, 0, 0), (0.0315, 0, 0)], atol=1e-6)


def test_faces_look_at_the_camera():
    shape = mesh.topology(CAMERA, EYES, balls.depth())
    points = mesh.lifted(CAMERA, EYES, shape.at[:, ::-1], balls.depth()[tuple(shape.at.T)]).astype(float)
    a, b, c = np.moveaxis(points[shape.faces], 1, 0)
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()
    assert shape.dropped == 0


def test_a_step_in_depth_is_cut_from_the_side_and_the_smaller_piece_left_out():
    depth = np.zeros((SIZE, SIZE), np.float32)
    depth[:, 60:] = 0.6
    shape = mesh.topology(CAMERA, EYES, depth)
    assert len(shape.at) == SIZE**2 and shape.dropped == 0
    assert edges(shape, depth, 45) == 0 and shape.at[shape.seen_from(45), 1].max() < 60
    assert 0.3 < shape.cut(45) == shape.cut(-45) < 0.5


def test_the_front_sees_every_step_and_the_side_what_the_turn_does_not_stretch():
    """A slope of 84 degrees is stretched 3.4 times by a turn of 15 degrees and 7.4 times by 45."""
    depth = np.zeros((SIZE, SIZE), np.float32)
    steep = np.tan(np.radians(84.0)) * EYES[2] / CAMERA.focal / mesh.PUPILS
    depth[:, 40:56] += np.arange(16, dtype=np.float32) * steep
    depth[:, 56:] = depth[0, 55]
    shape = mesh.topology(CAMERA, EYES, depth)
    assert shape.cut(0) == shape.cut(15) == 0 and edges(shape, depth, 15) > 0.8 * steep
    assert shape.cut(45) > 0.2 and not np.isin(shape.at[shape.seen_from(45), 1], range(43, 53)).any()
    more = [shape.cut(yaw) for yaw in (0, 5, 15, 25, 35, 45)]
    assert more == sorted(more)


def test_pieces_that_hang_on_nothing_are_dropped():
    depth = np.zeros((SIZE, SIZE), np.float32)
    depth[:, 60:70] = np.nan
    shape = mesh.topology(CAMERA, EYES, depth)
    assert shape.at[:, 1].max() < 60 and 0.2 < shape.dropped < 0.4


def test_a_slope_is_no_step():
    depth = np.tile(np.linspace(0, 3, SIZE, dtype=np.float32), (SIZE, 1))  # about 55 degrees
    shape = mesh.topology(CAMERA, EYES, depth)
    assert len(shape.at) == SIZE**2 and shape.cut(45) == 0


def test_steep_sides_within_a_face_stay():
    depth = np.zeros((SIZE, SIZE), np.float32)
    depth[40:48, 44:50] = -0.5  # a nose like a box
    shape = mesh.topology(CAMERA, EYES, depth)
    assert shape.cut(45) == 0 and edges(shape, depth, 45) == 0.5


def test_small_holes_are_filled_smoothly_and_large_ones_stay():
    depth = balls.depth()
    holed = depth.copy()
    holed[50:56, 40:46] = np.nan
    holed[70:84, 40:60] = np.nan
    whole, hole = mesh.filled(holed)
    assert hole.sum() == 36 and np.isnan(whole[70:84, 40:60]).all()
    np.testing.assert_allclose(whole[hole], depth[hole], atol=0.01)
    assert mesh.filled(depth)[0] is depth


@pytest.mark.parametrize(
    ("depth", "what"),
    [
        (np.full((SIZE, SIZE), np.nan, np.float32), "no surface"),
        (np.pad(np.zeros((8, 8), np.float32), 44, constant_values=np.nan), "covers 0.5%"),
        (np.random.default_rng(0).choice([0.0, 5.0], (SIZE, SIZE)).astype(np.float32), "covers"),
    ],
)
def test_what_is_no_surface_is_refused(depth, what):
    with pytest.raises(BadInput, match=what):
        mesh.topology(CAMERA, EYES, depth).seen_from(45)


def test_eyes_that_coincide_and_wild_lenses_are_refused():
    with pytest.raises(BadInput, match="coincide"):
        mesh.eyes_place(CAMERA, np.zeros((5, 2)))
    with pytest.raises(BadInput, match="field of view"):
        mesh.crop_camera(96, 180.0)
