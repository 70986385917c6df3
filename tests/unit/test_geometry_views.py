"""Views of a ball against what its rays say, steadiness under noise, motion that the picture carries."""

import subprocess
import sys
from pathlib import Path

import geometry_balls as balls
import numpy as np
import pytest
from geometry_balls import CAMERA, EYES, FOV, SIZE, clip
from scipy import ndimage

from mer_lib.faces import align
from mer_lib.geometry import views as sideways
from mer_lib.geometry.relief import relief, turned
from mer_lib.geometry.views import YAWS, film, render_views, surroundings, views, visibility
from mer_lib.motion.flow import compute
from mer_lib.motion.gray import to_gray
from mer_lib.problems import BadInput
from mer_lib.synth.drifts import drifting_clips
from mer_lib.synth.pairs import exact_sides

GRAZED = 70.0  # degrees from the frontal camera's sight: beyond it the outline is near


def traced(view):
    """Where of the frontal picture each pixel of a view comes from (S, S, 2), NaN where that shows none of it."""
    turn = view.pose @ np.linalg.inv(turned(EYES, 0.0))  # frontal camera's axes to the view's
    back = np.linalg.inv(turn)
    rays = balls.rays(view.camera) @ back[:3, :3].T
    points = balls.hit(back[:3, 3], rays)
    normal = (points - balls.CENTRE) / balls.RADIUS
    sight = points / np.linalg.norm(points, axis=-1, keepdims=True)
    points[-(normal * sight).sum(-1) < np.cos(np.radians(GRAZED))] = np.nan
    return points[..., :2] / points[..., 2:] * CAMERA.focal + np.asarray(CAMERA.centre)


@pytest.mark.parametrize("yaw", [-45.0, -15.0, 5.0, 35.0])
@pytest.mark.parametrize("renderer", ["raster", "pyrender"])
def test_a_view_shows_what_its_rays_meet(yaw, renderer):
    frames, depth, landmarks = clip()
    surface = relief(frames, depth, landmarks, fov=FOV)
    shown = film(surface, frames, [yaw], renderer=renderer)[0, 0].astype(float)
    (view,) = views(surface, [yaw])
    places = traced(view)
    seen = ndimage.binary_erosion(np.isfinite(places[..., 0]), iterations=2)
    error = (shown - balls.pattern(places))[seen]
    assert seen.sum() > 0.2 * SIZE**2
    assert np.sqrt(np.square(error).mean()) < 3.5  # bilinear twice dampens waves of ten pixels by 4 %
    assert np.sqrt(np.square((shown - frames[0])[seen]).mean()) > 3 * np.sqrt(np.square(error).mean())


def test_the_frontal_view_is_the_frame():
    frames, depth, landmarks = clip()
    surface = relief(frames, depth, landmarks, fov=FOV)
    shown = film(surface, frames, [0.0])[0, 0].astype(int)
    inner = np.zeros((SIZE, SIZE), bool)
    inner[tuple(surface.shape.at.T)] = True
    inner = ndimage.binary_erosion(inner, iterations=5)
    assert np.abs(shown - frames[0])[inner].mean() < 2


def test_both_renderers_agree():
    frames, depth, landmarks = clip(3, noise=0.02)
    surface = relief(frames, depth, landmarks, fov=FOV)
    ours, theirs = (film(surface, frames, YAWS, renderer=name).astype(int) for name in ("raster", "pyrender"))
    apart = np.abs(ours - theirs)
    assert np.mean(apart > 2) < 1e-3 and apart.mean() < 0.25


def test_a_mirrored_face_turned_the_other_way_is_the_mirrored_view():
    frames, depth, landmarks = clip()
    mirrored = landmarks.copy()
    mirrored[..., 0] = SIZE - 1 - mirrored[..., 0]
    mirrored = mirrored[:, [1, 0, 2, 4, 3]]
    frames[0, 40:60, 40:45] = 255  # nothing is symmetrical
    depth[0, 60:70, 30:40] -= 0.05
    one = render_views(frames, depth, landmarks, [-25.0], fov=FOV)[0, 0]
    other = render_views(frames[:, :, ::-1], depth[:, :, ::-1], mirrored, [25.0], fov=FOV)[0, 0, :, ::-1]
    assert np.mean(np.abs(one.astype(int) - other) > 3) < 0.02  # the diagonals of the triangles are others


