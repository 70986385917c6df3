"""Apex spotting on a texture that swells and falls back along a known curve, on drifting frames, on a rendered clip."""

import runpy
import sys
from collections import namedtuple
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mer_lib.problems import BadInput
from mer_lib.spotting import apex as apex_module
from mer_lib.spotting.apex import METHODS, motion_from, spot_apex
from mer_lib.store import Header, Store

Y, X = np.mgrid[:48, :48].astype(float)


def sequence(strengths, noise=0.0):
    """Frames in which the texture inside a soft disc goes to the right by each strength in pixels."""
    rng = np.random.default_rng(0)
    waves, phases = rng.normal(0, 0.35, (40, 2)), rng.uniform(0, 2 * np.pi, 40)
    bump = np.exp(-((X - 24) ** 2 + (Y - 24) ** 2) / (2 * 8**2))
    frames = []
    for strength in strengths:
        x = X - strength * bump
        value = sum(np.cos(a * Y + b * x + p) for (a, b), p in zip(waves, phases, strict=True))
        frames.append(128 + 10 * value + noise * rng.normal(size=X.shape))
    gray = np.clip(frames, 0, 255).round().astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=-1)


def bump_curve(count, apex, width):
    return 2 * np.exp(-((np.arange(count) - apex) ** 2) / (2 * width**2))


