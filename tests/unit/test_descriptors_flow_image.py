"""The picture of flow: its size, its colours against a direct reading of the paper's equations, what it forgets."""

import math

import numpy as np
import pytest

from mer_lib.descriptors.flow_image import flow_image
from mer_lib.problems import BadInput


def fields(height, width, count=2, seed=0):
    """Smooth fields: one gradient of direction and one of length."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    rng = np.random.default_rng(seed)
    angle = rng.uniform(-math.pi, math.pi, (count, 1, 1)) + 5 * x
    length = 0.2 + y + rng.uniform(0, 1, (count, 1, 1))
    return np.stack([length * np.cos(angle), length * np.sin(angle)], axis=-1).astype(np.float32)


def test_at_its_own_size_each_pixel_is_the_papers():
    """55 hues by eq. 6, their strength by length over the longest; Baker et al.'s segments written out."""
    flow = fields(224, 224)
    image = flow_image(flow)
    assert image.shape == (2, 224, 224, 3) and image.dtype == np.uint8
    ramp = [(15, "R", "G+"), (6, "G", "R-"), (4, "G", "B+"), (11, "B", "G-"), (13, "B", "R+"), (6, "R", "B-")]
    hues = []
    for count, full, (moving, sign) in ramp:
        for k in range(count):
            step = 255 * k // count
            hues.append({"R": 0, "G": 0, "B": 0, full: 255, moving: step if sign == "+" else 255 - step})
    hues = np.array([[hue[c] for c in "RGB"] for hue in hues]) / 255
    assert len(hues) == 55
    for n in range(2):
        length = np.hypot(flow[n, ..., 0], flow[n, ..., 1]).astype(float)
        place = (np.arctan2(flow[n, ..., 1], flow[n, ..., 0]).astype(float) / np.pi + 1) / 2 * 54
        strength = (length / length.max())[..., None]
        low = np.floor(place).astype(int)
        share = (place - low)[..., None]
        hue = (1 - share) * hues[low] + share * hues[(low + 1) % 55]
        assert np.abs(image[n] - 255 * (1 - strength * (1 - hue))).max() <= 0.51


@pytest.mark.parametrize("size", [(128, 128), (96, 128), (256, 256)])
def test_size_changes_the_picture_little(size):
    large, small = (flow_image(fields(*of)).astype(int) for of in ((224, 224 * size[1] // size[0]), size))
    assert large.shape == small.shape == (2, 224, 224, 3)
    assert np.abs(large - small).mean() < 2


def test_the_wheels_seam_is_crossed_without_false_hues():
    """Left, a little up beside a little down: red all along, although their places on the wheel are its two ends."""
    flow = np.zeros((1, 128, 128, 2), np.float32)
    flow[..., 0], flow[:, ::2, :, 1], flow[:, 1::2, :, 1] = -1, 0.05, -0.05
    red, green, blue = np.moveaxis(flow_image(flow)[0].astype(int), -1, 0)
    assert red.min() == 255 and green.max() < 64 and blue.max() < 64


def test_strength_of_the_clip_is_forgotten_and_no_motion_is_white():
    flow = fields(64, 64)
    assert np.abs(flow_image(3 * flow).astype(int) - flow_image(flow)).max() <= 1
    assert (flow_image(0 * flow) == 255).all()
    with pytest.raises(BadInput, match="not finite"):
        flow_image(np.full_like(flow, np.nan))
