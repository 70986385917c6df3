"""What one picture tells of a head, against rendered people whose depth is exact."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch

import mer_lib
from mer_lib import weights
from mer_lib.faces import align
from mer_lib.geometry import likeness
from mer_lib.geometry.likeness import movements_of, relief_of
from mer_lib.geometry.registration import head_mask
from mer_lib.problems import BadPackage
from mer_lib.synth.head import ACTION_UNITS
from mer_lib.synth.pairs import exact_sides

SIZE = 128
TEMPLATE = align.template(SIZE, 0.15)
POINTS = np.array([[205.0, 101.7], [246.8, 103.7], [224.7, 129.0], [201.7, 139.3], [245.3, 141.9]])  # the astronaut's
PICTURE = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)
UNITS = list(ACTION_UNITS)
WEIGHTS = Path(likeness.__file__).with_suffix(".safetensors")


def crop(landmarks, size=SIZE):
    """The astronaut with the face's points at these landmarks."""
    return cv2.warpAffine(PICTURE, align.similarity(POINTS, landmarks), (size, size), flags=cv2.INTER_CUBIC)


def off(relief, truth):
    """Interocular distances, root mean square, once scale and plane are fitted; where truth is known."""
    known = np.isfinite(truth)
    basis = np.c_[relief[known], np.argwhere(known), np.ones(known.sum())]
    return np.sqrt(np.mean((truth[known] - basis @ np.linalg.lstsq(basis, truth[known], rcond=None)[0]) ** 2))


def test_people_who_were_never_seen_are_nearer_to_their_relief_than_to_the_mean_face():
    mean = likeness.laid(likeness._model()[0].mean.numpy(), TEMPLATE, (SIZE, SIZE))
    own, common = [], []
    for k in range(6):
        sides = exact_sides(k, (0.0,), seed=5)
        gray, landmarks = cv2.cvtColor(sides.frames[0], cv2.COLOR_RGB2GRAY), sides.landmarks[0]
        skin = (head_mask(landmarks, gray.shape) > 0) & (sides.depth[0] < 0.8)
        truth = np.where(skin, -sides.depth[0], np.nan)
        own.append(off(relief_of(gray, landmarks), truth))
        common.append(off(mean, truth))
    assert np.mean(own) < 0.75 * np.mean(common) and (np.array(own) < common).all()


def test_a_real_face_has_a_faces_relief():
    """Nose before lips before cheeks before temples."""
    relief = relief_of(crop(TEMPLATE), TEMPLATE)
    nose, lips, cheek, temple = relief[62, 63], relief[89, 63], relief[70, 40], relief[40, 22]
    assert nose > lips + 0.03 and lips > cheek + 0.1 and cheek > temple + 0.1


@pytest.mark.parametrize(("turn", "scale", "shift"), [(20, 0.8, (5, -3)), (-10, 1.1, (0, 4))])
def test_it_lies_where_the_face_does(turn, scale, shift):
    middle = ((SIZE - 1) / 2, (SIZE - 1) / 2)
    moved = cv2.getRotationMatrix2D(middle, turn, scale)
    moved[:, 2] += shift
    landmarks = align.transform(moved, TEMPLATE).astype(np.float32)
    there = relief_of(crop(landmarks), landmarks)
    back = cv2.warpAffine(there, moved, (SIZE, SIZE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    assert np.abs(back - relief_of(crop(TEMPLATE), TEMPLATE))[32:96, 32:96].mean() < 0.02
    upright, fields = movements_of(TEMPLATE, (SIZE, SIZE)), movements_of(landmarks, (SIZE, SIZE))
    seen = cv2.warpAffine(fields[24], moved, (SIZE, SIZE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    np.testing.assert_allclose(seen[32:96, 32:96], (upright[24] @ moved[:, :2].T)[32:96, 32:96], atol=0.05)


@pytest.mark.filterwarnings("ignore:TF32 acceleration")
def test_another_way_to_multiply_changes_no_bit():
    """Sixty pictures: in single precision a cell of one or two falls to the other side of a thousandth."""
    rng = np.random.default_rng(0)
    faces = [np.clip(crop(TEMPLATE) + rng.normal(0, 8, (SIZE, SIZE)), 0, 255).astype(np.uint8) for _ in range(60)]
    usual = [relief_of(face, TEMPLATE) for face in faces]
    with torch.backends.mkldnn.flags(enabled=False):
        other = [relief_of(face, TEMPLATE) for face in faces]
    np.testing.assert_array_equal(usual, other)


def test_light_changes_nothing():
    darker = (crop(TEMPLATE) * 0.6 + 30).astype(np.uint8)
    assert np.abs(relief_of(darker, TEMPLATE) - relief_of(crop(TEMPLATE), TEMPLATE)).max() < 0.02


def test_a_damaged_file_is_no_fault_of_a_clip(tmp_path):
    """BadInput would be: each clip would be lost to it, one by one, and the run would end well."""
    damaged = bytearray(WEIGHTS.read_bytes())
    damaged[-100] ^= 1
    (tmp_path / "damaged.safetensors").write_bytes(damaged)
    for name in ("damaged.safetensors", "none.safetensors"):
        with pytest.raises(BadPackage, match=f"{name}: .*restore it or install again"):
            weights.packaged(tmp_path / name)


def test_the_file_is_small_and_is_what_its_card_says():
    arrays, card = weights.load(WEIGHTS)
    text = WEIGHTS.with_name("LIKENESS.md").read_text(encoding="utf-8")
    assert WEIGHTS.stat().st_size < 1.1e6 and card["licence"] == "CC0-1.0" and "CC0 1.0" in text
    assert all(f"| {error:.3f} |" in text for error in card["errors"].values())
    parameters = sum(p.numel() for p in likeness.Net(len(arrays["shapes"])).parameters())
    assert f"({parameters:,} parameters)" in text.replace("\n  ", " ") and arrays["movements"].shape == (44, 32, 32, 2)


def test_the_tool_makes_the_movements_that_are_stored():
    path = Path(mer_lib.__file__).parents[1] / "tools/build_likeness.py"
    spec = importlib.util.spec_from_file_location("build_likeness", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    np.testing.assert_allclose(tool.movements(), weights.load(WEIGHTS)[0]["movements"].astype(float), atol=1e-3)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_of_nothing_has_some_relief(level):
    relief = relief_of(np.full((96, 80), level, np.uint8), TEMPLATE)
    assert relief.shape == (96, 80) and relief.dtype == np.float32 and np.isfinite(relief).all()


def test_muscles_move_the_side_that_is_theirs():
    """Brows rise by unit 2, and corners of the mouth by 12; the subject's left is at the picture's right."""
    fields = movements_of(TEMPLATE, (SIZE, SIZE))
    assert fields.shape == (2 * len(UNITS), SIZE, SIZE, 2)
    assert np.linalg.norm(fields, axis=-1).max() == pytest.approx(1, abs=0.1)
    for unit, rows in ((2, np.s_[15:45]), (12, np.s_[75:100])):
        for side, (mine, other) in enumerate(((np.s_[70:], np.s_[:58]), (np.s_[:58], np.s_[70:]))):
            up = -fields[2 * UNITS.index(unit) + side, rows, :, 1]
            assert up[:, mine].max() > 0.5 and np.abs(up[:, other]).max() < 0.25
