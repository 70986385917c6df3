"""Resampling in time: TIM against the published construction and known curves, DMD against sums of known modes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_lib.motion import dmd, temporal
from mer_lib.problems import BadInput

RNG = np.random.default_rng(0)
TIMES = np.arange(40)
# One lasting mode, two decaying oscillations, one plain decay: eigenvalues and amplitudes.
EIGENVALUES = np.array([1.0, 0.97 * np.exp(0.3j), 0.97 * np.exp(-0.3j), 0.9 * np.exp(0.9j), 0.9 * np.exp(-0.9j), 0.8])
AMPLITUDES = np.array([5.0, 2.0, 2.0, 1.0, 1.0, 0.5])


def published(frames: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """TIM as Zhou et al. 2011 construct it: Laplacian of the path graph, PCA, least squares. (T, D) → (T', D)."""
    count = len(frames)
    path = np.eye(count, k=1) + np.eye(count, k=-1)
    mean = frames.mean(axis=0)
    left, scale, right = np.linalg.svd((frames - mean).T, full_matrices=False)
    left, coordinates = left[:, : count - 1], (scale[:, None] * right)[: count - 1]
    _, vectors = np.linalg.eigh(np.diag(path.sum(axis=1)) - path)
    embedding = vectors[:, 1:]  # the constant one is left out
    mode = np.arange(1, count)
    curve = np.sin(np.pi * np.outer(np.append(np.arange(1, count + 1) / count, positions), mode)
                   + np.pi * (count - mode) / (2 * count))  # fmt: skip
    # An eigenvector's sign and length are arbitrary: they are read off the curve at the first frame.
    onto = np.linalg.lstsq(embedding, coordinates.T, rcond=None)[0] * (embedding[0] / curve[0])[:, None]
    return curve[count:] @ onto @ left.T + mean


def modes_sum(times: np.ndarray = TIMES, noise: float = 0.0) -> np.ndarray:
    """(T, 300): the six modes with random pictures of unit length, conjugate where the modes are."""
    rng = np.random.default_rng(1)
    pictures = rng.normal(size=(6, 300)) + 1j * rng.normal(size=(6, 300))
    pictures[[0, 5]] = pictures[[0, 5]].real
    pictures[[2, 4]] = pictures[[1, 3]].conj()
    pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)
    return ((EIGENVALUES ** times[:, None] * AMPLITUDES) @ pictures).real + noise * rng.normal(size=(len(times), 300))


@pytest.mark.parametrize("count", [5, 12, 30])
def test_tim_is_the_published_method(count):
    frames = RNG.normal(size=(12, 50))
    positions = np.linspace(1 / 12, 1, count)
    np.testing.assert_allclose(temporal.tim(frames, count), published(frames, positions), atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60))
def test_tim_at_the_given_positions_returns_the_frames(length):
    frames = np.random.default_rng(length).integers(0, 256, (length, 4, 5, 3), np.uint8)
    np.testing.assert_array_equal(temporal.tim(frames, length), frames)
    exact = frames.astype(np.float64)
    np.testing.assert_allclose(temporal.tim(exact, length), exact, atol=1e-9)


def test_tim_follows_a_curve_of_its_manifold_between_the_frames():
    """Cosines of the position are what the curve is made of: they come out exact wherever they are asked for."""
    mode, pictures = np.arange(1, 5), RNG.normal(size=(4, 30))

    def curve(t):
        return 3 + np.cos(np.pi * (np.asarray(t)[:, None] - 1 / 16) * mode) @ pictures

    frames = curve(np.arange(1, 9) / 8)
    np.testing.assert_allclose(temporal.tim(frames, 29), curve(np.linspace(1 / 8, 1, 29)), atol=1e-10)


def test_tim_on_a_smooth_movement_errs_less_than_the_nearest_frame():
    times = np.linspace(0, 1, 61)
    course = np.stack([np.sin(3 * times) ** 2, times**3, np.exp(-((times - 0.4) ** 2) / 0.02)], axis=1)
    few = course[::6]
    assert np.abs(temporal.tim(few, 61) - course).max() < 0.1 * np.abs(temporal.uniform(few, 61) - course).max()


def test_types_are_kept():
    frames = RNG.integers(0, 256, (9, 4, 4, 3), np.uint8)
    for how in temporal.WAYS:
        assert temporal.sample(frames, 6, how, seed=1).dtype == np.uint8
        assert temporal.sample(frames, 6, how).shape == (6, 4, 4, 3)
    assert temporal.tim(frames.astype(np.float32), 6).dtype == np.float32
    assert dmd.sparse(frames.astype(np.float32), 6).dtype == np.float32


