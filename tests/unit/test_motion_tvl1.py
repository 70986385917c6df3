"""Our TV-L1 against motion in closed form, against OpenCV's with the same settings, and compiled against torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_lib import registry
from mer_lib.motion import tvl1_kernels
from mer_lib.motion.flow import MIN_SIDE, compute
from mer_lib.motion.tvl1_energy import Settings
from mer_lib.motion.tvl1_torch import solve
from mer_lib.problems import BadInput
from mer_lib.synth.pairs import exact_pairs

OURS = ["tvl1", "tvl1_torch"]
DEFAULTS = registry.get("flow", "tvl1").options
# Zach's energy and nothing else, with OpenCV's defaults.
ZACH = {
    **{name: value for name, value in registry.get("flow", "tvl1_opencv").options.items() if name != "gamma"},
    "constancy": "brightness",
    "huber": 0.0,
    "presmooth": 0.0,
}
SIZE = 96
Y, X = np.mgrid[:SIZE, :SIZE].astype(float)


def texture(y, x, seed=0):
    """A sum of waves of 5 pixels and more, as real grey values at any real position."""
    rng = np.random.default_rng(seed)
    waves, phases = rng.normal(0, 0.3, (50, 2)), rng.uniform(0, 2 * np.pi, 50)
    return 128 + 10 * sum(np.cos(a * y + b * x + p) for (a, b), p in zip(waves, phases, strict=True))


def grey(picture, noise=0.0, seed=0):
    picture = picture + noise * np.random.default_rng(seed).normal(size=picture.shape)
    return np.clip(picture, 0, 255).round().astype(np.uint8)


def bump(amount, seed=0, noise=0.0):
    """A pair that a smooth bump moves by up to ``amount`` pixels on a still ground, and its flow."""
    rng = np.random.default_rng(seed)
    centre, angle = rng.uniform(0.35, 0.65, 2) * SIZE, rng.uniform(0, 2 * np.pi)
    towards = amount * np.array([np.cos(angle), np.sin(angle)])
    near = lambda y, x: np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * (SIZE / 7) ** 2))  # noqa: E731
    y, x = Y.copy(), X.copy()
    for _ in range(30):  # where each point of the second frame came from
        y, x = Y - towards[1] * near(y, x), X - towards[0] * near(y, x)
    flow = near(Y, X)[..., None] * towards
    return grey(texture(Y, X, seed), noise, seed), grey(texture(y, x, seed), noise, seed + 1), flow


def batch(pairs):
    return (np.stack(part) for part in zip(*pairs, strict=True))


def error(found, truth, mask=True):
    distance = np.linalg.norm(found - truth, axis=-1)
    return distance[np.broadcast_to(mask, distance.shape) & np.isfinite(distance)].mean()


@pytest.fixture(scope="module")
def faces():
    """Rendered pairs with sensor noise: movements of 1 and of 3 pixels, the latter in changing light."""
    return [exact_pairs(2, amount=1.0, drift=0.5), exact_pairs(2, amount=3.0, light=0.05)]


@pytest.mark.parametrize("amount", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_with_opencvs_settings_it_is_as_exact_as_opencv_on_a_bump(amount, noise):
    first, second, truth = batch([bump(amount, seed, noise) for seed in range(3)])
    moving = np.linalg.norm(truth, axis=-1) > amount / 4
    ours, theirs = compute(first, second, flow="tvl1", **ZACH), compute(first, second, flow="tvl1_opencv")
    assert error(ours, truth) <= error(theirs, truth)
    assert error(ours, truth, moving) <= error(theirs, truth, moving)


def test_with_opencvs_settings_it_is_as_exact_as_opencv_on_faces_and_by_default_more_so(faces):
    for pairs in faces:
        theirs = compute(*pairs.grey, flow="tvl1_opencv")
        same, default = compute(*pairs.grey, flow="tvl1", **ZACH), compute(*pairs.grey, flow="tvl1")
        for mask in (pairs.face, pairs.moving):
            assert error(same, pairs.flow, mask) <= error(theirs, pairs.flow, mask)
            assert error(default, pairs.flow, mask) <= 0.8 * error(theirs, pairs.flow, mask)


def test_the_default_is_as_exact_as_the_best_of_dis_on_faces(faces):
    for pairs in faces:
        dis, ours = compute(*pairs.grey, flow="dis", preset="fine"), compute(*pairs.grey, flow="tvl1")
        assert error(ours, pairs.flow, pairs.face) <= error(dis, pairs.flow, pairs.face)
        assert error(ours, pairs.flow, pairs.moving) <= error(dis, pairs.flow, pairs.moving)


@pytest.mark.parametrize("flow", OURS)
def test_a_shadow_over_still_skin_hardly_moves_the_gradient(flow):
    first, second = grey(texture(Y, X))[None], grey(texture(Y, X) + 20 * X / SIZE)[None]
    assert np.linalg.norm(compute(first, second, flow=flow), axis=-1).mean() < 0.03
    assert np.linalg.norm(compute(first, second, flow=flow, constancy="brightness"), axis=-1).mean() > 0.3


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"median_filtering": 3, "warps": 1},
        {"median_filtering": 5, "scale_step": 0.5},
        {"huber": 0.0, "presmooth": 0.0},
        {"epsilon": 0.02, "outer_iterations": 3, "inner_iterations": 5},
        {"constancy": "brightness", "lambda_": 0.15, "theta": 0.3, "inner_iterations": 20},
    ],
)
def test_torch_and_compiled_code_agree(options):
    """To rounding, which targets that fall between two steps of the warp turn into up to a tenth of a pixel."""
    first, second, _ = batch([bump(1.5, 0, 1.0), bump(0.4, 1, 1.0), bump(4.0, 2)])
    compiled, torched = (compute(first, second, flow=flow, **options) for flow in OURS)
    apart = np.abs(compiled - torched)
    assert apart.mean() < 1e-3
    assert np.quantile(apart, 0.999) < 0.05


def test_torch_has_the_same_options():
    assert registry.get("flow", "tvl1_torch").options == DEFAULTS


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_torch_on_cuda_is_torch_on_cpu():
    first, second, _ = batch([bump(1.5, seed, 1.0) for seed in range(4)])
    cpu, cuda = (solve(first, second, Settings(**DEFAULTS), device) for device in ("cpu", "cuda"))
    assert np.abs(cpu - cuda).mean() < 5e-4


@pytest.mark.parametrize("flow", OURS)
def test_a_pair_is_the_same_bytes_in_every_batch_and_after_every_other(flow):
    pairs = [bump(amount, seed) for seed, amount in enumerate((0.3, 3.0, 1.0))]
    first, second, _ = batch(pairs)
    still = np.array([0, 1, 2, 1, 0])
    together = compute(first[still], second[still], flow=flow, epsilon=0.02)
    for n, k in enumerate(still):
        alone = compute(first[k : k + 1], second[k : k + 1], flow=flow, epsilon=0.02)[0]
        np.testing.assert_array_equal(together[n], alone)


def test_a_batch_beyond_what_torch_takes_at_once_is_its_parts(monkeypatch):
    first, second, _ = batch([bump(1.0, seed) for seed in range(3)])
    whole = compute(first, second, flow="tvl1_torch")
    monkeypatch.setattr("mer_lib.motion.tvl1_torch.PIXELS", {"cpu": 2 * SIZE**2, "cuda": 2 * SIZE**2})
    np.testing.assert_array_equal(compute(first, second, flow="tvl1_torch"), whole)


@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(MIN_SIDE, 70),
    width=st.integers(MIN_SIDE, 200),
    constancy=st.sampled_from(["gradient", "brightness"]),
    seed=st.integers(0, 9),
)
def test_any_size_and_noise_give_finite_flow_and_rows_are_as_columns(height, width, constancy, seed):
    """Rows and columns are stored and closed at the border in different ways: transposed frames tell them apart."""
    first, second = np.random.default_rng(seed).integers(0, 255, (2, 1, height, width), np.uint8)
    found = compute(first, second, flow="tvl1", constancy=constancy)
    assert np.isfinite(found).all()
    turned = compute(first.swapaxes(1, 2), second.swapaxes(1, 2), flow="tvl1", constancy=constancy)
    apart = np.abs(found - turned.swapaxes(1, 2)[..., ::-1])
    assert np.median(apart) < 1e-3


def test_saturated_frames_and_frames_without_texture_give_no_nan():
    blank, stripes = np.full((SIZE, SIZE), 255, np.uint8), np.where(X % 8 < 4, 255, 0).astype(np.uint8)
    first, second = np.stack([blank, stripes, stripes]), np.stack([stripes, blank, np.roll(stripes, 1, axis=1)])
    for flow in OURS:
        assert np.isfinite(compute(first, second, flow=flow)).all()


def test_all_rows_of_a_span_meet_the_next_spans(monkeypatch):
    """Frames of more pixels than one pass covers are solved as torch solves them, without seams."""
    y, x = np.mgrid[:160, :120].astype(float)
    assert y.size > 2 * tvl1_kernels.SPAN
    first, second = grey(texture(y, x))[None], grey(texture(y - 0.7, x + 0.4))[None]
    compiled, torched = (compute(first, second, flow=flow, nscales=1, warps=1) for flow in OURS)
    assert np.abs(compiled - torched).max() < 1e-3


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("constancy", "colour"), ("tau", 0.0), ("lambda_", -1.0), ("theta", 0.0), ("nscales", 0), ("scale_step", 1.0),
        ("warps", 0), ("epsilon", -0.1), ("inner_iterations", 0), ("outer_iterations", 0), ("median_filtering", 4),
        ("huber", -0.1), ("presmooth", 50.0),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(option, value):
    with pytest.raises(BadInput, match=f"{option} = {value!r}"):
        compute(*np.random.default_rng(0).integers(0, 255, (2, 1, 32, 32), np.uint8), flow="tvl1", **{option: value})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("constancy", "brightness"), ("tau", 0.1), ("lambda_", 0.05), ("theta", 0.1), ("nscales", 2),
        ("scale_step", 0.5), ("warps", 1), ("epsilon", 0.1), ("inner_iterations", 3), ("outer_iterations", 2),
        ("median_filtering", 5), ("huber", 0.2), ("presmooth", 0.0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("flow", OURS)
def test_every_option_reaches_the_solver(flow, option, value):
    first, second, _ = bump(2.0, noise=1.0)
    default = compute(first[None], second[None], flow=flow)
    assert (compute(first[None], second[None], flow=flow, **{option: value}) != default).any()
