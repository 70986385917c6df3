"""Horn–Schunck and Black–Anandan: the solver against least squares, the rest against closed forms."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.registration import optical_flow_ilk

from mer_lib.motion.contrast import STRENGTH, normalise
from mer_lib.motion.flow import compute
from mer_lib.motion.variational import derivative, pyramid, relax, warp

OWN = ("horn_schunck", "black_anandan")
SIZE = 96
Y, X = np.mgrid[:SIZE, :SIZE].astype(np.float64)


def texture(y, x, seed=0):
    """A sum of waves of 5 pixels and more, as grey values at any real position."""
    rng = np.random.default_rng(seed)
    waves, phases = rng.normal(0, 0.3, (50, 2)), rng.uniform(0, 2 * np.pi, 50)
    value = sum(np.cos(a * y + b * x + p) for (a, b), p in zip(waves, phases, strict=True))
    return np.clip(128 + 10 * value, 0, 255).round().astype(np.uint8)


def pair(matrix, shift=(0.0, 0.0), seed=0):
    """A frame, the frame after each point p (from the centre) has gone to ``matrix`` p + ``shift``, and the flow."""
    points = np.stack([X, Y], axis=-1) - (SIZE - 1) / 2
    back = (points - shift) @ np.linalg.inv(matrix).T + (SIZE - 1) / 2
    return (
        texture(Y, X, seed),
        texture(back[..., 1], back[..., 0], seed),
        points @ np.transpose(matrix) + shift - points,
    )


def solve(first, second, flow, **options):
    return compute(first[None], second[None], flow=flow, **options)[0]


def error(found, truth, border=8):
    return np.linalg.norm(found - truth, axis=-1)[border:-border, border:-border].mean()


@pytest.mark.parametrize("seed", [0, 1])
def test_over_relaxation_ends_at_the_least_squares_solution(seed):
    height, width = 9, 12
    rng = np.random.default_rng(seed)
    ix, iy, it = rng.normal(0, 3, (3, height, width)).astype(np.float32)
    data = rng.uniform(0.2, 1, (height, width)).astype(np.float32)
    data[:, :2] = 0  # no data: smoothness alone fills in
    edges = [rng.uniform(0.1, 1, (height - down, width - 1 + down)).astype(np.float32) for _ in "uv" for down in (0, 1)]
    alpha = 2.5
    u, v = np.zeros((2, height, width), np.float32)
    relax(u, v, ix, iy, it, data, *edges, np.float32(alpha**2), 600)

    at = np.arange(height * width).reshape(height, width)
    rows, goal = [], []
    for i in range(height):
        for j in range(width):
            row = np.zeros(2 * at.size)
            row[at[i, j]], row[at.size + at[i, j]] = ix[i, j], iy[i, j]
            rows.append(np.sqrt(data[i, j]) * row)
            goal.append(-np.sqrt(data[i, j]) * it[i, j])
    for part, (right, below) in enumerate((edges[:2], edges[2:])):
        for weights, near, far in ((right, at[:, :-1], at[:, 1:]), (below, at[:-1], at[1:])):
            for weight, a, b in zip(weights.ravel(), near.ravel(), far.ravel(), strict=True):
                row = np.zeros(2 * at.size)
                row[part * at.size + b], row[part * at.size + a] = alpha * np.sqrt(weight), -alpha * np.sqrt(weight)
                rows.append(row)
                goal.append(0.0)
    expected = np.linalg.lstsq(np.array(rows), np.array(goal), rcond=None)[0]
    np.testing.assert_allclose(np.stack([u, v]).ravel(), expected, atol=1e-4)


@pytest.mark.parametrize("flow", OWN)
@pytest.mark.parametrize(
    "matrix",
    [
        np.array([[np.cos(0.04), -np.sin(0.04)], [np.sin(0.04), np.cos(0.04)]]),  # 2.3°: 2 px at the edge
        np.array([[1.04, 0.0], [0.0, 1.04]]),
        np.array([[1.0, 0.04], [0.0, 1.0]]),
    ],
    ids=["rotation", "zoom", "shear"],
)
def test_fields_known_in_closed_form(flow, matrix):
    first, second, truth = pair(matrix)
    found = error(solve(first, second, flow), truth)
    assert found < 0.06
    v, u = optical_flow_ilk(first / 255, second / 255, radius=7)
    assert found < 1.5 * error(np.stack([u, v], axis=-1), truth)


@pytest.mark.parametrize("flow", OWN)
def test_a_pyramid_follows_what_one_level_loses(flow):
    first, second, truth = pair(np.eye(2), (6.0, -5.0))
    assert error(solve(first, second, flow), truth) < 0.1
    assert error(solve(first, second, flow, nscales=1), truth) > 1


@pytest.mark.parametrize("flow", OWN)
def test_light_may_change_where_contrast_is_normalised(flow):
    first, second, truth = pair(np.eye(2), (0.7, -0.4))
    shade = 0.8 + 0.15 * X / SIZE
    darker = (second * shade).round().astype(np.uint8)
    assert error(solve(first, darker, flow), truth) < 0.08
    assert error(solve(first, darker, flow, contrast=0.0), truth) > 0.3


def test_the_robust_method_keeps_a_motion_edge_that_the_quadratic_one_smears():
    truth = np.stack([np.where(X < SIZE / 2, 1.5, -1.5), np.zeros_like(X)], axis=-1)
    first, second = texture(Y, X), np.where(X < SIZE / 2, texture(Y, X - 1.5), texture(Y, X + 1.5))
    near = np.s_[8:-8, SIZE // 2 - 10 : SIZE // 2 + 10]

    def missed(flow, **options):
        found = solve(first, second, flow, contrast=0.0, warps=8, iterations=20, **options)
        return np.linalg.norm(found - truth, axis=-1)[near].mean()

    smeared = min(missed("horn_schunck", alpha=alpha) for alpha in (10.0, 15.0, 25.0))
    assert missed("black_anandan", alpha=25.0, sigma_smooth=0.1, sigma_data=6.0) < 0.5 * smeared


def test_wide_lorentzians_are_squares():
    first, second, _ = pair(np.eye(2), (0.6, 0.3))
    options = {"alpha": 6.0, "warps": 2}
    quadratic = solve(first, second, "horn_schunck", iterations=12, **options)
    wide = {"sigma_data": 1e4, "sigma_smooth": 1e3, "start": 1.0}
    np.testing.assert_allclose(
        solve(first, second, "black_anandan", iterations=4, **wide, **options), quadratic, atol=1e-4
    )


@pytest.mark.parametrize("flow", OWN)
def test_more_weight_on_smoothness_is_a_smoother_field(flow):
    first, second, _ = pair(np.array([[1.03, 0.02], [-0.03, 0.98]]))
    rough, smooth = (solve(first, second, flow, alpha=a) for a in (3.0, 30.0))
    assert np.abs(np.diff(smooth, axis=1)).mean() < np.abs(np.diff(rough, axis=1)).mean()


def test_a_warp_is_exact_on_a_parabola_and_knows_what_lies_outside():
    picture = (0.02 * X**2 - 0.01 * X * Y + 0.5 * Y + 3).astype(np.float32)
    rng = np.random.default_rng(0)
    u, v = rng.uniform(-2, 2, (2, SIZE, SIZE)).astype(np.float32)
    fetched, inside = warp(picture, u, v)
    x, y = X + u, Y + v
    np.testing.assert_array_equal(inside == 1, (x >= 0) & (x <= SIZE - 1) & (y >= 0) & (y <= SIZE - 1))
    deep = (np.minimum(x, y) > 2) & (np.maximum(x, y) < SIZE - 3)
    np.testing.assert_allclose(fetched[deep], (0.02 * x**2 - 0.01 * x * y + 0.5 * y + 3)[deep], rtol=1e-4)
    assert not fetched[inside == 0].any()


def test_derivatives_are_exact_up_to_the_fourth_power():
    t = (X - SIZE / 2) / SIZE
    picture = (t**4 - t**2 + Y / SIZE).astype(np.float32)
    np.testing.assert_allclose(derivative(picture, 1)[:, 2:-2], ((4 * t**3 - 2 * t) / SIZE)[:, 2:-2], atol=1e-6)
    np.testing.assert_allclose(derivative(picture, 0)[2:-2], 1 / SIZE, atol=1e-6)


@given(height=st.integers(16, 90), width=st.integers(16, 90), nscales=st.integers(1, 8), step=st.floats(0.4, 0.9))
@settings(max_examples=30, deadline=None)
def test_pyramids_get_smaller_and_end_in_time(height, width, nscales, step):
    levels = pyramid(np.full((height, width), 7, np.float32), nscales, step)
    assert len(levels) <= nscales and min(levels[-1].shape) >= 16
    assert levels[0].shape == (height, width)
    for large, small in pairwise(levels):
        assert small.shape[0] <= large.shape[0] and small.shape[1] <= large.shape[1]
        np.testing.assert_allclose(small, 7, rtol=1e-5)


def test_normalised_contrast_forgets_light_and_strength():
    picture = cv2.GaussianBlur(texture(Y, X).astype(np.float32), (0, 0), 1)
    usual = normalise(picture, 6.0)
    assert usual[8:-8, 8:-8].std() == pytest.approx(STRENGTH, rel=0.15)
    assert np.abs(normalise(0.7 * picture + 40, 6.0) - usual).max() < 0.1 * STRENGTH
    np.testing.assert_array_equal(normalise(picture, 0), picture)
    np.testing.assert_array_equal(normalise(np.full((20, 20), 93, np.uint8), 4.0), 0)
