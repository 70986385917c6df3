"""Pairs of colour and depth: exact against pyrender, cropped as videos are, of people whom no corpus shows."""

import re

import cv2
import numpy as np
import pytest
import scan_toys

from mer_lib.faces import align
from mer_lib.faces.detect import Detector
from mer_lib.geometry.shots import shoot
from mer_lib.problems import BadInput, collect
from mer_lib.render.camera import Camera, facing
from mer_lib.render.scene import Renderer
from mer_lib.synth import identity, sitters
from mer_lib.synth.sitters import Studio, scanned, sitter

CROP = {"size": 128, "margin": 0.15, "min_probability": 0.9}


@pytest.fixture(scope="module")
def studio():
    return Studio(Detector(), seed=7, turn=(7.0, 5.0, 3.0), **CROP)


@pytest.fixture(scope="module")
def somebody():
    return identity.make_identity("depth/test")


@pytest.fixture(scope="module")
def shots(studio):
    return sitter("embedded/0", 4, studio)


def test_depth_is_exact_against_pyrender(studio, somebody):
    """pyrender's depth of the whole picture, warped to the crop, is the crop's depth away from its edges."""
    camera, pose = Camera(512, 512, 1900.0), facing(1.0, shift=(0.0, 0.015))
    vertices = somebody.turn(somebody.vertices[None], *np.array([[8.0], [-4.0], [3.0]]))[0]
    faces, pupils = somebody.surface.faces, vertices[somebody.head.pupils]
    with Renderer(camera, somebody.surface) as renderer:
        picture, metres = renderer.picture(vertices, pose), renderer.depth(vertices, pose)
    shot = shoot(picture, vertices, pose, camera, faces, np.ones(len(faces), bool), pupils, studio.detector, **CROP)
    eyes = 1.0 - pupils[:, 2].mean()  # the camera looks along −z of the model
    expected = (metres - eyes) / np.linalg.norm(pupils[0] - pupils[1])
    there = cv2.warpAffine((metres > 0).astype(np.float32), shot.geometry, (128, 128), flags=cv2.INTER_LINEAR)
    warped = cv2.warpAffine(expected.astype(np.float32), shot.geometry, (128, 128), flags=cv2.INTER_LINEAR)
    smooth = cv2.erode((there > 0.999).astype(np.uint8), np.ones((5, 5))).astype(bool)
    away = np.abs(shot.depth - warped)[smooth]
    assert np.median(away) < 5e-4 and np.percentile(away, 95) < 0.01  # interocular distances: 0.03 and 0.6 mm
    assert np.isnan(shot.depth[there < 0.01]).all()


def test_depth_is_zero_at_the_eyes_and_the_nose_is_before_them(shots):
    for depth, marks in zip(shots["depth"], shots["landmarks"], strict=True):
        columns, rows = np.rint(marks).astype(int).T
        at = depth[rows, columns]
        assert abs(at[:2].mean()) < 0.12  # lids lie before the pupil, and corners of the eye behind it
        assert at[2] < -0.2 and at[2] == np.nanmin([*at])
        assert np.nanmin(depth) > -1.0


def test_crops_are_those_of_videos(shots):
    """The landmarks lie where the crop's template puts them."""
    away = np.linalg.norm(shots["landmarks"] - align.template(128, 0.15), axis=-1)
    assert away.mean() < 4  # pixels: faces differ from the template, crops do not
    assert shots["frames"].shape == (4, 128, 128, 3) and shots["frames"].dtype == np.uint8


def test_every_shot_shows_another_face_in_another_pose(shots):
    assert len(np.unique(shots["turn"], axis=0)) == 4
    assert (np.abs(shots["turn"]) <= 2 * np.array([7.0, 5.0, 3.0]) + 1e-5).all()
    faces = np.nan_to_num(shots["depth"])
    assert all(np.abs(faces[0] - other).mean() > 0.01 for other in faces[1:])


