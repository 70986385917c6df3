"""One crop geometry a clip: placed on the face, blind to the detector's noise, true to movements below a pixel."""

import cv2
import numpy as np
import pytest
import scipy.ndimage
import skimage.data
from skimage.transform import SimilarityTransform

from mer_lib.faces import align
from mer_lib.faces.crop import crop_clip
from mer_lib.faces.detect import Detector, Face
from mer_lib.problems import BadInput, collect

POINTS = np.array([[205.0, 101.7], [246.8, 103.7], [224.7, 129.0], [201.7, 139.3], [245.3, 141.9]], np.float32)


class Clip:
    """Frames in memory that can be read like a source."""

    def __init__(self, frames):
        self._frames = np.asarray(frames)
        self.height, self.width = self._frames.shape[1:3]
        self.most_held = 0

    def frames(self, start=0, stop=None, step=1):
        return iter(self._frames[start:stop:step])


class Scripted:
    """A detector that finds what it was told: frame by frame, the position of each looked-at frame in its pixels."""

    def __init__(self, script):
        self.script = script
        self.calls = []

    def __call__(self, frames):
        self.calls.append(len(frames))
        return [self.script(int(frame[0, 0, 0])) for frame in frames]


def face(shift=(0, 0), scale=1.0, probability=0.999):
    points = (POINTS - POINTS.mean(axis=0)) * scale + POINTS.mean(axis=0) + np.asarray(shift, np.float32)
    low, high = points.min(axis=0) - 30 * scale, points.max(axis=0) + 30 * scale
    return Face(np.concatenate([low, high]).astype(np.float32), probability, points.astype(np.float32))


def blank(count, height=256, width=400):
    """Frames that carry their position in their first pixel."""
    frames = np.full((count, height, width, 3), 90, np.uint8)
    frames[:, 0, 0, 0] = np.arange(count)
    return Clip(frames)


def test_every_frame_is_cut_by_the_same_transform_whatever_the_detector_says():
    rng = np.random.default_rng(0)
    picture = skimage.data.astronaut()[:256, :400]
    still = Clip(np.stack([picture] * 20))
    found = crop_clip(still, 0, 20, Scripted(lambda _: [face(rng.normal(0, 0.5, 2))]), every=1)
    assert found.frames.shape == (20, 128, 128, 3) and found.frames.dtype == np.uint8
    assert (found.frames == found.frames[0]).all()
    assert found.landmarks.std(axis=0).mean() > 0.1  # the landmarks do carry the noise


def test_landmarks_land_on_the_canonical_face():
    found = crop_clip(blank(10), 0, 10, Scripted(lambda _: [face()]), size=160, margin=0.2)
    np.testing.assert_allclose(found.landmarks[0], found.landmarks[9])
    np.testing.assert_allclose(found.landmarks[0], align.template(160, 0.2), atol=0.06 * 160)
    eyes = found.landmarks[0, :2]
    assert eyes[0, 0] < eyes[1, 0] and np.linalg.norm(eyes.mean(axis=0) - [79.5, 79.5 - 0.6 * 160 / 2.88]) < 6


def test_the_real_face_is_upright_and_central():
    picture = skimage.data.astronaut()
    found = crop_clip(Clip(np.stack([picture] * 3)), 0, 3, Detector(), size=128, margin=0.3)
    again = Detector()(found.frames[:1])
    np.testing.assert_allclose(again[0][0].landmarks, found.landmarks[0], atol=1.5)
    np.testing.assert_allclose(found.landmarks[0], align.template(128, 0.3), atol=7)


def test_landmarks_between_looked_at_frames_are_interpolated():
    found = crop_clip(blank(12), 1, 12, Scripted(lambda at: [face((at, 0))]), every=4)
    scale = align.scale_of(found.geometry)
    steps = np.diff(found.landmarks[:, 0, 0])
    np.testing.assert_allclose(steps[:8], found.geometry[0, 0], rtol=1e-3)  # looked at 1, 5 and 9
    np.testing.assert_allclose(steps[8:], 0, atol=1e-4)
    assert 0.7 < scale < 1.3


def test_frames_are_looked_at_few_at_a_time():
    detector = Scripted(lambda _: [face()])
    crop_clip(blank(200), 0, 200, detector, every=2)
    assert sum(detector.calls) == 100 and max(detector.calls) <= 16


def test_no_face_is_bad_input():
    with pytest.raises(BadInput, match=r"no face found in 4 frames looked at \(0 to 15\)"):
        crop_clip(blank(20), 0, 20, Scripted(lambda _: []))
    with pytest.raises(BadInput, match="no face found"):
        crop_clip(blank(20), 0, 20, Scripted(lambda _: [face(probability=0.89)]))


def test_a_face_that_leaves_is_told_with_its_frames():
    with collect() as problems:
        found = crop_clip(blank(40), 0, 40, Scripted(lambda at: [face((at, 0))] if at not in (10, 15) else []))
    assert "the face leaves: not seen in 2 of 8 frames looked at (10, 15)" in problems[0].what
    np.testing.assert_allclose(np.diff(found.landmarks[:36, 0, 0]), found.geometry[0, 0], rtol=1e-3)
    assert found.probability[10] == 0 and found.probability[5] == pytest.approx(0.999)
    assert found.probability[7] == pytest.approx(0.999 * 3 / 5)


