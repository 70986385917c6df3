"""What the networks of papers A and D read: lengths, sizes, units, and that little is lost in 8 bits."""

import numpy as np
import pytest

from mer_lib.descriptors.flow_emr import flow_emr, resized
from mer_lib.descriptors.frames_flow import frames_flow
from mer_lib.descriptors.grey_flow import grey_flow64x16
from mer_lib.problems import BadInput


def clip(count=9, side=16, seed=0):
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (count, side, side, 3), np.uint8)
    return frames, rng.uniform(-0.3, 0.3, (count - 1, side, side, 2)).astype(np.float32)


def greys(x, reach=4.0):
    return (x.astype(np.float64) - 128) / 127 * reach


def test_a_clip_of_the_length_comes_frame_by_frame_with_a_zero_flow_in_front():
    frames, flow = clip()
    x = frames_flow(frames, flow, side=16, length=9)
    assert x.shape == (1, 9, 16, 16, 5) and x.dtype == np.uint8
    np.testing.assert_array_equal(x[0, ..., :3], frames)
    assert (x[0, 0, ..., 3:] == 128).all()
    np.testing.assert_allclose(greys(x[0, 1:, ..., 3:]), flow, atol=4 / 127 / 2 + 1e-6)


def test_a_longer_clip_is_thinned_and_its_flow_added_up():
    frames, flow = clip(count=13)
    x = frames_flow(frames, flow, side=16, length=4)
    np.testing.assert_array_equal(x[0, ..., :3], frames[[0, 4, 8, 12]])
    sums = flow.reshape(3, 4, 16, 16, 2).sum(1)
    np.testing.assert_allclose(greys(x[0, 1:, ..., 3:]), sums, atol=4 / 127 / 2 + 1e-6)


def test_a_shorter_clip_repeats_frames_which_do_not_move():
    frames, flow = clip(count=3)
    x = frames_flow(frames, flow, side=16, length=5)
    np.testing.assert_array_equal(x[0, ..., :3], frames[[0, 0, 1, 2, 2]])
    assert (x[0, [0, 1, 4], ..., 3:] == 128).all()
    np.testing.assert_allclose(greys(x[0, 2:4, ..., 3:]), flow, atol=4 / 127 / 2 + 1e-6)


def test_half_the_size_has_half_the_pixels_of_flow():
    frames, flow = np.full((2, 16, 16, 3), 90, np.uint8), np.full((1, 16, 16, 2), (2.0, -1.0), np.float32)
    x = frames_flow(frames, flow, side=8, length=2)
    assert (x[0, ..., :3] == 90).all()
    np.testing.assert_allclose(greys(x[0, 1, ..., 3:]), np.broadcast_to((1.0, -0.5), (8, 8, 2)), atol=0.016)


def test_flow_beyond_reach_stops_there_and_never_wraps():
    frames = np.zeros((3, 16, 16, 3), np.uint8)
    flow = np.stack([np.full((16, 16, 2), 50.0), np.full((16, 16, 2), -50.0)]).astype(np.float32)
    x = frames_flow(frames, flow, side=16, length=3)
    assert set(x[0, 1, ..., 3:].ravel()) == {255} and set(x[0, 2, ..., 3:].ravel()) == {1}
    wider = frames_flow(frames, flow, side=16, length=3, reach=100.0)
    np.testing.assert_allclose(greys(wider[0, 1:, ..., 3:], 100), flow, atol=0.4)


def test_flow_of_another_clip_is_refused():
    frames, flow = clip()
    with pytest.raises(BadInput, match="7 flows between 9 frames"):
        frames_flow(frames, flow[:-1])


def test_grey_takes_the_place_of_colours_and_flow_stays():
    rng = np.random.default_rng(2)
    frames, flow = rng.integers(0, 256, (20, 64, 64, 3), np.uint8), rng.normal(0, 1, (19, 64, 64, 2)).astype(np.float32)
    x, colour = grey_flow64x16(frames, flow), frames_flow(frames, flow, side=64, length=16)
    assert x.shape == (1, 16, 64, 64, 3) and x.dtype == np.uint8
    np.testing.assert_array_equal(x[..., 1:], colour[..., 3:])
    luma = colour[..., :3] @ [0.299, 0.587, 0.114]  # Rec. 601
    assert np.abs(x[..., 0] - luma).max() <= 1


def test_flow_and_its_length_in_pixels_of_the_new_size():
    flow = np.full((1, 64, 32, 2), (3.0, 4.0), np.float32)
    x = flow_emr(flow, np.zeros((1, 64, 32)), side=16)
    assert x.shape == (1, 16, 16, 3) and x.dtype == np.float16
    np.testing.assert_allclose(x[0, ..., 0], 1.5)
    np.testing.assert_allclose(x[0, ..., 1], 1.0)
    np.testing.assert_allclose(x[0, ..., 2], np.hypot(1.5, 1.0), rtol=1e-3)


def test_resized_flow_is_the_mean_of_its_area():
    field = np.random.default_rng(1).normal(size=(32, 32, 2)).astype(np.float32)
    means = field.reshape(8, 4, 8, 4, 2).mean((1, 3)) / 4
    np.testing.assert_allclose(resized(field, 8), means, atol=1e-6)