@pytest.mark.slow
def test_a_turned_head_is_deeper_on_the_far_side(studio):
    """Turned to the subject's left, the right of the picture, that side of the face goes away from the camera."""
    turned = {}
    for yaw in (-20.0, 20.0):
        drawn = Studio(studio.detector, seed=7, turn=(0.0, 0.0, 0.0), **CROP)
        object.__setattr__(drawn, "draw", lambda name, at, yaw=yaw: (studio.draw(name, at)[0], np.array([yaw, 0, 0])))
        turned[yaw] = sitter("embedded/1", 1, drawn)["depth"][0]
    left, right = (np.nanmean(turned[20.0][50:70, side]) for side in (slice(30, 50), slice(78, 98)))
    assert right > left + 0.1
    left, right = (np.nanmean(turned[-20.0][50:70, side]) for side in (slice(30, 50), slice(78, 98)))
    assert left > right + 0.1


def test_the_same_seed_gives_the_same_bytes(studio, shots):
    again = sitter("embedded/0", 4, studio)
    assert all(np.array_equal(again[name], shots[name], equal_nan=True) for name in shots)
    other = sitter("embedded/0", 1, Studio(studio.detector, seed=8, turn=studio.turn, **CROP))
    assert not np.array_equal(other["frames"][0], shots["frames"][0])


def test_no_corpus_can_show_these_people(monkeypatch, studio):
    """Identities are drawn from a string; a corpus's is its seed, a number, and then the subject's id."""
    asked = []
    monkeypatch.setattr(sitters, "make_identity", lambda seed: asked.append(seed) or identity.make_identity(seed))
    monkeypatch.setattr(
        sitters,
        "another_face",
        lambda person, seed: asked.append(f"face/{seed}") or identity.another_face(person, seed),
    )
    sitter("embedded/0", 1, studio)
    assert len(asked) == 2 and not any(re.match(r"-?\d+/", seed) for seed in asked)


def test_another_face_has_another_shape_and_the_same_paint(somebody):
    other = identity.another_face(somebody, "a")
    assert other.texture is somebody.texture and other.looks == somebody.looks
    assert np.abs(other.vertices - somebody.vertices).max() > 0.002
    assert np.array_equal(other.vertices, identity.another_face(somebody, "a").vertices)


@pytest.mark.slow
def test_shots_without_a_face_are_left_out_and_noted(studio):
    seen, fails = studio.detector, iter([True, False, False])
    half = Studio(lambda frames: [[]] if next(fails) else seen(frames), seed=7, turn=studio.turn, **CROP)
    with collect() as found:
        assert len(sitter("embedded/0", 3, half)["frames"]) == 2
    assert [problem.what for problem in found if "left out" in problem.what] == [
        "shot 0 is left out: no face found in 1 frames looked at (0 to 0)"
    ]
    with pytest.raises(BadInput, match=r"no face was found in 2 shots"), collect():
        sitter("embedded/0", 2, Studio(lambda frames: [[]], seed=7, turn=studio.turn, **CROP))


def test_scans_are_shot_like_sitters_and_a_bad_one_loses_no_other(tmp_path, studio):
    good = scan_toys.write(tmp_path / "1_neutral.obj", scan_toys.person())
    bad = tmp_path / "2_smile.obj"
    bad.write_text("")
    with collect() as found:
        shots = scanned("toy/1", [bad, good], 2, studio)
    assert len(shots["frames"]) == 2 and shots["depth"].shape == (2, 128, 128)
    assert [problem.file for problem in found if problem.file] == [str(bad)]
    for depth, marks in zip(shots["depth"], shots["landmarks"], strict=True):
        columns, rows = np.rint(marks).astype(int).T
        at = depth[rows, columns]
        assert abs(at[:2].mean()) < 0.12 and at[2] < -0.2
    with pytest.raises(BadInput, match=r"none of 1 scans can be used"), collect():
        scanned("toy/1", [bad], 2, studio)