@pytest.mark.parametrize("person", [0, 2])
def test_a_view_of_a_face_is_what_a_camera_beside_it_sees(person):
    """Rendered with the true depth, against the photograph from there: better than the front, and than its mirror."""
    truth = exact_sides(person, (-35.0, 15.0), noise=False)
    shown = render_views(truth.frames, truth.depth, truth.landmarks, (-35.0, 15.0), fov=truth.fov)[:, 0].astype(int)
    inner = (slice(40, 100), slice(50, 80))
    for view, true in zip(shown, truth.pictures[:, 0].astype(int), strict=True):
        error = {name: np.abs(true - picture)[inner].mean() for name, picture in
                 {"view": view, "front": truth.frames[0], "mirrored": view[:, ::-1]}.items()}  # fmt: skip
        assert error["view"] < 5 and 2 * error["view"] < min(error["front"], error["mirrored"])


@pytest.mark.parametrize("yaw", [-45.0, 25.0])
def test_the_framing_is_that_of_a_crop_of_the_turned_face(yaw):
    surface = relief(*clip(), fov=FOV)
    target = align.template(SIZE, 0.15)
    front, side = (view.camera.project(surface.landmarks, view.pose)[:, :2] for view in views(surface, [0.0, yaw]))
    np.testing.assert_allclose(front, balls.LANDMARKS, atol=1e-3)
    np.testing.assert_allclose(align.similarity(side, target), align.similarity(front, target), atol=1e-3)


def at_rest(surface):
    """Pixels, rms from frame to frame, of the points at fixed pixels in the worst of the ten views."""
    worst = 0.0
    frames = range(len(surface.depth))
    for view in views(surface, YAWS):
        seen = np.stack([view.camera.project(surface.vertices(t), view.pose)[:, :2] for t in frames])
        worst = max(worst, np.sqrt(np.square(np.diff(seen, axis=0)).sum(-1).mean()))
    return worst


@pytest.mark.parametrize("noise", [0.01, 0.03, 0.1])
def test_points_at_rest_keep_still(noise):
    """Errors of the depth of .01 to .1 interocular distances, new in every frame, on pictures with a camera's noise."""
    frames, depth, landmarks = clip(40, noise=noise)
    grain = np.random.default_rng(1).normal(0, 2, frames.shape)
    frames = np.clip(np.rint(frames + grain), 0, 255).astype(np.uint8)
    loose = relief(frames, depth, landmarks, yaws=YAWS, fov=FOV, rest_px=10.0)
    steady = relief(frames, depth, landmarks, yaws=YAWS, fov=FOV)
    assert at_rest(loose) > 0.2
    assert at_rest(steady) <= 0.1
    assert steady.quality["smoothing"] > loose.quality["smoothing"]


def test_points_at_rest_keep_still_in_the_pictures_too():
    frames, depth, landmarks = clip(12, noise=0.03)
    moved = {}
    for rest_px in (0.1, 10.0):
        shown = render_views(frames, depth, landmarks, [-45.0, 35.0], fov=FOV, rest_px=rest_px)
        inner = slice(30, 66)
        flows = [compute(g[:-1], g[1:], flow="tvl1")[:, inner, inner] for g in map(to_gray, shown)]
        moved[rest_px] = max(np.sqrt(np.square(flow).sum(-1).mean()) for flow in flows)
    assert moved[0.1] <= 0.1 < 0.2 < moved[10.0]