def test_a_face_gone_for_more_than_half_is_bad_input():
    with pytest.raises(BadInput, match="seen in 3 of 8 frames looked at, 0 to 10; choose an interval"):
        crop_clip(blank(40), 0, 40, Scripted(lambda at: [face()] if at <= 10 else []))
    crop_clip(blank(40), 0, 40, Scripted(lambda at: [face()] if at <= 15 else []))  # half is enough


def test_of_several_faces_the_largest_stable_one_is_taken_and_told():
    def script(at):
        passing = [face((-130, 0), scale=2.0)] if at in (5, 10) else []
        return [face((100, 0), scale=0.8), *passing, face()][:: -1 if at % 2 else 1]

    with collect() as problems:
        found = crop_clip(blank(40), 0, 40, Scripted(script))
    assert "3 faces; the largest stable one was taken, at x 225, y 123" in problems[0].what
    np.testing.assert_allclose(
        found.geometry, align.similarity(POINTS, align.template(128, 0.15)), rtol=1e-4, atol=1e-3
    )


def test_one_false_alarm_is_not_a_second_face():
    with collect() as problems:
        crop_clip(blank(40), 0, 40, Scripted(lambda at: [face(), face((120, 0))] if at == 10 else [face()]))
    assert not problems


def test_a_small_face_and_one_at_the_edge_are_told():
    with collect() as problems:
        crop_clip(blank(10), 0, 10, Scripted(lambda _: [face(scale=0.4)]))
        crop_clip(blank(10), 0, 10, Scripted(lambda _: [face((-200, 0))]))
    assert "enlarged 2." in problems[0].what and "lie outside the frame" in problems[1].what


def displacement(first, second):
    """How far ``second`` is displaced against ``first`` as a whole: Gauss-Newton on spline-shifted pictures."""
    gradient_y, gradient_x = np.gradient(first)
    inner = np.s_[8:-8, 8:-8]
    design = np.stack([gradient_x[inner].ravel(), gradient_y[inner].ravel()], axis=1)
    found = np.zeros(2)
    for _ in range(10):
        back = scipy.ndimage.shift(second, -found[::-1], order=5)
        found += np.linalg.lstsq(design, (first - back)[inner].ravel(), rcond=None)[0]
    return found


@pytest.mark.parametrize("scale", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("shift", [(0.35, 0.0), (-0.5, 0.8)])
def test_a_movement_below_a_pixel_survives(scale, shift):
    """A shift of the source by spline interpolation is a shift of the crop, scaled, to a fiftieth of a pixel."""
    picture = cv2.GaussianBlur(skimage.data.astronaut(), (0, 0), 1.0)
    moved = np.stack([scipy.ndimage.shift(picture[..., c].astype(float), shift[::-1], order=5) for c in range(3)], -1)
    moved = np.clip(np.rint(moved), 0, 255).astype(np.uint8)
    size = int(170 * scale)
    turn = np.deg2rad(7)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.hstack([linear, (size / 2 - linear @ [224, 118])[:, None]]).astype(np.float32)
    warp = align.Warp(matrix, size, 512, 512)
    first, second = (cv2.cvtColor(warp(frame), cv2.COLOR_RGB2GRAY).astype(float) for frame in (picture, moved))
    np.testing.assert_allclose(displacement(first, second), linear @ shift, atol=0.02)


def test_fine_texture_does_not_alias_in_a_small_crop():
    stripes = np.zeros((600, 600, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than a crop at a quarter can show: it must turn grey
    matrix = np.array([[0.23, 0, 0], [0, 0.23, 0]], np.float32)
    crop = align.Warp(matrix, 128, 600, 600)(stripes)[10:-10, 10:-10]
    assert np.abs(crop.astype(float) - 127.5).max() < 12


def test_the_window_read_from_the_frame_changes_nothing():
    picture = skimage.data.astronaut()
    matrix = align.similarity(POINTS, align.template(96, 0.3))
    padded = cv2.copyMakeBorder(picture, 200, 100, 300, 100, cv2.BORDER_REPLICATE)
    shifted = matrix.copy()
    shifted[:, 2] -= matrix[:, :2] @ [300, 200]
    one, other = align.Warp(matrix, 96, 512, 512)(picture), align.Warp(shifted, 96, 812, 912)(padded)
    assert np.abs(one.astype(int) - other).max() <= 2


def test_similarity_is_the_least_squares_one():
    rng = np.random.default_rng(1)
    for _ in range(20):
        points, targets = rng.normal(0, 30, (2, 5, 2))
        expected = SimilarityTransform.from_estimate(points, targets).params[:2]
        if np.linalg.det(expected[:, :2]) > 0:
            np.testing.assert_allclose(align.similarity(points, targets), expected, rtol=1e-4, atol=1e-3)


def test_the_videos_of_the_issue(shared):
    from mer_lib.ingest.source import open_source

    folder, detector = shared / "data" / "video", Detector()
    found = crop_clip(open_source(folder / "single_face.mp4", "video"), 0, 30, detector, every=10)
    assert found.probability.min() > 0.99 and np.isfinite(found.landmarks).all()
    with collect() as problems:
        crop_clip(open_source(folder / "face_noface.mov", "video"), 40, 100, detector, every=10)
    assert any("the face leaves" in problem.what for problem in problems)
    with pytest.raises(BadInput, match="the face is gone for more than half"):
        crop_clip(open_source(folder / "face_noface.mov", "video"), 40, 169, detector, every=20)
    with pytest.raises(BadInput, match="no face found in 5 frames looked at"):
        crop_clip(open_source(folder / "no_face.mp4", "video"), 0, 95, detector, every=20)
