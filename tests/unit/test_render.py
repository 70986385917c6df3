"""Pictures, depth and exact motion against geometry that can be worked out by hand."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_lib.render.camera import Camera, facing
from mer_lib.render.raster import exact_flow, rasterise
from mer_lib.render.scene import Light, Renderer, Surface, adjacency, smooth_normals

CAMERA = Camera(120, 160, 500.0)
RADIUS, DISTANCE = 0.1, 1.0
EVEN = Light(key=0.0, fill=0.0, room=1.0)


def ball(radius: float = RADIUS) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.icosphere(subdivisions=5, radius=radius)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


def surface(vertices: np.ndarray, faces: np.ndarray, texture: np.ndarray) -> Surface:
    """Textured straight from the front, so that no seam is in sight."""
    uv = (vertices[:, :2] / (2 * np.abs(vertices).max()) + 0.5).astype(np.float32)
    return Surface(faces, np.arange(len(vertices)), uv, faces, texture, np.ones(len(vertices), np.float32))


def white(size: int = 8) -> np.ndarray:
    return np.dstack([np.full((size, size, 3), 255, np.uint8), np.zeros((size, size), np.uint8)])


def clouds() -> np.ndarray:
    noise = np.random.default_rng(3).random((512, 512, 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 9)
    noise = (noise - noise.min()) / np.ptp(noise) * 255
    return np.dstack([noise.astype(np.uint8), np.zeros((512, 512), np.uint8)])


@pytest.fixture(scope="module")
def renderer():
    vertices, faces = ball()
    with Renderer(CAMERA, surface(vertices, faces, clouds())) as renderer:
        yield renderer


def depth_of_ball(shift: np.ndarray) -> np.ndarray:
    """The nearer intersection of each pixel's ray with a ball at ``shift`` in camera coordinates; 0 beside it."""
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width]
    ray = np.stack(
        [*(np.stack([u, v]) - np.reshape(CAMERA.centre, (2, 1, 1))) / CAMERA.focal, np.ones(u.shape)], axis=-1
    )
    a, b, c = (ray**2).sum(-1), -2 * ray @ shift, shift @ shift - RADIUS**2
    root = b * b - 4 * a * c
    return np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / (2 * a), 0)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.031, -0.017)])
def test_depth_of_a_ball_is_the_analytic_one_in_both(renderer, shift):
    vertices, faces = ball()
    pose = facing(DISTANCE, shift=shift)
    truth = depth_of_ball(pose[:3, 3])
    drawn = renderer.depth(vertices, pose)
    filled = rasterise(CAMERA.project(vertices, pose), faces, CAMERA.height, CAMERA.width).depth
    for depth in (drawn, filled):
        assert np.sum((depth > 0) != (truth > 0)) < 0.02 * np.sum(truth > 0)  # the ball is a polyhedron
        facing_us = (depth > 0) & (truth > 0) & (truth < DISTANCE - 0.3 * RADIUS)
        assert np.abs(depth - truth)[facing_us].max() < 2e-4


def test_both_ways_to_depth_agree_to_a_hundredth_of_a_millimetre(renderer):
    vertices, faces = ball()
    pose = facing(DISTANCE, yaw=20, pitch=5, shift=(0.01, 0.02))
    drawn = renderer.depth(vertices, pose)
    filled = rasterise(CAMERA.project(vertices, pose), faces, CAMERA.height, CAMERA.width).depth
    assert np.sum((drawn > 0) != (filled > 0)) <= 4  # pixels whose centre an edge passes through
    both = (drawn > 0) & (filled > 0)
    assert np.abs(drawn - filled)[both].max() < 1e-4
    assert np.median(np.abs(drawn - filled)[both]) < 1e-5


