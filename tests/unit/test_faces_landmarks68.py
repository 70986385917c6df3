"""68 points: against exact ones of people held out, against a detector on a real face, and what happens in doubt."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

import mer_lib
from mer_lib import weights
from mer_lib.faces import align, landmarks68
from mer_lib.faces.landmarks68 import checked68, five_of
from mer_lib.problems import BadInput

WEIGHTS = Path(landmarks68.__file__).with_suffix(".safetensors")
# what MTCNN finds in the picture: eyes, tip of the nose, corners of the mouth
ASTRONAUT = np.array([[205.0, 101.7], [246.8, 103.7], [224.7, 129.0], [201.7, 139.3], [245.3, 141.9]])


@pytest.fixture(scope="module")
def build():
    path = Path(mer_lib.__file__).parents[1] / "tools/build_landmarks.py"
    spec = importlib.util.spec_from_file_location("build_landmarks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def aligned(picture, five, size=128, margin=0.15):
    matrix = align.similarity(five, align.template(size, margin))
    return align.Warp(matrix, size, *picture.shape[:2])(picture), align.transform(matrix, five)


def apart(points, truth):
    """Mean distance in interocular distances."""
    left, right = five_of(truth[None])[0, :2]
    return np.linalg.norm(points - truth, axis=-1).mean() / np.linalg.norm(right - left)


@pytest.fixture(scope="module")
def held_out(build):
    build.PICTURES = 16
    pictures, points = build.person(0)
    crops, truths = [], []
    for picture, truth in zip(pictures, points, strict=True):
        five = five_of(truth[None])[0]
        crops.append(aligned(picture, five)[0])
        truths.append(align.transform(align.similarity(five, align.template(128, 0.15)), truth))
    return np.stack(crops), np.stack(truths)


def test_people_that_it_never_saw(held_out):
    crops, truths = held_out
    found = landmarks68.landmarks68(crops)
    errors = [apart(p, t) for p, t in zip(found, truths, strict=True)]
    mean = [apart(truths.mean(0), t) for t in truths]  # the best that one shape for all could do
    assert np.mean(errors) < 0.06
    assert np.mean(errors) < 0.75 * np.mean(mean)


def test_points_scale_with_the_crop(held_out):
    crops, _ = held_out
    large = np.stack([cv2.resize(crop, (256, 256), interpolation=cv2.INTER_CUBIC) for crop in crops[:4]])
    small = landmarks68.landmarks68(crops[:4])
    assert np.abs((landmarks68.landmarks68(large) + 0.5) / 2 - 0.5 - small).max() < 0.5


def test_mirrored_faces_have_mirrored_points(held_out, build):
    crops, _ = held_out
    found = landmarks68.landmarks68(crops)
    mirrored = landmarks68.landmarks68(np.ascontiguousarray(crops[:, :, ::-1]))[:, build.FLIP]
    mirrored[..., 0] = 127 - mirrored[..., 0]
    assert np.linalg.norm(found - mirrored, axis=-1).mean() < 0.06 * 46  # interocular distance of the template


def test_a_real_face_has_its_points_where_a_detector_sees_them():
    crop, five = aligned(skimage.data.astronaut(), ASTRONAUT)
    points, trusted = checked68(crop[None], five[None], doubt=0.15)
    assert trusted.all()
    away = np.linalg.norm(five_of(points)[0] - five, axis=1) / np.linalg.norm(five[1] - five[0])
    assert away.max() < 0.1 and away.mean() < 0.06
    lips, lids, brows = points[0, 48:68, 1], points[0, 36:48, 1], points[0, 17:27, 1]
    assert brows.max() < lids.mean() < points[0, 30, 1] < lips.min()


def test_points_in_doubt_give_way_to_the_mean_face():
    crop, five = aligned(skimage.data.astronaut(), ASTRONAUT)
    shifted = five + np.array([20, -15])  # nearly half an interocular distance
    points, trusted = checked68(np.stack([crop, crop]), np.stack([five, shifted]), doubt=0.15)
    assert trusted.tolist() == [True, False]
    away = np.linalg.norm(five_of(points)[1] - shifted, axis=1) / np.linalg.norm(five[1] - five[0])
    assert away.mean() < 0.15  # she smiles, the mean face does not; her own points are half a distance off


@pytest.mark.parametrize("shape", [(2, 64, 64), (2, 64, 60, 3), (64, 64, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(BadInput, match="give crops"):
        landmarks68.landmarks68(np.zeros(shape, np.uint8))


def test_file_is_small_and_its_card_tells_the_licence():
    arrays, card = weights.load(WEIGHTS)
    assert WEIGHTS.stat().st_size <= 1.5e6
    assert card["licence"] == "CC0-1.0" and card["errors"]["aligned"] < 5
    assert "CC0" in WEIGHTS.with_name("LANDMARKS68.md").read_text(encoding="utf-8")
    assert sum(a.size for n, a in arrays.items() if "running" not in n and n != "mean") == 470800
