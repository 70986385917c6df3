"""Detection against measured truth, and the stand-in for torchvision against the definition."""

import sys

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given
from hypothesis import strategies as st

from mer_lib.faces.detect import Detector
from mer_lib.faces.nms import batched_nms, import_mtcnn


@pytest.fixture(scope="module")
def detector():
    return Detector()


@pytest.fixture(scope="module")
def astronaut():
    return skimage.data.astronaut()


def test_a_real_face_is_found_where_it_is(detector, astronaut):
    """Truth: MTCNN with the real torchvision, smallest face 20 pixels; ours seeks from a tenth of the frame on."""
    ((face,),) = detector(astronaut[None])
    truth = [(205.0, 101.7), (246.8, 103.7), (224.7, 129.0), (201.7, 139.3), (245.3, 141.9)]
    np.testing.assert_allclose(face.landmarks, truth, atol=1)
    np.testing.assert_allclose(face.box, [181.05, 62.16, 267.75, 172.05], atol=3)
    assert face.probability > 0.999


def test_at_the_same_smallest_face_it_is_torchvisions_result(detector, astronaut, monkeypatch):
    monkeypatch.setattr("mer_lib.faces.detect._SMALLEST", 20 / 512)
    ((face,),) = detector(astronaut[None])
    truth = [(205.0, 101.7), (246.8, 103.7), (224.7, 129.0), (201.7, 139.3), (245.3, 141.9)]
    np.testing.assert_allclose(face.landmarks, truth, atol=0.1)
    np.testing.assert_allclose(face.box, [181.05, 62.16, 267.75, 172.05], atol=0.01)
    assert face.probability == pytest.approx(0.999998, abs=1e-6)


def test_a_batch_gives_what_single_frames_give(detector, astronaut):
    frames = np.stack([astronaut, np.zeros_like(astronaut), np.roll(astronaut, 40, axis=1), astronaut])[:, :256, 64:]
    together = detector(frames)
    assert [len(faces) for faces in together] == [1, 0, 1, 1]
    for frame, faces in zip(frames, together, strict=True):
        for one, other in zip(detector(frame[None])[0], faces, strict=True):
            np.testing.assert_allclose(one.landmarks, other.landmarks, atol=0.011)
    again = detector(frames)
    assert all(np.array_equal(a[0].landmarks, b[0].landmarks) for a, b in zip(together, again, strict=True) if a)


def test_batches_are_cut_without_a_trace(detector, astronaut, monkeypatch):
    frames = np.stack([np.roll(astronaut[:256, 64:320], shift, axis=1) for shift in range(5)])
    whole = detector(frames)
    monkeypatch.setattr("mer_lib.faces.detect._PIXELS", 2 * 256 * 256)
    parts = detector(frames)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one[0].landmarks, other[0].landmarks, atol=0.011)


@pytest.mark.parametrize("shape", [(1, 12, 9, 3), (2, 40, 300, 3), (1, 64, 64, 3)])
def test_frames_without_a_face_of_any_size(detector, shape):
    rng = np.random.default_rng(0)
    for frames in (np.full(shape, 255, np.uint8), rng.integers(0, 256, shape, dtype=np.uint8)):
        assert detector(frames) == [[]] * shape[0]


def test_several_faces_largest_first(detector, shared):
    import cv2

    picture = cv2.imread(str(shared / "data" / "video" / "multi_face.jpg"))[..., ::-1]
    (faces,) = detector(np.ascontiguousarray(picture)[None])
    areas = [face.area for face in faces]
    assert len(faces) == 5 and areas == sorted(areas, reverse=True)


def test_the_stand_in_leaves_no_trace(detector):
    try:
        import torchvision  # noqa: F401
    except ImportError:
        assert import_mtcnn().__module__.startswith("facenet_pytorch")
        assert not [name for name in sys.modules if name.split(".")[0] == "torchvision"]
    else:
        pytest.skip("the real torchvision is here")


corner = st.integers(0, 12)
boxes_of = st.lists(st.tuples(corner, corner, corner, corner, st.integers(0, 2)), max_size=25)


def overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common
    return common / union if union else 0.0


@given(boxes_of, st.sampled_from([0.5, 0.7]), st.randoms(use_true_random=False))
def test_suppression_is_what_its_definition_says(rows, threshold, random):
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d, _ in rows]
    groups = [row[4] for row in rows]
    scores = random.sample(range(1000), len(rows))
    kept = []
    for i in sorted(range(len(rows)), key=lambda i: -scores[i]):
        if all(groups[i] != groups[k] or overlap(boxes[i], boxes[k]) <= threshold for k in kept):
            kept.append(i)
    found = batched_nms(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(scores, dtype=torch.float32),
        torch.tensor(groups, dtype=torch.int64),
        threshold,
    )
    assert found.tolist() == kept and found.dtype == torch.int64


def test_suppression_against_torchvision():
    ops = pytest.importorskip("torchvision.ops")
    for seed in range(100):
        rng = np.random.default_rng(seed)
        low = rng.uniform(0, 90, (200, 2))
        boxes = torch.tensor(np.hstack([low, low + rng.uniform(1, 40, (200, 2))]), dtype=torch.float32)
        scores = torch.tensor(rng.uniform(size=200), dtype=torch.float32)
        groups = torch.tensor(rng.integers(0, 4, 200))
        expected = ops.boxes.batched_nms(boxes, scores, groups, 0.5)
        assert batched_nms(boxes, scores, groups, 0.5).tolist() == expected.tolist()
