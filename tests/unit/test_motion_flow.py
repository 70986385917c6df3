"""Optical flow against textures whose motion is known in closed form."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_lib import registry
from mer_lib.motion import flow as flow_module
from mer_lib.motion import opencv
from mer_lib.motion.flow import MIN_SIDE, compute, magnitude, orientation
from mer_lib.motion.gray import to_gray
from mer_lib.motion.pairs import motion_of
from mer_lib.problems import BadInput

FLOWS = list(registry.entries("flow"))
SIZE = 96
Y, X = np.mgrid[:SIZE, :SIZE].astype(float)


def texture(y, x, seed=0):
    """A sum of waves of 5 pixels and more, as grey values at any real position."""
    rng = np.random.default_rng(seed)
    waves, phases = rng.normal(0, 0.3, (50, 2)), rng.uniform(0, 2 * np.pi, 50)
    value = sum(np.cos(a * y + b * x + p) for (a, b), p in zip(waves, phases, strict=True))
    return np.clip(128 + 10 * value, 0, 255).round().astype(np.uint8)


def affine_pair(matrix, shift):
    """A frame, the frame after each point p (from the centre) has gone to ``matrix`` p + ``shift``, and the flow."""
    points = np.stack([X, Y], axis=-1) - (SIZE - 1) / 2
    back = (points - shift) @ np.linalg.inv(matrix).T + (SIZE - 1) / 2
    flow = points @ np.transpose(matrix) + shift - points
    return texture(Y, X), texture(back[..., 1], back[..., 0]), flow


def error(found, truth, border=8):
    """Mean end-point error away from the border, where points leave the frame."""
    return np.linalg.norm(found - truth, axis=-1)[..., border:-border, border:-border].mean()


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("shift", [(0.3, 0.0), (0.0, -0.6), (1.4, 0.9), (-3.0, 2.0)])
def test_translation(flow, shift):
    first, second, truth = affine_pair(np.eye(2), shift)
    assert error(compute(first[None], second[None], flow=flow)[0], truth) < 0.05


@pytest.mark.parametrize("flow", FLOWS)
def test_affine_motion(flow):
    matrix = np.array([[1.02, -0.03], [0.02, 0.98]])
    first, second, truth = affine_pair(matrix, (0.5, -0.4))
    assert np.linalg.norm(truth, axis=-1).mean() > 1
    assert error(compute(first[None], second[None], flow=flow)[0], truth) < 0.1


def test_dis_fine_beats_medium_on_fine_texture():
    first, second, truth = affine_pair(np.array([[1.05, 0.0], [0.0, 0.95]]), (0.0, 0.0))
    fine, medium = (compute(first[None], second[None], flow="dis", preset=p)[0] for p in ("fine", "medium"))
    assert error(fine, truth) < error(medium, truth)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("level", [0, 90, 255])
def test_identical_frames_do_not_move(flow, level):
    frames = np.stack([texture(Y, X), np.full((SIZE, SIZE), level, np.uint8)])
    assert not compute(frames, frames.copy(), flow=flow).any()


@pytest.mark.parametrize("flow", FLOWS)
def test_constant_frames_that_change_light_do_not_move(flow):
    dark, light = np.full((1, SIZE, SIZE), 80, np.uint8), np.full((1, SIZE, SIZE), 120, np.uint8)
    np.testing.assert_array_equal(compute(dark, light, flow=flow), 0)


@pytest.mark.parametrize("flow", FLOWS)
def test_saturated_and_blank_frames_give_finite_flow(flow):
    frames = np.stack([np.where(texture(Y, X) > 128, 255, 0).astype(np.uint8), np.full((SIZE, SIZE), 255, np.uint8)])
    assert np.isfinite(compute(frames, frames[::-1], flow=flow)).all()


@pytest.mark.parametrize("flow", FLOWS)
def test_a_batch_is_its_pairs(flow):
    shifts = [(0.5, 0.0), (0.0, 0.0), (-1.0, 1.0)]
    first, second, _ = (np.stack(part) for part in zip(*[affine_pair(np.eye(2), s) for s in shifts], strict=True))
    together = compute(first, second, flow=flow)
    assert together.shape == (3, SIZE, SIZE, 2)
    assert together.dtype == np.float32
    alone = [compute(a[None], b[None], flow=flow)[0] for a, b in zip(first, second, strict=True)]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("flow", FLOWS)
def test_threads_do_not_change_the_flow_nor_are_they_changed(flow):
    noise = np.random.default_rng(1).integers(0, 255, (2, 1, 128, 128), np.uint8)
    before = cv2.getNumThreads()
    found = []
    try:
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            found.append(compute(*noise, flow=flow))
            assert cv2.getNumThreads() == threads
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("flow", FLOWS)
def test_views_and_read_only_frames_are_fine(flow):
    first, second, _ = affine_pair(np.eye(2), (1.0, 0.0))
    wide = np.repeat(second[None], 3, axis=2)[:, :, ::3]
    np.testing.assert_array_equal(
        compute(np.broadcast_to(first, wide.shape), wide, flow=flow), compute(first[None], second[None], flow=flow)
    )


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(("height", "width"), [(MIN_SIDE, MIN_SIDE), (MIN_SIDE, 201), (131, 17)])
def test_odd_and_narrow_frames_are_fine(flow, height, width):
    first = texture(Y[:1, :1] + np.arange(height)[:, None], X[:1, :1] + np.arange(width))
    found = compute(first[None], np.roll(first, 1, axis=1)[None], flow=flow)
    assert found.shape == (1, height, width, 2)
    assert np.isfinite(found).all()


@settings(max_examples=50, deadline=None)
@given(
    height=st.integers(MIN_SIDE, 70),
    width=st.integers(MIN_SIDE, 200),
    preset=st.sampled_from(["ultrafast", "fast", "medium", "fine"]),
    seed=st.integers(0, 9),
)
def test_dis_takes_any_size_from_the_least_on(height, width, preset, seed):
    first, second = np.random.default_rng(seed).integers(0, 255, (2, 1, height, width), np.uint8)
    if min(height, width) < 32 and "fast" in preset:
        with pytest.raises(BadInput, match="too small for the DIS preset"):
            compute(first, second, flow="dis", preset=preset)
    else:
        assert np.isfinite(compute(first, second, flow="dis", preset=preset)).all()


def test_tvl1_has_opencvs_defaults():
    solver = cv2.optflow.DualTVL1OpticalFlow_create()
    theirs = {
        "tau": solver.getTau(),
        "lambda_": solver.getLambda(),
        "theta": solver.getTheta(),
        "nscales": solver.getScalesNumber(),
        "warps": solver.getWarpingsNumber(),
        "epsilon": solver.getEpsilon(),
        "inner_iterations": solver.getInnerIterations(),
        "outer_iterations": solver.getOuterIterations(),
        "scale_step": solver.getScaleStep(),
        "gamma": solver.getGamma(),
        "median_filtering": solver.getMedianFiltering(),
    }
    assert registry.get("flow", "tvl1_opencv").options == theirs


@pytest.mark.parametrize(
    ("option", "value"), [("lambda_", 0.02), ("nscales", 1), ("warps", 1), ("inner_iterations", 1), ("theta", 0.1)]
)
def test_options_reach_the_solver(option, value):
    first, second, _ = affine_pair(np.eye(2), (2.0, 0.0))
    default = compute(first[None], second[None], flow="tvl1_opencv")
    assert (compute(first[None], second[None], flow="tvl1_opencv", **{option: value}) != default).any()


FRAME = np.zeros((1, 32, 32), np.uint8)


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (FRAME, FRAME[:, :, :24], "different sizes"),
        (FRAME, np.zeros((2, 32, 32), np.uint8), "different sizes"),
        (FRAME, np.zeros((1, 32, 32, 3), np.uint8), "grey"),
        (FRAME[0], FRAME[0], "shape"),
        (np.full((1, 32, 32), np.nan), np.zeros((1, 32, 32)), "NaN"),
        (FRAME.astype(np.float32), FRAME.astype(np.float32), "float32"),
        (FRAME.astype(np.uint16), FRAME.astype(np.uint16), "uint16"),
        (FRAME[:, :, :1], FRAME[:, :, :1], "1×32 pixels"),
    ],
)
def test_bad_pairs_are_refused(first, second, says):
    with pytest.raises(BadInput, match=says):
        compute(first, second, flow="dis")


def test_unknown_names_are_answered_with_near_ones():
    with pytest.raises(BadInput, match="tvl1_opencv"):
        compute(FRAME, FRAME, flow="tvl1_open")
    with pytest.raises(BadInput, match="no option 'tao'"):
        compute(FRAME, FRAME, flow="tvl1_opencv", tao=1)
    with pytest.raises(BadInput, match="medium, fine"):
        compute(FRAME, FRAME + 1, flow="dis", preset="coarse")


@pytest.mark.parametrize(
    ("flow", "options"),
    [
        ("tvl1_opencv", {"nscales": 0}), ("tvl1_opencv", {"median_filtering": 4}), ("tvl1_opencv", {"theta": 0.0}),
        ("farneback", {"pyr_scale": 1.0}), ("farneback", {"winsize": 0}), ("lucas_kanade", {"winsize": 1}),
        ("horn_schunck", {"alpha": 0.0}), ("horn_schunck", {"scale_step": 1.0}), ("horn_schunck", {"scale_step": 0.0}),
        ("horn_schunck", {"warps": 0}), ("horn_schunck", {"nscales": 0}), ("horn_schunck", {"iterations": 0}),
        ("horn_schunck", {"contrast": -1.0}), ("horn_schunck", {"alpha": np.nan}), ("black_anandan", {"warps": -1}),
        ("black_anandan", {"sigma_data": 0.0}), ("black_anandan", {"sigma_smooth": 0.0}),
        ("black_anandan", {"start": 0.0}), ("black_anandan", {"start": -8.0}),
    ],
)  # fmt: skip
def test_options_that_lead_nowhere_are_refused(flow, options):
    """In one line, and neither as an error of OpenCV nor as a flow of NaN."""
    with pytest.raises(BadInput) as refused:
        compute(*np.random.default_rng(0).integers(0, 255, (2, 1, 64, 64), np.uint8), flow=flow, **options)
    assert "\n" not in str(refused.value)


def test_methods_never_get_more_pixels_than_memory_is_planned_for(monkeypatch):
    first, second = np.random.default_rng(0).integers(0, 255, (2, 7, 32, 32), np.uint8)
    whole, given = compute(first, second, flow="dis"), []

    def spy(a, b, *, preset, refinements):
        given.append(len(a))
        return opencv.dis(a, b, preset=preset, refinements=refinements)

    monkeypatch.setattr(flow_module, "MAX_PIXELS", 3 * 32 * 32 + 5)
    monkeypatch.setattr(registry.Entry, "load", lambda entry: spy)
    np.testing.assert_array_equal(compute(first, second, flow="dis"), whole)
    assert given == [3, 3, 1]


def test_gigantic_frames_are_refused():
    frame = np.broadcast_to(np.zeros((1, 1, 1), np.uint8), (1, 5000, 5000))
    with pytest.raises(BadInput, match="5000×5000 pixels; crop them to the face"):
        compute(frame, frame, flow="dis")


def test_lucas_kanade_gives_up_where_nothing_is_to_be_seen():
    first, second, truth = affine_pair(np.eye(2), (1.0, 0.5))
    flat = (X > 60) & (Y > 40)
    first, second = (np.where(flat, 128, frame).astype(np.uint8) for frame in (first, second))
    found = compute(first[None], second[None], flow="lucas_kanade", winsize=7, max_level=0)[0]
    assert not found[50:-8, 70:-8].any()
    assert error(found[:, :50], truth[:, :50]) < 0.1


def test_dis_presets_are_opencvs_and_more_refinement_is_another_flow():
    first, second, _ = affine_pair(np.array([[1.03, 0.0], [0.02, 0.97]]), (0.4, 0.0))
    for preset, theirs in (("ultrafast", 0), ("fast", 1), ("medium", 2)):
        solver = cv2.DISOpticalFlow_create(theirs)
        found = compute(first[None], second[None], flow="dis", preset=preset)[0]
        np.testing.assert_array_equal(found, solver.calc(first, second, None))
    usual, more = (compute(first[None], second[None], flow="dis", refinements=r) for r in (5, 20))
    assert (usual != more).any()


def test_magnitude_and_orientation_of_eight_directions():
    angles = np.linspace(-np.pi, np.pi, 9)[1:]
    field = (2.5 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)).astype(np.float32).reshape(2, 4, 1, 2)
    np.testing.assert_allclose(magnitude(field), 2.5, rtol=1e-6)
    np.testing.assert_allclose(orientation(field).ravel(), angles, atol=1e-6)
    assert magnitude(field).dtype == orientation(field).dtype == np.float32
    right, down = np.array([[[1.0, 0.0]]]), np.array([[[0.0, 1.0]]])
    assert orientation(right) == 0 and orientation(down) == np.pi / 2
    assert orientation(np.zeros((1, 1, 2))) == magnitude(np.zeros((1, 1, 2))) == 0
    for measure in (magnitude, orientation):
        with pytest.raises(BadInput, match="give flow"):
            measure(np.zeros((4, 4, 3)))


def test_no_pairs_no_flow():
    assert compute(FRAME[:0], FRAME[:0], flow="dis").shape == (0, 32, 32, 2)


def test_grey_is_luma_and_frames_do_not_mix():
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 17, 11, 3), np.uint8)
    luma = frames @ np.array([0.299, 0.587, 0.114])
    assert np.abs(to_gray(frames) - luma).max() <= 0.51
    np.testing.assert_array_equal(to_gray(frames)[1, 2], to_gray(frames[1, 2]))
    assert to_gray(frames[:0]).shape == (0, 3, 17, 11)
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert (to_gray(red) == 76).all()  # 29 would be blue: channels swapped


@pytest.mark.parametrize("frames", [np.zeros((4, 4), np.uint8), np.zeros((2, 4, 4, 4), np.uint8), np.zeros((4, 4, 3))])
def test_grey_of_other_things_is_refused(frames):
    with pytest.raises(BadInput, match="8-bit RGB"):
        to_gray(frames)


def test_pairs_are_of_neighbours_or_of_onset_and_apex():
    frames = np.stack([np.repeat(texture(Y, X - shift)[..., None], 3, axis=-1) for shift in (0, 0.5, 1.5)])
    neighbours, apex = motion_of(frames, None, flow="dis"), motion_of(frames, 2, flow="dis")
    assert neighbours["pair"].tolist() == [[0, 1], [1, 2]] and apex["pair"].tolist() == [[0, 2]]
    np.testing.assert_allclose(neighbours["flow"][..., 8:-8, 8:-8, 0].mean(axis=(1, 2)), [0.5, 1.0], atol=0.05)
    np.testing.assert_allclose(apex["flow"][0, 8:-8, 8:-8, 0].mean(), 1.5, atol=0.05)


@pytest.mark.parametrize("apex", [None, 0, 3])
def test_motion_of_one_frame_is_refused(apex):
    with pytest.raises(BadInput, match="one frame, and motion is between two; check onset and offset"):
        motion_of(np.zeros((1, SIZE, SIZE, 3), np.uint8), apex, flow="dis")


@pytest.mark.parametrize("apex", [0, 3, -1])
def test_an_apex_that_is_the_onset_or_outside_is_refused(apex):
    with pytest.raises(BadInput, match=f"the apex is frame {apex} of 3 from the onset"):
        motion_of(np.zeros((3, SIZE, SIZE, 3), np.uint8), apex, flow="dis")