def test_a_turn_of_the_camera_moves_every_pixel_by_the_homography():
    vertices, faces = ball()
    before = facing(DISTANCE)
    turn = np.eye(4)
    turn[:3, :3] = cv2.Rodrigues(np.radians([0.7, -0.9, 2.0]))[0]
    flow, depth = exact_flow(vertices, before, vertices, turn @ before, faces, CAMERA)
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width]
    pixels = np.stack([u, v, np.ones_like(u)], axis=-1).astype(float)
    moved = pixels @ (CAMERA.matrix @ turn[:3, :3] @ np.linalg.inv(CAMERA.matrix)).T
    expected = moved[..., :2] / moved[..., 2:] - pixels[..., :2]
    seen = depth > 0
    assert np.isnan(flow[~seen]).all()
    assert np.abs(flow - expected)[seen].max() < 1e-3


def test_a_shifted_plane_moves_by_focal_length_times_shift_over_depth():
    vertices = np.array([(x, y, 0) for x in (-1, 1) for y in (-1, 1)], float)
    faces = np.array([(0, 2, 3), (0, 3, 1)])
    flow, depth = exact_flow(vertices, facing(2.0), vertices, facing(2.0, shift=(0.01, 0.02)), faces, CAMERA)
    assert np.allclose(depth, 2.0, atol=1e-6)
    assert np.allclose(flow, (CAMERA.focal * 0.01 / 2, -CAMERA.focal * 0.02 / 2), atol=1e-3)


def test_the_nearer_surface_hides_the_farther():
    square = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], float)
    vertices = np.concatenate([square * 0.02 + (0, 0, 0.1), square * 0.1])
    faces = np.array([(4, 5, 6), (4, 6, 7), (0, 1, 2), (0, 2, 3)])
    raster = rasterise(CAMERA.project(vertices, facing(DISTANCE)), faces, CAMERA.height, CAMERA.width)
    middle = raster.face[CAMERA.height // 2, CAMERA.width // 2]
    assert middle in (2, 3)
    assert set(np.unique(raster.face)) == {-1, 0, 1, 2, 3}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-0.2, 0.2)] * 2, st.floats(0.5, 3.0)), min_size=3, max_size=3))
def test_weights_lead_back_to_the_pixel(corners):
    """Perspective-correct: the weighted point in space projects onto the centre of the pixel it was found for."""
    vertices = np.array(corners)
    opencv = np.eye(4)
    projected = CAMERA.project(vertices, opencv)
    raster = rasterise(projected, np.array([(0, 1, 2)]), CAMERA.height, CAMERA.width)
    rows, columns = np.nonzero(raster.seen)
    weights = raster.weights[rows, columns].astype(float)
    (a, b, c) = projected[:, :2].astype(float)
    if abs((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0]) < 20:
        return  # a sliver: its weights are ill-conditioned
    points = weights @ vertices
    found = points[:, :2] / points[:, 2:] * CAMERA.focal + CAMERA.centre
    assert np.allclose(weights.sum(axis=1), 1, atol=1e-5)
    assert np.abs(found - np.stack([columns, rows], axis=1)).max(initial=0) < 0.02
    assert np.allclose(points[:, 2], raster.depth[rows, columns], atol=1e-4)


def test_the_second_picture_warped_by_the_flow_is_the_first(renderer):
    vertices, faces = ball()
    before, after = facing(DISTANCE), facing(DISTANCE - 0.01, yaw=4, roll=3, shift=(0.003, -0.002))
    first, second = (renderer.picture(vertices, pose, EVEN).astype(np.float32) for pose in (before, after))
    flow, depth = exact_flow(vertices, before, vertices, after, faces, CAMERA)
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width].astype(np.float32)
    back = cv2.remap(second, u + flow[..., 0], v + flow[..., 1], cv2.INTER_CUBIC)
    inner = (depth > 0) & (depth < DISTANCE - 0.4 * RADIUS)
    assert np.abs(back - first)[inner].mean() < 0.8
    assert np.abs(second - first)[inner].mean() > 8


