"""People of the embedded corpus: each their own, the same every time, and a face to a detector."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mer_lib.faces.detect import Detector
from mer_lib.render.camera import Camera, facing
from mer_lib.render.raster import exact_flow
from mer_lib.render.scene import Light, Renderer
from mer_lib.synth.head import ACTION_UNITS
from mer_lib.synth.identity import ANCESTRIES, Facts, Identity, make_identity
from mer_lib.synth.looks import draw_looks

CAMERA = Camera(256, 256, 256 / 0.28)
UNITS = list(ACTION_UNITS)


@pytest.fixture(scope="module")
def people() -> list[Identity]:
    """One woman and one man of each ancestry, of different ages."""
    ages = iter((22, 64, 35, 51, 70, 28))
    return [make_identity(k, Facts(a, s, next(ages))) for k, a in enumerate(ANCESTRIES) for s in ("female", "male")]


def act(**strength: float) -> np.ndarray:
    weights = np.zeros((1, len(UNITS)), np.float32)
    for unit, value in strength.items():
        weights[0, UNITS.index(int(unit.removeprefix("au")))] = value
    return weights


def test_the_same_seed_is_the_same_person_and_another_is_another():
    one, again, other = make_identity("a"), make_identity("a"), make_identity("b")
    assert one.facts == again.facts and one.looks == again.looks
    assert (one.vertices == again.vertices).all() and (one.texture == again.texture).all()
    assert np.abs(one.vertices - other.vertices)[one.head.landmarks].max() > 0.002
    assert np.mean(one.texture != other.texture) > 0.5


def test_pupils_are_as_far_apart_as_peoples_and_the_origin_is_between_them(people):
    for person in people:
        eyes = person.head.vertices_of("eye")
        left, right = (person.vertices[eyes & (side * person.head.vertices[:, 0] > 0)].mean(axis=0) for side in (1, -1))
        assert 0.057 < np.linalg.norm(left - right) < 0.070
        assert np.abs(left + right).max() < 1e-6


def test_looks_fit_the_facts():
    rng = np.random.default_rng(0)
    crowd = {a: [draw_looks(a, "male", 30, rng) for _ in range(30)] for a in ANCESTRIES}
    tone = {a: np.mean([looks.skin for looks in some]) for a, some in crowd.items()}
    assert tone["african"] < tone["asian"] - 40 and tone["african"] < tone["caucasian"] - 40
    young, old = ([draw_looks("asian", "male", age, rng) for _ in range(30)] for age in (25, 70))
    assert np.mean([np.mean(x.hair) for x in old]) > np.mean([np.mean(x.hair) for x in young]) + 40
    assert min(x.wrinkles for x in old) > max(x.wrinkles for x in young)
    assert not any(draw_looks("asian", "female", 40, rng).beard for _ in range(30))


def test_deforming_is_linear_and_nothing_moves_at_rest(people):
    person = people[0]
    weights = np.random.default_rng(0).uniform(0, 0.5, (3, len(UNITS), 2)).astype(np.float32)
    assert (person.deform(np.zeros((1, len(UNITS))))[0] == person.vertices).all()
    moved = person.deform(weights) - person.vertices
    whole = person.deform(weights.sum(axis=0, keepdims=True))[0] - person.vertices
    assert np.abs(moved.sum(axis=0) - whole).max() < 1e-6
    both = person.deform(weights[..., 0]) - person.deform(np.repeat(weights[..., :1], 2, axis=-1))
    assert np.abs(both).max() < 1e-7


def test_one_sided_smile_and_gaze_go_to_the_right_side_of_the_picture(people):
    person = people[1]
    left_only = np.zeros((1, len(UNITS), 2), np.float32)
    left_only[0, UNITS.index(12), 0] = 1
    vertices = np.concatenate([person.vertices[None], person.deform(left_only)])
    rest, smile = CAMERA.project(vertices[:, person.head.landmarks], facing(1.0))[..., :2]
    moved = np.linalg.norm(smile - rest, axis=1)
    assert rest[54, 0] > rest[48, 0] and moved[54] > 4 > 10 * moved[48]
    still = act()
    gaze = person.deform(np.repeat(still, 3, axis=0), np.array([(0, 0), (15, 0), (0, 15)]))
    with Renderer(CAMERA, person.surface) as renderer:
        ahead, left, up = (renderer.picture(v, facing(1.0)) for v in gaze)
    eyes = CAMERA.project(person.vertices[person.head.landmarks[36:48]], facing(1.0)).reshape(2, 6, 3)
    for eye in eyes:
        u, v = dark_place(ahead, eye)
        assert dark_place(left, eye)[0] > u + 1
        assert dark_place(up, eye)[1] < v - 0.15


def dark_place(picture: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Where iris and pupil are: the centre (u, v) of darkness between the lids."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(eye[:, :2]).astype(np.int32)], 1)
    weight = mask * np.maximum(110.0 - picture.mean(axis=2), 0)
    v, u = np.mgrid[: len(picture), : len(picture)]
    return np.array([(u * weight).sum(), (v * weight).sum()]) / weight.sum()


def test_turning_the_head_leaves_the_shoulders_and_bends_only_the_neck(people):
    person = people[2]
    vertices = np.repeat(person.vertices[None], 2, axis=0)
    turned = person.turn(vertices, np.array([0.0, 10.0]), np.array([0.0, 5.0]), np.array([0.0, 3.0]))
    assert np.abs(turned[0] - person.vertices).max() < 1e-6
    shoulders = person.head.vertices[:, 1] < -0.21
    shoulders &= ~person.head.vertices_of("hair")
    assert (turned[1][shoulders] == person.vertices[shoulders]).all()
    face = person.head.landmarks[17:]
    before, after = (np.linalg.norm(v[face][:, None] - v[face][None], axis=-1) for v in (person.vertices, turned[1]))
    assert np.abs(before - after).max() < 1e-5
    assert turned[1][person.head.landmarks[30], 0] > person.vertices[person.head.landmarks[30], 0] + 0.01


def test_a_smile_warped_back_by_the_exact_flow_is_the_face_at_rest(people):
    person, pose = people[3], facing(1.0)
    smile = person.deform(act(au6=0.3, au12=0.3))[0]
    even = Light(key=0.0, fill=0.0, room=0.9)
    with Renderer(CAMERA, person.surface) as renderer:
        first, second = (renderer.picture(v, pose, even).astype(np.float32) for v in (person.vertices, smile))
    flow, depth = exact_flow(person.vertices, pose, smile, pose, person.surface.faces, CAMERA)
    assert 2 < np.nanmax(np.linalg.norm(flow, axis=-1)) < 8
    v, u = np.mgrid[:256, :256].astype(np.float32)
    back = cv2.remap(second, u + flow[..., 0], v + flow[..., 1], cv2.INTER_CUBIC)
    moving = (np.linalg.norm(np.nan_to_num(flow), axis=-1) > 1) & (depth > 0)
    assert np.abs(back - first)[moving].mean() < 0.35 * np.abs(second - first)[moving].mean()


def test_no_background_shows_through_the_face_or_under_the_shoulders(people):
    """Nothing behind the eyes or in the open mouth is missing, and the cut of the mesh lies outside the picture."""
    for person in people:
        vertices, pose = person.deform(act(au5=1.0, au26=1.0))[0], facing(1.0, yaw=20)
        with Renderer(CAMERA, person.surface) as renderer:
            picture = renderer.picture(vertices, pose, background=(0, 255, 0))
        outline = CAMERA.project(vertices[person.head.landmarks[:27]], pose)[:, :2]
        face = np.zeros(picture.shape[:2], np.uint8)
        cv2.fillConvexPoly(face, cv2.convexHull(np.rint(outline).astype(np.int32)), 1)
        face = cv2.erode(face, np.ones((7, 7))) > 0
        green = (picture[..., 1] > 200) & (picture[..., [0, 2]].max(axis=-1) < 60)
        assert face.sum() > 8000 and not green[face].any()
        assert not green[-1, 100:156].any()


def test_a_detector_finds_one_face_with_its_eyes_where_they_are(people):
    """MTCNN, which has never seen these faces, agrees with the projected landmarks."""
    pictures, truth = [], []
    for person in people:
        with Renderer(CAMERA, person.surface) as renderer:
            for yaw, weights in ((0, act()), (35, act()), (0, act(au6=0.6, au12=1)), (-35, act(au1=1, au5=1, au26=1))):
                vertices, pose = person.deform(weights)[0], facing(1.0, yaw=yaw)
                pictures.append(renderer.picture(vertices, pose, background=(150, 155, 158)))
                points = CAMERA.project(vertices[person.head.landmarks], pose)[:, :2]
                truth.append([points[36:42].mean(axis=0), points[42:48].mean(axis=0)])
    found = Detector(device="cpu")(np.stack(pictures))
    assert [len(faces) for faces in found] == [1] * len(pictures)
    eyes = np.array([faces[0].landmarks[:2] for faces in found])
    error = np.linalg.norm(eyes - np.array(truth), axis=-1).reshape(len(people), 4, 2)
    assert np.median(error[:, [0, 2]]) < 2 and error[:, [0, 2]].max() < 6  # of about 57 pixels between the eyes
    assert np.median(error) < 4  # turned away, MTCNN itself drifts
