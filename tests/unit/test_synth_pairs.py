"""Pairs with exact flow: the flow against the pictures it claims to explain, and each condition for what it says."""

import cv2
import numpy as np
import pytest

from mer_lib.faces.align import template
from mer_lib.problems import BadInput
from mer_lib.synth import pairs as pairs_module
from mer_lib.synth.pairs import EYES, MARGIN, MOVING, exact_pairs, exact_sides

N = 3
ROWS, COLUMNS = np.mgrid[:128, :128].astype(np.float32)
CONDITIONS = {
    "large": {"amount": 3.0},
    "small": {"amount": 1.0},
    "drift": {"amount": 1.0, "drift": 2.0},
    "left": {"amount": 2.0, "yaw": 45.0},
    "right": {"amount": 2.0, "drift": 1.0, "yaw": -30.0},
}


@pytest.fixture(scope="module")
def pairs():
    return {name: exact_pairs(N, noise=False, **options) for name, options in CONDITIONS.items()}


def length(flow):
    return np.linalg.norm(flow, axis=-1)


def unexplained(pairs, flow):
    """Median grey difference, where the face moves, between the first picture and the second one fetched by a flow."""
    first, second = pairs.grey
    found = []
    for n, field in enumerate(np.nan_to_num(flow)):
        back = cv2.remap(second[n].astype(np.float32), COLUMNS + field[..., 0], ROWS + field[..., 1], cv2.INTER_CUBIC)
        found.append(np.median(np.abs(back - first[n])[pairs.moving[n]]))
    return np.mean(found)


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_flow_explains_the_pictures_better_than_any_near_it(pairs, name):
    these = pairs[name]
    right = unexplained(these, these.flow)
    assert right < 1.2  # grey levels: what shading and rounding leave
    for wrong in (0, 0.6, 1.4):
        assert unexplained(these, wrong * these.flow) > 1.1 * right
    turn = np.float32([[0, -1], [1, 0]])
    assert unexplained(these, these.flow @ turn) > 1.3 * right


def test_the_expression_moves_the_face_as_far_as_asked(pairs):
    for name in ("large", "small", "left"):
        these = pairs[name]
        largest = np.where(these.face, length(these.flow), 0).max(axis=(1, 2))
        np.testing.assert_allclose(largest, CONDITIONS[name]["amount"], rtol=0.01)


def test_the_head_moves_the_face_as_far_as_asked_and_all_of_it():
    these = exact_pairs(N, amount=0.0, drift=1.5, noise=False)
    moved = length(these.flow)
    for n in range(N):
        assert moved[n][these.face[n]].mean() == pytest.approx(1.5, rel=1e-3)
        assert moved[n][these.face[n]].min() > 0.2


def test_conditions_change_what_they_name_and_nothing_else(pairs):
    clean = pairs["large"]
    noisy, lit = exact_pairs(N, amount=3.0), exact_pairs(N, amount=3.0, noise=False, light=0.2)
    np.testing.assert_array_equal(noisy.flow, clean.flow)
    np.testing.assert_array_equal(lit.flow, clean.flow)
    np.testing.assert_array_equal(lit.first, clean.first)
    noise = (noisy.first.astype(float) - clean.first)[clean.face]
    assert 0.7 < noise.std() < 2.5 and abs(noise.mean()) < 0.2
    bright = clean.face[..., None] & (clean.second > 20)
    assert np.median(lit.second[bright] / clean.second[bright]) == pytest.approx(1.2**0.5, abs=0.01)


def test_a_pair_is_the_same_in_a_larger_set_and_another_seed_is_another_pair():
    one, two, other = exact_pairs(1), exact_pairs(2), exact_pairs(1, seed=2)
    for name in vars(one):
        np.testing.assert_array_equal(getattr(one, name)[0], getattr(two, name)[0])
    assert (one.first != other.first).mean() > 0.5