def test_motion_in_the_picture_is_seen_from_the_side():
    """A patch of the ball's pattern moves by up to two pixels; in the view it moves as its surface says."""
    away = np.linalg.norm(balls.PIXELS - (50, 58), axis=-1)
    push = np.array([0.8, 1.8]) * np.exp(-((away / 9) ** 2))[..., None]
    _, depth, landmarks = clip(2, noise=0.01)
    frames = np.stack([balls.frame(), balls.frame(push)])
    surface = relief(frames, depth, landmarks, fov=FOV)
    for yaw in (-35.0, 45.0):
        first, second = film(surface, frames, [yaw])[0]
        (view,) = views(surface, [yaw])
        places = traced(view)
        there = np.moveaxis(np.nan_to_num(places[..., ::-1]), -1, 0)
        step = np.stack([ndimage.map_coordinates(push[..., k], there, order=1) for k in (0, 1)], axis=-1)
        later = balls.hit(np.zeros(3), balls.rays(CAMERA, places + step))
        turn = view.pose @ np.linalg.inv(turned(EYES, 0.0))
        aim = later @ turn[:3, :3].T + turn[:3, 3]
        true = aim[..., :2] / aim[..., 2:] * view.camera.focal + np.asarray(view.camera.centre) - balls.PIXELS
        length = np.linalg.norm(true, axis=-1)
        moving = np.nan_to_num(length) > 0.5
        found = compute(to_gray(first)[None], to_gray(second)[None], flow="tvl1")[0]
        error = np.linalg.norm(found - true, axis=-1)[moving]
        assert moving.sum() > 60 and error.mean() < 0.25 * length[moving].mean()


def test_a_head_that_moves_takes_its_surface_along():
    """The ball drifts by three pixels; a point of it must stay the point of the mesh that it is."""
    count = 8
    drift = np.stack([np.linspace(0, 3, count), np.linspace(0, -2, count)], axis=-1)
    centres = [balls.CENTRE + np.append(step / CAMERA.focal * balls.CENTRE[2], 0) for step in drift]
    frames = np.stack([balls.frame(step, centre) for step, centre in zip(drift, centres, strict=True)])
    depth = np.stack([balls.depth(centre) for centre in centres])
    landmarks = balls.LANDMARKS + drift[:, None]
    surface = relief(frames, depth, landmarks.astype(np.float32), fov=FOV)
    followed = surface.pixels - surface.pixels[0]
    assert np.abs(followed[2:-2] - drift[2:-2, None] + drift[0]).max() < 0.3
    assert np.abs(surface.depth - surface.depth[0]).mean() < 0.02


@pytest.mark.parametrize("drift", [2, 10])
def test_a_surface_follows_a_turning_head_by_all_of_its_movement(drift):
    """The skin that no expression moves, where it truly goes: by the plane alone, or with its path's bends cut, it is
    .16 off and more.
    """
    head = next(drifting_clips(1, drift=drift, degrees=3, seed=2))
    surface = relief(head.frames, np.zeros(head.frames.shape[:3], np.float32), head.landmarks)
    rows, columns = surface.shape.at.T
    still = head.still[rows, columns]
    off = np.linalg.norm(surface.pixels - head.rigid[:, rows, columns], axis=-1)[1:, still]
    assert still.sum() > 1000 and np.median(off) < 0.1


def test_visibility_of_a_ball_is_the_sign_of_its_normals():
    surface = relief(*clip(), fov=FOV)
    for yaw, seen in zip(YAWS, visibility(surface, YAWS), strict=True):
        (view,) = views(surface, [yaw])
        points = balls.hit(np.zeros(3), balls.rays(CAMERA))
        turn = view.pose @ np.linalg.inv(turned(EYES, 0.0))
        normal = (points - balls.CENTRE) @ turn[:3, :3].T
        cosine = -(normal * (points @ turn[:3, :3].T + turn[:3, 3])).sum(-1)
        known = np.isfinite(seen)
        assert known.sum() == len(surface.shape.at)
        rim = ndimage.binary_erosion(known, iterations=6)  # the outline is smoothed: its normals are its own
        assert np.mean((seen > 0.5)[rim] == (cosine > 0)[rim]) > 0.99
        if abs(yaw) > 30:
            assert 0.02 < np.mean(seen[known] < 0.5) < 0.5


def test_what_stands_before_it_hides_the_ball():
    frames, depth, landmarks = clip()
    depth[0] -= 0.45 * np.exp(-((np.arange(SIZE) - 48) ** 2) / 18).astype(np.float32)  # a nose from top to bottom
    seen = visibility(relief(frames, depth, landmarks, fov=FOV), [-40.0, 40.0])
    left, right = (seen[:, 40:60, columns].mean(axis=(1, 2)) for columns in (slice(39, 43), slice(54, 58)))
    # turned to the subject's left, the picture's right, the nose hides what is right of it
    assert left[1] > 0.9 and right[0] > 0.9
    assert left[0] < 0.3 and right[1] < 0.3