@pytest.mark.parametrize("flow", ["dis", "farneback"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("apex", [9, 17, 24])
def test_the_top_of_the_bump_is_found(flow, method, apex):
    found, score = spot_apex(sequence(bump_curve(36, apex, 4)), flow=flow, method=method)
    assert abs(found - apex) <= (1 if method == "returned" else 0)  # what is smoothed leans to the longer side
    assert 0.1 < score < 2  # pixels, the mean over a frame that moves by 2 at most


@pytest.mark.parametrize("method", ["returned", "largest"])
def test_under_noise_it_is_near(method):
    found, _ = spot_apex(sequence(bump_curve(30, 14, 4), noise=2.0), method=method)
    assert abs(found - 14) <= 2


def test_drift_that_is_left_at_the_offset_does_not_draw_the_apex_late():
    """A head that goes on drifting: the largest flow is at the end, where no expression is left."""
    strengths = 0.5 * bump_curve(40, 14, 4) + np.linspace(0, 3, 40)
    frames = sequence(strengths)
    assert spot_apex(frames, method="largest")[0] == 39
    assert abs(spot_apex(frames)[0] - 14) <= 2


def test_a_clip_that_ends_with_its_apex_is_for_the_largest_flow():
    frames = sequence(np.linspace(0, 2, 20))
    assert spot_apex(frames, method="largest")[0] == 19
    assert spot_apex(frames[:3])[0] == 2  # three frames cannot rise and return


def test_halves_go_to_the_larger_sum_of_peaks(monkeypatch):
    """Two peaks on the left outweigh the highest, which stands alone on the right."""
    curve = np.float32([0, 1, 5, 1, 4, 1, 1, 1, 1, 1, 6, 2, 1])
    monkeypatch.setattr(apex_module, "motion_from", lambda *_, **__: curve)
    frames = sequence([0] * len(curve))
    assert spot_apex(frames, method="halves") == (2, 5.0)
    assert spot_apex(frames, method="largest") == (10, 6.0)
    flat = np.float32([0, 3, 3, 3, 1])
    monkeypatch.setattr(apex_module, "motion_from", lambda *_, **__: flat)
    assert spot_apex(frames[:5], method="halves")[0] == 1


@pytest.mark.parametrize("method", METHODS)
def test_the_onset_is_never_the_apex(method):
    """Noise alone: some frame after the onset is named, whatever is left of its flow."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        frames = rng.integers(100, 140, (5, 48, 48, 3), np.uint8)
        for onset in range(4):
            assert onset < spot_apex(frames, onset, method=method)[0] < 5


def test_a_method_that_is_none_is_refused():
    with pytest.raises(BadInput, match="did you mean 'largest'"):
        spot_apex(sequence([0, 1, 0]), method="larges")


def test_frames_before_the_onset_do_not_count():
    strengths = np.concatenate([[3.0, 3.0], bump_curve(20, 8, 4)])
    assert spot_apex(sequence(strengths), 2, method="largest")[0] == 10


def test_the_curve_is_the_motion_from_the_onset():
    frames = sequence([0, 0.5, 1.0, 2.0, 1.0, 0.0])
    curve = motion_from(frames, 0)
    assert curve.shape == (6,) and curve.dtype == np.float32
    assert curve[0] == 0 and curve[5] == 0
    np.testing.assert_allclose(curve[1:5] / curve[3], [0.25, 0.5, 1, 0.5], atol=0.06)


@pytest.mark.parametrize("returned", [False, True])
def test_the_batch_bounds_memory_and_nothing_else(monkeypatch, returned):
    frames = sequence(bump_curve(12, 6, 3))
    whole = motion_from(frames, returned=returned)
    sizes = []

    def watched(first, second, **options):
        sizes.append(len(second))
        return compute(first, second, **options)

    compute = apex_module.compute
    monkeypatch.setattr(apex_module, "compute", watched)
    monkeypatch.setattr(apex_module, "BATCH", 5)
    np.testing.assert_array_equal(motion_from(frames, returned=returned), whole)
    assert sizes == [1] * returned + [5, 5, 1]


def test_the_drift_of_a_long_clip_is_measured_in_batches_too(monkeypatch):
    frames = sequence(0.5 * bump_curve(60, 20, 8) + np.linspace(0, 1, 60))
    whole = motion_from(frames, returned=True)  # the last three are the end
    sizes = []

    def watched(first, second, **options):
        sizes.append(len(second))
        return compute(first, second, **options)

    compute = apex_module.compute
    monkeypatch.setattr(apex_module, "compute", watched)
    monkeypatch.setattr(apex_module, "BATCH", 2)
    np.testing.assert_array_equal(motion_from(frames, returned=True), whole)
    assert sizes[:2] == [2, 1] and max(sizes) == 2


def test_flow_options_are_handed_on():
    frames = sequence([0, 1.0])
    assert motion_from(frames, flow="dis", preset="fine")[1] != motion_from(frames, flow="dis")[1]


def test_the_earliest_of_equal_frames_wins():
    assert spot_apex(sequence([0, 1, 2, 2, 2, 1]), method="largest")[0] == 2


@pytest.mark.parametrize(
    ("strengths", "onset", "says"),
    [
        ([0, 1], 1, "frames after the onset"),
        ([0, 1], 5, "2 frames"),
        ([0, 1], -1, "onset -1"),
        ([1, 1, 1], 0, "no frame differs"),
    ],
)
def test_clips_without_an_apex_are_refused(strengths, onset, says):
    with pytest.raises(BadInput, match=says):
        spot_apex(sequence(strengths), onset)


def test_the_workflow_loses_a_clip_without_an_apex_and_no_other(tmp_path, repository, monkeypatch):
    """A clip in which nothing moves gets no row where apexes are spotted, and is refused by name where one is read."""
    row = namedtuple("row", ("clip", "apex", "type", "fps"), defaults=("micro", 100.0))
    rows = [row("toy/a/still", None), row("toy/a/single", None), row("toy/a/moving", None), row("toy/a/named", 12)]
    clips = {"still": [1, 1, 1], "single": [1], "moving": bump_curve(7, 3, 1), "named": [0, 1, 2]}
    held = {f"toy/a/{name}": {"frames": sequence(strengths), "first": [10]} for name, strengths in clips.items()}
    registered = SimpleNamespace(digest="d", read=lambda clip, name: held[clip][name], names=lambda: ["frames"])
    job = ModuleType("_job")
    job.job, job.opened = (lambda _: nullcontext()), (lambda *_: nullcontext(registered))
    job.shard_rows = lambda *_: rows
    job.apexes = runpy.run_path(str(repository / "workflow/scripts/_job.py"))["apexes"]
    job.header = lambda _, **inputs: Header("motion", "toy", "0000", "recipe", inputs=inputs)
    monkeypatch.setitem(sys.modules, "_job", job)

    def run(script, output, apex):
        made = {"options": {"pairs": "onset_apex", "flow": "dis", "options": {}, "method": "returned"}}
        given = SimpleNamespace(
            params=SimpleNamespace(made=made), input=SimpleNamespace(registered="", apex=apex), output=[output],
            wildcards=SimpleNamespace(pairs="onset_apex"),
        )  # fmt: skip
        runpy.run_path(str(repository / "workflow/scripts" / script), {"snakemake": given})

    run("spot.py", tmp_path / "apex.csv", None)
    found = pd.read_csv(tmp_path / "apex.csv")
    assert found[["clip", "apex"]].to_numpy().tolist() == [["toy/a/moving", 13]]
    run("motion.py", tmp_path / "motion.h5", tmp_path / "apex.csv")
    with Store(tmp_path / "motion.h5") as motion:
        assert motion.clips == ["toy/a/moving", "toy/a/named"]
        assert [p.clip for p in motion.problems] == ["toy/a/still", "toy/a/single"]
        assert all("no apex in the sheet and none to be spotted" in p.what for p in motion.problems)
