"""Bi-WOOF by hand on a tiny field, by a pixel loop on a random one."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_lib.descriptors.bi_woof import bi_woof
from mer_lib.problems import BadInput

# Two by two blocks of one pixel row each; sectors of 90° from −180°: left–up, up–right, right–down, down–left.
TINY_FLOW = np.array([[[[3, 4], [3, 4], [-1, 0], [0, -2]], [[0, 1], [-5, 12], [0, 0], [0, 0]]]], np.float32)
TINY_STRAIN = np.array([[[1, 3, 0.5, 0.5], [4, 0, 7, 9]]], np.float32)


def test_plain_sums_by_hand():
    features = bi_woof(TINY_FLOW, TINY_STRAIN, blocks=2, bins=4, normalise=False)
    expected = [
        *(0, 0, 2 * (5 + 5), 0),  # both right–down, mean strain 2
        *(0.5 * 1, 0.5 * 2, 0, 0),  # left, which opens the first sector; up, which opens the second
        *(0, 0, 0, 2 * (1 + 13)),  # down, which opens the fourth sector, and down–left
        *(0, 0, 0, 0),  # strained, but not moving
    ]
    np.testing.assert_allclose(features, [expected], rtol=1e-6)


def test_normalised_by_hand():
    features = bi_woof(TINY_FLOW, TINY_STRAIN, blocks=2, bins=4)
    expected = np.array([0, 0, 2, 0, 0.5 / 3, 1 / 3, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0])
    np.testing.assert_allclose(features[0], expected / np.linalg.norm(expected), rtol=1e-6)


def by_loop(flow, strain, blocks, bins):
    height, width = strain.shape
    features = np.zeros((blocks, blocks, bins))
    weights, pixels = np.zeros((blocks, blocks)), np.zeros((blocks, blocks))
    for y in range(height):
        for x in range(width):
            block = y * blocks // height, x * blocks // width
            u, v = map(float, flow[y, x])
            sector = math.floor((math.degrees(math.atan2(v, u)) + 180) / (360 / bins)) % bins
            features[(*block, sector)] += math.hypot(u, v)
            weights[block] += strain[y, x]
            pixels[block] += 1
    return (features * (weights / pixels)[..., None]).ravel()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(1, 9), st.integers(6, 20), st.integers(6, 20), st.integers(0, 99))
def test_vectors_are_the_loop(blocks, bins, height, width, seed):
    rng = np.random.default_rng(seed)
    flow, strain = rng.normal(size=(2, height, width, 2)), rng.uniform(size=(2, height, width))
    expected = [by_loop(f, s, blocks, bins) for f, s in zip(flow, strain, strict=True)]
    found = bi_woof(flow, strain, blocks=blocks, bins=bins, normalise=False)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_vector_has_length_one_and_blocks_weigh_by_strain():
    rng = np.random.default_rng(0)
    flow, strain = rng.normal(size=(3, 50, 50, 2)), rng.uniform(size=(3, 50, 50))
    features = bi_woof(flow, strain)
    assert features.shape == (3, 200)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-6)
    blocks = features.reshape(3, 25, 8).sum(axis=2)
    means = strain.reshape(3, 5, 10, 5, 10).mean(axis=(2, 4)).reshape(3, 25)
    np.testing.assert_allclose(
        blocks / blocks.sum(axis=1, keepdims=True), means / means.sum(axis=1, keepdims=True), rtol=1e-5
    )
    np.testing.assert_allclose(bi_woof(5 * flow, 5 * strain), features, rtol=1e-5, atol=1e-7)


def test_turning_by_a_sector_turns_the_bins():
    rng = np.random.default_rng(0)
    flow, strain = rng.normal(size=(1, 20, 20, 2)), rng.uniform(size=(1, 20, 20))
    turn = np.array([[0, -1], [1, 0]])  # 90°: two of eight sectors
    before = bi_woof(flow, strain).reshape(25, 8)
    np.testing.assert_allclose(bi_woof(flow @ turn.T, strain).reshape(25, 8), np.roll(before, 2, axis=1), atol=1e-6)


def test_minus_zero_does_not_leave_the_histogram():
    flow = np.array([[[[-1.0, 0.0], [-1.0, -0.0]], [[0.0, 0.0], [-0.0, -0.0]]]])  # +180° and −180°
    features = bi_woof(flow, np.ones((1, 2, 2)), blocks=1, normalise=False)
    np.testing.assert_array_equal(features, [[2, 0, 0, 0, 0, 0, 0, 0]])


def test_no_motion_is_zero_and_no_clip_no_vector():
    assert not bi_woof(np.zeros((1, 16, 16, 2)), np.zeros((1, 16, 16))).any()
    assert bi_woof(np.zeros((0, 16, 16, 2)), np.zeros((0, 16, 16))).shape == (0, 200)


@pytest.mark.parametrize(
    ("flow", "options", "says"),
    [
        (np.zeros((1, 8, 8, 3)), {}, "shape"),
        (np.full((1, 8, 8, 2), np.inf), {}, "not finite"),
        (np.zeros((1, 8, 8, 2)), {"blocks": 9}, "9×9 blocks"),
        (np.zeros((1, 8, 8, 2)), {"blocks": 0}, "0×0 blocks"),
        (np.zeros((1, 8, 8, 2)), {"bins": 0}, "0 bins"),
    ],
)
def test_bad_input_is_refused(flow, options, says):
    with pytest.raises(BadInput, match=says):
        bi_woof(flow, np.zeros(flow.shape[:-1]), **options)
