"""What one picture tells of a head, against rendered people whose depth is exact."""

import cv2
import numpy as np
import pytest
import skimage.data
import torch

from mer_lib.faces import align
from mer_lib.geometry import likeness
from mer_lib.geometry.likeness import movements_of, relief_of
from mer_lib.geometry.registration import head_mask
from mer_lib.synth.head import ACTION_UNITS
from mer_lib.synth.pairs import exact_sides

SIZE = 128
TEMPLATE = align.template(SIZE, 0.15)
POINTS = np.array([[205.0, 101.7], [246.8, 103.7], [224.7, 129.0], [201.7, 139.3], [245.3, 141.9]])  # the astronaut's
PICTURE = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)
UNITS = list(ACTION_UNITS)


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


def test_threads_and_light_change_nothing():
    faces = [crop(TEMPLATE), (crop(TEMPLATE) * 0.6 + 30).astype(np.uint8)]
    alone = [relief_of(face, TEMPLATE) for face in faces]
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if threads > 1 else 2)
    again = [relief_of(face, TEMPLATE) for face in faces]
    torch.set_num_threads(threads)
    assert all(np.array_equal(one, other) for one, other in zip(alone, again, strict=True))
    assert np.abs(alone[0] - alone[1]).max() < 0.02


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