def test_uniform_spans_the_clip():
    assert list(temporal.uniform(np.arange(100), 4)) == [0, 33, 66, 99]
    assert list(temporal.uniform(np.arange(3), 5)) == [0, 0, 1, 2, 2]
    assert list(temporal.uniform(np.arange(7), 7)) == list(range(7))
    assert list(temporal.uniform(np.arange(7), 1)) == [0]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(0, 5))
def test_random_draws_in_order_without_repetition(length, seed):
    count = 1 + (7 * seed) % length
    drawn = temporal.random(np.arange(length), count, seed)
    assert len(drawn) == count and (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(drawn, temporal.sample(np.arange(length), count, "random", seed))


def test_random_depends_on_the_seed():
    draws = {tuple(temporal.random(np.arange(50), 10, seed)) for seed in range(20)}
    assert len(draws) == 20


def test_eigenvalues_amplitudes_and_frames_of_known_modes_are_found():
    values = modes_sum()
    found = dmd.decompose(values)
    np.testing.assert_allclose(np.sort_complex(found.eigenvalues), np.sort_complex(EIGENVALUES), atol=1e-10)
    for eigenvalue, amplitude in zip(EIGENVALUES, AMPLITUDES, strict=True):
        at = np.abs(found.eigenvalues - eigenvalue).argmin()
        assert abs(found.amplitudes[at]) == pytest.approx(amplitude, abs=1e-9)
    np.testing.assert_allclose(found.at(TIMES), values, atol=1e-9)


def test_modes_tell_what_is_between_the_frames():
    times = np.array([0.5, 10.25, 31.9])
    np.testing.assert_allclose(dmd.decompose(modes_sum()).at(times), modes_sum(times), atol=1e-9)


@pytest.mark.parametrize(("keep", "modes"), [(1, [0]), (2, [0]), (3, [0, 1, 2]), (5, [0, 1, 2, 3, 4])])
@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_sparsity_picks_the_true_modes_the_strongest_first(keep, modes, noise):
    found, near = dmd.decompose(modes_sum(noise=noise), keep=keep), 0.02 if noise else 1e-9
    np.testing.assert_allclose(
        np.sort_complex(found.eigenvalues[found.kept]),
        np.sort_complex(EIGENVALUES[modes]),
        atol=near,
    )


def test_kept_amplitudes_are_the_least_squares_ones():
    """What the penalty leaves is fitted again without it: no other amplitudes of these modes come nearer."""
    values = modes_sum(noise=1e-2)
    found = dmd.decompose(values, keep=5)
    basis = (found.eigenvalues[found.kept] ** TIMES[:-1, None])[:, None, :] * found.pictures[found.kept].T[None]
    # The published objective lives in the span of the frames, in which the pictures do, too.
    best = np.linalg.lstsq(basis.reshape(-1, found.kept.sum()), values[:-1].ravel().astype(complex), rcond=None)[0]
    np.testing.assert_allclose(found.amplitudes[found.kept], best, atol=1e-8)


def test_sparse_sampling_shortens_the_clip():
    clean = modes_sum()
    np.testing.assert_allclose(dmd.sparse(clean, 14, modes=6), clean[::3], atol=1e-8)
    np.testing.assert_allclose(dmd.sparse(clean, 14), clean[::3], atol=1e-8)


@pytest.mark.parametrize("values", [np.zeros((5, 6)), np.full((5, 6), 7.0)])
def test_clips_in_which_nothing_happens(values):
    np.testing.assert_allclose(dmd.sparse(values, 3), values[:3], atol=1e-9)
    np.testing.assert_allclose(temporal.tim(values, 3), values[:3], atol=1e-9)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: temporal.sample(np.zeros((4, 2)), 3, "linear"), "tim, uniform"),
        (lambda: temporal.random(np.zeros((4, 2)), 5, 0), "draw fewer"),
        (lambda: temporal.tim(np.zeros((0, 2)), 5), "no frames"),
        (lambda: temporal.uniform(np.zeros((4, 2)), 0), "one at least"),
        (lambda: dmd.sparse(np.zeros((2, 2)), 2), "3 frames"),
        (lambda: dmd.sparse(np.full((4, 2), np.nan), 2), "NaN"),
    ],
)
def test_what_cannot_be_sampled_is_refused(call, says):
    with pytest.raises(BadInput, match=says):
        call()