def test_what_a_view_cuts_it_does_not_show():
    """A step in depth is in sight from the front, a skirt from the side: cut there, and so not seen."""
    frames, depth, landmarks = clip()
    wall = np.isnan(depth[0]) & (np.arange(SIZE) > SIZE / 2)  # far behind the right half of the ball
    depth[0, wall] = 2.0
    surface = relief(frames, depth, landmarks, yaws=YAWS, fov=FOV)
    front, side = visibility(surface, [0.0, 45.0])
    assert (front[wall] == 1).all() and (side[wall] == 0).all() and np.nanmax(side) == 1
    shown = film(surface, frames, [0.0])[0, 0].astype(int)
    assert np.abs(shown - frames[0])[wall].mean() < 4
    assert surface.quality["cut"] == surface.shape.cut(45.0) > 0.2


def test_beside_the_face_is_the_colour_of_its_surroundings():
    frames, depth, landmarks = clip()
    frames[0][np.isnan(depth[0])] = (10, 200, 60)
    surface = relief(frames, depth, landmarks, fov=FOV)
    np.testing.assert_array_equal(surroundings(surface, frames[0]), (10, 200, 60))
    shown = film(surface, frames, [45.0])[0, 0]
    assert (shown[:4, :4] == (10, 200, 60)).all()
    full = relief(frames, np.zeros_like(depth), landmarks, fov=FOV)
    np.testing.assert_array_equal(surroundings(full, frames[0]), 128)


def test_gaps_in_time_and_single_frames_are_bridged():
    frames, depth, landmarks = clip(6)
    depth[2] = np.nan  # a frame in which no face was found
    depth[4, 50:60, 40:50] = np.nan  # a hand
    surface = relief(frames, depth, landmarks, fov=FOV)
    assert np.isfinite(surface.depth).all()
    np.testing.assert_allclose(surface.depth[2], surface.depth[1], atol=0.02)
    assert render_views(frames[:1], depth[:1], landmarks[:1], fov=FOV).shape == (10, 1, SIZE, SIZE, 3)


def test_a_face_at_the_border_is_flagged_and_rendered():
    frames, depth, landmarks = clip(2)
    away = np.roll(depth, 30, axis=2)
    away[:, :, :30] = depth[:, :, :1] if np.isfinite(depth[:, :, 0]).all() else np.nan
    surface = relief(np.roll(frames, 30, axis=2), away, landmarks + np.float32([30, 0]), fov=FOV)
    assert surface.quality["border"] > relief(frames, depth, landmarks, fov=FOV).quality["border"]
    assert film(surface, frames, [-45.0, 45.0]).shape == (2, 2, SIZE, SIZE, 3)


def test_the_same_views_are_the_same_bytes():
    given = clip(2, noise=0.02)
    for renderer in ("raster", "pyrender"):
        one, other = (render_views(*given, [-35.0, 15.0], fov=FOV, renderer=renderer) for _ in range(2))
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"depth": np.full((1, SIZE, SIZE), np.nan, np.float32)}, "no depth in any frame"),
        ({"depth": np.zeros((2, SIZE, SIZE), np.float32)}, "do not belong together"),
        ({"landmarks": np.full((1, 5, 2), np.nan, np.float32)}, "landmarks"),
        ({"yaws": [10.0, 90.0]}, "90"),
        ({"renderer": "opengl"}, "raster, pyrender"),
    ],
)
def test_what_cannot_be_rendered_is_refused(change, what):
    frames, depth, landmarks = clip()
    with pytest.raises(BadInput, match=what):
        render_views(**{"frames": frames, "depth": depth, "landmarks": landmarks, "fov": FOV} | change)


def test_without_opengl_the_rasteriser_works_and_pyrender_names_the_packages():
    program = (
        "import sys; sys.modules['pyrender'] = None\n"
        "from geometry_balls import clip\n"
        "from mer_lib.geometry.views import render_views\n"
        "print(render_views(*clip(), [45.0]).shape)\n"
        "render_views(*clip(), [45.0], renderer='pyrender')"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parent, capture_output=True, text=True)
    assert "(1, 1, 96, 96, 3)" in result.stdout
    assert "BadInput" in result.stderr and "libosmesa6" in result.stderr


def test_the_default_angles_are_the_papers():
    assert YAWS == (-45, -35, -25, -15, -5, 5, 15, 25, 35, 45) and sideways.YAWS is YAWS