def test_after_the_last_person_comes_the_first_again_with_another_expression(monkeypatch):
    monkeypatch.setattr(pairs_module, "PEOPLE", 2)
    these = exact_pairs(3, noise=False)
    colour = these.first.mean(axis=(1, 2), where=these.face[..., None])
    assert np.linalg.norm(colour[2] - colour[0]) < np.linalg.norm(colour[1] - colour[0]) / 3
    assert (these.moving[2] != these.moving[0]).any()


def test_masks_lie_where_their_names_say(pairs):
    these = pairs["large"]
    left, right, _, *corners = template(128, MARGIN).round().astype(int)
    for x, y in (left, right):
        assert these.eyes[:, y, x].all() and not these.mouth[:, y, x].any()
    for x, y in corners:
        assert these.mouth[:, y, x].all() and not these.eyes[:, y, x].any()
    for part in (these.moving, these.mouth, these.eyes):
        assert part.any(axis=(1, 2)).all() and not (part & ~these.face).any()
    assert EYES[0][0] > 0 and not these.eyes[:, left[1], 64].any()  # the bridge of the nose is between them
    moved = length(these.flow)
    np.testing.assert_allclose(np.where(these.moving, moved, 9).min(axis=(1, 2)), MOVING * 3.0, rtol=0.1)
    assert not np.isnan(these.flow[these.face]).any()
    assert np.isnan(these.flow).any()  # the wall


def test_a_larger_crop_shows_the_same_face():
    small, large = exact_pairs(1, amount=1.0, noise=False), exact_pairs(1, size=256, amount=2.0, noise=False)
    shrunk = cv2.resize(large.first[0], (128, 128), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(float) - small.first[0]).mean() < 3
    halved = cv2.resize(np.nan_to_num(large.flow[0]) / 2, (128, 128), interpolation=cv2.INTER_AREA)
    assert np.abs(halved - small.flow[0])[small.moving[0]].mean() < 0.02


@pytest.mark.parametrize("wrong", [{"n": 0}, {"size": 31}, {"amount": -1}, {"drift": -1}, {"light": -1}, {"yaw": 61}])
def test_impossible_conditions_are_refused(wrong):
    with pytest.raises(BadInput, match="no pairs with"):
        exact_pairs(**wrong)


@pytest.fixture(scope="module")
def sides():
    return exact_sides(1, (0.0, 40.0), noise=False)


def test_the_side_at_no_angle_is_the_front(sides):
    assert np.abs(sides.pictures[0].astype(int) - sides.frames).mean() < 1  # but for the crop's own interpolation
    pair = exact_pairs(2, amount=2.0, noise=False)
    np.testing.assert_array_equal(sides.frames, [pair.first[1], pair.second[1]])
    apart = length(sides.flow[0] - pair.flow[1])[sides.moving[0]]
    assert np.quantile(apart, 0.9) < 0.05 < 0.5 < length(sides.flow[0])[sides.moving[0]].mean()


def test_the_flow_of_a_side_explains_its_pictures(sides):
    first, second = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) for picture in sides.pictures[1])
    moved = {}
    for share in (0, 0.5, 1, 1.5):
        field = share * np.nan_to_num(sides.flow[1])
        back = cv2.remap(second, COLUMNS + field[..., 0], ROWS + field[..., 1], cv2.INTER_CUBIC)
        moved[share] = np.median(np.abs(back - first)[sides.moving[1]])
    assert moved[1] < 1.2 and min(moved, key=moved.get) == 1


def test_the_depth_of_a_face_has_its_order(sides):
    eyes, nose, mouth = sides.landmarks[0, :2].mean(axis=0), sides.landmarks[0, 2], sides.landmarks[0, 3:].mean(axis=0)
    depth = {name: sides.depth[0][tuple(at.round().astype(int)[::-1])] for name, at in
             {"eyes": eyes, "nose": nose, "mouth": mouth, "ear": eyes - (52, 0)}.items()}  # fmt: skip
    assert depth["nose"] < depth["mouth"] < depth["ear"] and depth["nose"] < depth["eyes"] < depth["ear"]
    assert -0.7 < depth["nose"] - depth["eyes"] < -0.15  # interocular distances: one to four centimetres
    assert np.isnan(sides.depth[0][0, 0])  # the wall
    assert 5 < sides.fov < 60
