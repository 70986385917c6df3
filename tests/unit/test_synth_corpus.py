"""The embedded corpus as it is filmed: movements of the size asked for, exact truth, the same bytes again."""

import hashlib

import cv2
import numpy as np
import pandas as pd
import pytest

from mer_lib import store
from mer_lib.corpora.synthetic import index
from mer_lib.render.scene import Renderer
from mer_lib.synth import acting, corpus, dynamics, filming

SIZE, SEED = 128, 3
CLASSES = ("negative", "positive", "surprise")
HEADER = store.Header(stage="corpus", corpus="synthetic", shard="s01", recipe="test")


def table(subjects=1, clips=4) -> pd.DataFrame:
    return index("nowhere", name="synthetic", classes=CLASSES, subjects=subjects, clips=clips, seed=SEED)


@pytest.fixture(scope="module")
def studio():
    return corpus.make_studio("synthetic/s01", seed=SEED, size=SIZE)


@pytest.fixture(scope="module")
def rows():
    return list(table().itertuples())


@pytest.fixture(scope="module")
def truths(rows, studio):
    return [corpus.truth(row, corpus.plan(row, studio, seed=SEED), studio) for row in rows]


def pixels(vertices, pose, focal, size):
    """A pinhole, written out."""
    seen = vertices @ pose[:3, :3].T + pose[:3, 3]
    return focal * seen[:, :2] / seen[:, 2:] + (size - 1) / 2


@pytest.mark.parametrize("strength", [1.0, 2.0, 3.0, 12.0])
def test_largest_movement_of_the_units_is_what_was_asked_for(rows, studio, strength, monkeypatch):
    monkeypatch.setattr(acting, "IDLE_PIXELS", 0.0)
    for row in rows:
        take = corpus.plan(row, studio, seed=SEED, strength=(strength, strength))
        onset, apex = int(row.onset), int(row.apex)
        weights = take.weights[[onset, apex]].copy()
        weights[:, acting.UNITS.index(45)] = 0  # a blink is none of it
        moved = studio.person.turn(studio.person.deform(weights), *take.motion.angles[[onset, onset]].T)
        a, b = (pixels(v, take.motion.poses[onset], studio.camera.focal, SIZE) for v in moved)
        length = np.linalg.norm(b - a, axis=1)[studio.skin]
        assert length.max() == pytest.approx(strength, rel=0.02)


def test_units_of_the_sheet_move_and_their_sides(studio, rows, monkeypatch):
    monkeypatch.setattr(acting, "IDLE_PIXELS", 0.0)
    monkeypatch.setattr(dynamics, "BLINKS_PER_SECOND", 0.0)
    row = rows[0]._replace(action_units="6+L12")
    take = corpus.plan(row, studio, seed=SEED)
    rise = take.weights[int(row.apex)] - take.weights[int(row.onset)]
    assert {acting.UNITS[a] for a in np.flatnonzero(rise.max(axis=1) > 1e-6)} == {6, 12}
    left, right = rise[acting.UNITS.index(12)]
    assert right < 0.3 * left
    left, right = rise[acting.UNITS.index(6)]
    assert 0.5 < left / right < 2


def test_large_movements_stay_outside_the_interval(studio, rows, monkeypatch):
    row = rows[0]._replace(frames=100, onset=30, apex=50, offset=70)
    monkeypatch.setattr(dynamics, "MACRO_CHANCE", 1.0)
    moved = corpus.plan(row, studio, seed=SEED).weights
    monkeypatch.setattr(dynamics, "MACRO_CHANCE", 0.0)
    still = corpus.plan(row, studio, seed=SEED).weights
    difference = np.abs(moved - still).max(axis=(1, 2))
    assert not difference[30:71].any() and difference.max() > 0.05


def test_exact_flow_is_where_the_landmarks_go(rows, truths):
    for row, truth in zip(rows, truths, strict=True):
        here, there = truth["landmarks"][int(row.onset)], truth["landmarks"][int(row.apex)]
        column, line = np.rint(here[17:]).astype(int).T  # brows, nose, eyes and mouth; the jaw's are at the silhouette
        flow = truth["flow"][0, line, column]
        error = np.linalg.norm(flow - (there - here)[17:], axis=1)
        assert np.median(error) < 0.05
        assert np.mean(error < 0.25) > 0.8  # a lid's or lip's pixel may belong to the eye or the other lip


def test_truth_is_whole_and_in_its_units(rows, truths, studio):
    for row, truth in zip(rows, truths, strict=True):
        frames = int(row.frames)
        assert all(array.dtype == np.float32 for array in truth.values())
        assert truth["action_units"].shape == (frames, len(acting.UNITS), 2)
        assert truth["landmarks"].shape == (frames, 68, 2) and truth["head"].shape == (frames, 6)
        assert truth["depth"].shape == (2, SIZE, SIZE) and truth["flow"].shape == (1, SIZE, SIZE, 2)
        face = truth["depth"] > 0
        assert np.array_equal(np.isfinite(truth["flow"][0]).all(axis=-1), face[0])
        assert 0.3 < face.mean() < 0.9
        assert np.all(np.abs(truth["depth"][face] - filming.DISTANCE) < 0.35)
        right_eye, left_eye = truth["landmarks"][0, 36:42].mean(axis=0), truth["landmarks"][0, 42:48].mean(axis=0)
        assert left_eye[0] - right_eye[0] == pytest.approx(filming.EYES * SIZE, rel=0.1)
        assert right_eye[1] == pytest.approx(SIZE / 2 - filming.HEIGHT * truth["focal"][0], abs=0.06 * SIZE)


