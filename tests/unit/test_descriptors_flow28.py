"""The 28×28 inputs: order, area averages, scaling."""

import numpy as np
import pytest

from mer_lib.descriptors.flow28 import flow28, flow60, flow224
from mer_lib.problems import BadInput


def fields(count=3, height=56, width=84, seed=0):
    rng = np.random.default_rng(seed)
    flow = rng.normal(size=(count, height, width, 2)).astype(np.float32)
    return flow, rng.uniform(size=(count, height, width)).astype(np.float32)


def test_order_and_area_means():
    flow, strain = fields()
    images = flow28(flow, strain, scaling="none")
    assert images.shape == (3, 28, 28, 3) and images.dtype == np.float32
    stacked = np.concatenate([flow, strain[..., None]], axis=-1)
    means = stacked.reshape(3, 28, 2, 28, 3, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(images, means, atol=1e-5)


def test_a_size_that_is_no_multiple_keeps_the_mean():
    flow, strain = fields(height=100, width=75)
    images = flow28(flow, strain, scaling="none")
    np.testing.assert_allclose(images[..., :2].mean(axis=(1, 2)), flow.mean(axis=(1, 2)), atol=1e-4)


def test_each_channel_of_each_clip_fills_0_to_255():
    flow, strain = fields()
    plain, images = flow28(flow, strain, scaling="none"), flow28(flow, strain)
    np.testing.assert_array_equal(images.min(axis=(1, 2)), 0)
    np.testing.assert_allclose(images.max(axis=(1, 2)), 255, rtol=1e-6)
    one = plain[1, ..., 0]
    np.testing.assert_allclose(images[1, ..., 0], 255 * (one - one.min()) / (one.max() - one.min()), atol=1e-3)


def test_scaled_inputs_forget_strength():
    flow, strain = fields()
    np.testing.assert_allclose(flow28(3 * flow, 3 * strain), flow28(flow, strain), atol=1e-3)


def test_no_motion_is_zero():
    assert not flow28(np.zeros((1, 64, 64, 2)), np.zeros((1, 64, 64))).any()


def test_clips_do_not_mix():
    flow, strain = fields()
    alone = [flow28(flow[n : n + 1], strain[n : n + 1])[0] for n in range(3)]
    np.testing.assert_array_equal(flow28(flow, strain), alone)
    assert flow28(flow[:0], strain[:0]).shape == (0, 28, 28, 3)


@pytest.mark.parametrize(
    ("flow", "strain", "options", "says"),
    [
        (np.zeros((1, 8, 8, 2)), np.zeros((1, 8, 9)), {}, "shape"),
        (np.zeros((8, 8, 2)), np.zeros((8, 8)), {}, "shape"),
        (np.full((1, 8, 8, 2), np.nan), np.zeros((1, 8, 8)), {}, "not finite"),
        (np.zeros((1, 8, 8, 2)), np.zeros((1, 8, 8)), {"scaling": "minmax"}, "image, none"),
    ],
)
def test_bad_input_is_refused(flow, strain, options, says):
    with pytest.raises(BadInput, match=says):
        flow28(flow, strain, **options)


def test_larger_pictures_are_the_same_fields():
    """60×60 by area means, which may be taken twice; 224×224 against bilinear interpolation written out."""
    flow, strain = fields(height=240, width=180)
    stacked = np.concatenate([flow, strain[..., None]], axis=-1)
    means = stacked.reshape(3, 60, 4, 60, 3, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(flow60(flow, strain, scaling="none"), means, atol=1e-5)
    assert flow60(flow, strain).shape == (3, 60, 60, 3) and abs(flow60(flow, strain).max() - 255) < 1e-3

    flow, strain = fields(height=112, width=112)
    stacked = np.concatenate([flow, strain[..., None]], axis=-1).astype(float)
    for axis in (1, 2):  # twice the size: weights 1/4 and 3/4, the border repeated
        padded = np.concatenate([stacked.take([0], axis), stacked, stacked.take([-1], axis)], axis)
        before, own, after = (padded.take(np.arange(112) + k, axis) for k in range(3))
        both = np.stack([before / 4 + own * 3 / 4, own * 3 / 4 + after / 4], axis + 1)
        stacked = both.reshape([224 if a == axis else n for a, n in enumerate(stacked.shape)])
    low, high = stacked.min(axis=(1, 2), keepdims=True), stacked.max(axis=(1, 2), keepdims=True)
    found = flow224(flow, strain)
    assert found.dtype == np.uint8 and found.shape == (3, 224, 224, 3)
    assert np.abs(found - 255 * (stacked - low) / (high - low)).max() < 0.51
