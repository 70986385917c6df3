"""Curves of the embedded faces: where they peak, where they are zero, and how often something happens."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_lib.problems import BadInput
from mer_lib.synth import dynamics


@st.composite
def intervals(draw):
    onset = draw(st.integers(0, 30))
    apex = onset + draw(st.integers(1, 60))
    offset = apex + draw(st.integers(1, 60))
    return offset + 1 + draw(st.integers(0, 40)), onset, apex, offset, draw(st.integers(0, 2**32))


@given(intervals())
@settings(max_examples=200, deadline=None)
def test_intensity_peaks_at_the_apex_and_nowhere_else(case):
    frames, onset, apex, offset, seed = case
    course = dynamics.intensity(frames, onset, apex, offset, np.random.default_rng(seed))
    assert course.shape == (frames,) and course.dtype == np.float32
    assert course[apex] == 1 and np.delete(course, apex).max() < 1
    assert not course[: onset + 1].any() and not course[offset:].any()
    assert (course[onset + 1 : offset] > 0).all()


def test_intensity_rises_and_falls_without_jumps_and_never_alike():
    courses = [dynamics.intensity(100, 10, 45, 90, np.random.default_rng(i)) for i in range(50)]
    assert max(np.abs(np.diff(c)).max() for c in courses) < 0.12
    assert np.std([c[30] for c in courses]) > 0.05  # each its own rise
    # asymmetric: the course is not its own mirror image about the apex
    assert np.mean([np.abs(c[10:45] - c[80:45:-1]).max() for c in courses]) > 0.05


def test_late_onsets_keep_the_clips_own_onset():
    for seed in range(50):
        starts = dynamics.late_onsets(4, 10, 30, np.random.default_rng(seed))
        assert starts.min() == 10 and starts.max() < 30


def test_streams_are_named_not_counted():
    draw = dynamics.stream(1, "synthetic/s01/s01_01", "head").random(3)
    assert np.array_equal(draw, dynamics.stream(1, "synthetic/s01/s01_01", "head").random(3))
    for other in (
        (2, "synthetic/s01/s01_01", "head"),
        (1, "synthetic/s01/s01_02", "head"),
        (1, "synthetic/s01/s01_01", "x"),
    ):
        assert not np.array_equal(draw, dynamics.stream(*other).random(3))


def test_units_are_read_as_sheets_write_them():
    assert dynamics.parse_units("6+L12") == {6: (1, 1), 12: (1, 0)}
    assert dynamics.parse_units("R2") == {2: (0, 1)}
    with pytest.raises(BadInput, match="6 or 12"):
        dynamics.parse_units("(6 or 12)")


def test_blinks_come_at_the_rate_of_resting_eyes():
    clips = [dynamics.blink(66, 200.0, np.random.default_rng(i)) for i in range(4000)]
    share = np.mean([c.max() > 0.02 for c in clips])
    # a blink of 0.225 s overlaps a clip of 0.33 s if it starts within 0.555 s: 1 − exp(−0.3 · 0.555) = 0.153
    assert share == pytest.approx(0.15, abs=0.03)
    assert all(c.min() >= 0 and c.max() <= 1 for c in clips)


def test_gaze_holds_still_but_for_saccades():
    tracks = np.stack([dynamics.gaze(60, 200.0, np.random.default_rng(i)) for i in range(500)])
    travelled = np.linalg.norm(np.ptp(tracks, axis=1), axis=1)
    assert tracks.shape == (500, 60, 2)
    assert 0.1 < np.mean(travelled > 1.0) < 0.35  # 1 − exp(−0.3) = 0.26, most of them over 1°


@given(intervals())
@settings(max_examples=300, deadline=None)
def test_macro_movement_stays_outside_the_interval(case):
    frames, onset, _, offset, seed = case
    units, course = dynamics.macro(frames, 200.0, onset, offset, np.random.default_rng(seed))
    assert not course[onset : offset + 1].any()
    if units:
        assert course.max() > 0 and max(onset, frames - 1 - offset) >= dynamics.MACRO_FEWEST_SECONDS * 200
    else:
        assert not course.any()


def test_macro_movement_happens_where_there_is_room():
    happened = [bool(dynamics.macro(100, 200.0, 5, 60, np.random.default_rng(i))[0]) for i in range(400)]
    assert np.mean(happened) == pytest.approx(dynamics.MACRO_CHANCE, abs=0.1)


def test_wandering_keeps_its_rates_whatever_the_clip_is_long():
    for frames in (30, 100, 2000):
        w = dynamics.wander(frames, 200.0, np.random.default_rng(0), hertz=(0.5, 1.0), width=200)
        assert w.shape == (frames, 200) and np.abs(w).max() <= 1
        speed = np.abs(np.diff(w, axis=0)).max() * 200
        assert speed <= 2 * np.pi * 1.0  # three sines of at most 1 Hz, averaged