def test_pictures_move_smoothly_by_tenths_of_a_pixel():
    """The centre of light of a small ball follows a tenth of a pixel; without averaging it would jump."""
    vertices, faces = ball(0.02)
    places = []
    with Renderer(CAMERA, surface(vertices, faces, white())) as renderer:
        for step in range(11):
            shift = step / 10 * DISTANCE / CAMERA.focal
            grey = renderer.picture(vertices, facing(DISTANCE, shift=(shift, 0)), EVEN, background=0)[..., 0].astype(
                float
            )
            places.append((grey.sum(axis=0) * np.arange(CAMERA.width)).sum() / grey.sum())
    assert np.abs(np.array(places) - CAMERA.centre[0] - np.arange(11) / 10).max() < 0.03


def test_left_of_the_subject_is_right_in_the_picture_and_angles_turn_that_way():
    nose = np.array([(0.05, 0.0, 0.0), (0.0, 0.05, 0.0), (0.0, 0.0, 0.05)])
    u, v, z = CAMERA.project(nose, facing(DISTANCE)).T
    assert u[0] > CAMERA.centre[0] and v[1] < CAMERA.centre[1] and z[2] < DISTANCE
    assert CAMERA.project(nose, facing(DISTANCE, yaw=20))[2, 0] > CAMERA.centre[0] + 5
    assert CAMERA.project(nose, facing(DISTANCE, pitch=20))[2, 1] < CAMERA.centre[1] - 5
    assert CAMERA.project(nose, facing(DISTANCE, roll=20))[1, 0] > CAMERA.centre[0] + 5


def test_background_shows_where_nothing_is_and_only_there(renderer):
    vertices, _ = ball()
    wall = np.random.default_rng(0).integers(0, 256, (CAMERA.height, CAMERA.width, 3), np.uint8)
    picture = renderer.picture(vertices, facing(DISTANCE), EVEN, wall)
    depth = renderer.depth(vertices, facing(DISTANCE))
    outside = cv2.erode((depth == 0).astype(np.uint8), np.ones((3, 3))) > 0
    inside = cv2.erode((depth > 0).astype(np.uint8), np.ones((3, 3))) > 0
    assert (picture[outside] == wall[outside]).all()
    assert (picture[inside] == renderer.picture(vertices, facing(DISTANCE), EVEN, 0)[inside]).all()


def test_light_comes_from_where_it_is_said_to():
    vertices, faces = ball()
    with Renderer(CAMERA, surface(vertices, faces, white())) as renderer:
        for yaw, pitch in ((60.0, 0.0), (-60.0, 0.0), (0.0, 60.0)):
            lamp = Light(key=0.6, key_from=(yaw, pitch), fill=0.0, room=0.1)
            grey = renderer.picture(vertices, facing(DISTANCE), lamp, 0)[..., 1].astype(float)
            v, u = (np.argwhere(grey > 0.98 * grey.max()).mean(axis=0) - CAMERA.centre[::-1]) / (RADIUS * CAMERA.focal)
            assert np.allclose((u, -v), (np.sin(np.radians(yaw)), np.sin(np.radians(pitch))), atol=0.12)


def test_the_same_picture_is_the_same_bytes(renderer):
    vertices, faces = ball()
    pose = facing(DISTANCE, yaw=7)
    first = renderer.picture(vertices, pose)
    renderer.picture(vertices * 1.1, facing(0.9))
    with Renderer(CAMERA, surface(vertices, faces, clouds())) as other:
        assert (other.picture(vertices, pose) == first).all()
    assert (renderer.picture(vertices, pose) == first).all()


def test_normals_of_a_ball_point_outwards():
    vertices, faces = ball()
    normals = smooth_normals(vertices, faces, adjacency(faces, len(vertices)))
    assert np.abs(normals - vertices / RADIUS).max() < 0.01


def test_without_opengl_the_message_names_the_packages():
    program = "import sys; sys.modules['pyrender'] = None; import mer_lib.render.scene"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode != 0
    assert "BadInput" in result.stderr and "libosmesa6" in result.stderr and "libopengl0" in result.stderr