def test_written_twice_is_the_same_bytes_and_reads_back_exactly(tmp_path, studio, rows):
    two = table(clips=2)
    for folder in ("a", "b"):
        assert corpus.write_subject(tmp_path / folder, two, HEADER, seed=SEED, size=SIZE) == []
    names = ["annotation.csv", "s01_01.avi", "s01_02.avi", "truth.h5"]
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == names
    digests = [[hashlib.sha256((tmp_path / f / n).read_bytes()).hexdigest() for n in names] for f in "ab"]
    assert digests[0] == digests[1]

    take = corpus.plan(rows[0], studio, seed=SEED)
    with Renderer(studio.camera, studio.person.surface) as renderer:
        filmed = np.stack(list(corpus.film(take, studio, renderer, seed=SEED)))
    assert np.array_equal(read(tmp_path / "a" / "s01_01.avi"), filmed)
    with store.Store(tmp_path / "a" / "truth.h5") as truth:
        assert truth.clips == list(two["clip"])
        assert np.array_equal(truth.read(rows[0].clip, "action_units"), take.weights)


def read(path):
    video, frames = cv2.VideoCapture(str(path)), []
    assert video.get(cv2.CAP_PROP_FPS) == 200
    while (got := video.read())[0]:
        frames.append(cv2.cvtColor(got[1], cv2.COLOR_BGR2RGB))
    return np.stack(frames)


def test_a_clip_is_the_same_in_a_larger_corpus(studio, rows):
    larger = next(table(subjects=3, clips=6).itertuples())
    a, b = corpus.plan(rows[0], studio, seed=SEED), corpus.plan(larger, studio, seed=SEED)
    for name in ("weights", "gaze", "brightness"):
        assert np.array_equal(getattr(a, name), getattr(b, name))
    assert np.array_equal(a.motion.poses, b.motion.poses) and np.array_equal(a.motion.angles, b.motion.angles)


def test_clips_of_a_subject_differ_and_another_seed_is_another_clip(studio, rows):
    first, second = (corpus.plan(row, studio, seed=SEED) for row in rows[:2])
    assert not np.array_equal(first.motion.poses[0], second.motion.poses[0])
    assert not np.array_equal(first.gaze, corpus.plan(rows[0], studio, seed=SEED + 1).gaze)


def test_sheet_counts_from_one_as_labs_do():
    rows = table(subjects=2)
    found = corpus.sheet(rows)
    assert list(found.columns) == [
        "Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion",
    ]  # fmt: skip
    assert (found["ApexFrame"] - rows["apex"] == 1).all() and (found["OnsetFrame"] >= 1).all()
    assert set(found["Subject"]) == {"s01", "s02"}


def test_head_drifts_by_pixels_not_by_its_width():
    camera = filming.lens(256)
    nose = np.array([[0.0, -0.03, 0.03]])
    travelled = []
    for i in range(200):
        motion = filming.head_motion(66, 200.0, np.random.default_rng(i))
        seen = camera.project(nose, motion.poses)[:, 0, :2]
        travelled.append(np.linalg.norm(np.ptp(seen, axis=0)))
        assert np.ptp(motion.angles, axis=0).max() < 4
    assert 0.3 < np.median(travelled) < 3 and max(travelled) < 10


def test_mains_flicker_is_seen_at_200_frames_a_second():
    light = np.stack([filming.brightness(100, 200.0, np.random.default_rng(i)) for i in range(100)])
    alternating = np.abs(np.mean(np.diff(light, axis=1) * (-1) ** np.arange(99), axis=1)) / 2
    assert 0.002 < np.median(alternating) < filming.FLICKER[1]
    assert np.abs(light - 1).max() < filming.FLICKER[1] + filming.LIGHT_DRIFT


def test_sensor_noise_grows_with_light_and_is_never_the_same():
    sensor = filming.Sensor(np.random.default_rng(0))
    spread = []
    for grey in (40, 200):
        shots = np.stack([sensor.expose(np.full((64, 64, 3), grey, np.uint8), 1.0) for _ in range(8)]).astype(float)
        assert shots.mean() == pytest.approx(grey, abs=0.5)
        spread.append(shots.std(axis=0).mean())
    assert 0.3 < spread[0] < spread[1] < 2.5
    # a tenth more light: 2.4 grey levels up at 50, as roots of light
    brighter = sensor.expose(np.full((64, 64, 3), 50, np.uint8), 1.1).mean()
    assert brighter == pytest.approx(50 * np.sqrt(1.1), abs=0.5)
