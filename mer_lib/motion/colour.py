"""Flow as a picture: hue says where to, strength says how far, on the colour wheel of Baker et al. 2011.

The wheel has 55 hues (IJCV 92:1–31, 10.1007/s11263-010-0390-2); the coding is that of Li et al. 2021, eq. 5 and 6.
"""

from __future__ import annotations

import numpy as np

from mer_lib.motion.flow import magnitude, orientation

# The wheel's six segments: hues in each, the colour it starts from, the channel that moves, and whether it rises.
_SEGMENTS = (
    (15, (255, 0, 0), 1, True),  # red to yellow
    (6, (255, 255, 0), 0, False),  # yellow to green
    (4, (0, 255, 0), 2, True),  # green to cyan
    (11, (0, 255, 255), 1, False),  # cyan to blue
    (13, (0, 0, 255), 0, True),  # blue to magenta
    (6, (255, 0, 255), 2, False),  # magenta to red
)
_OUT_OF_RANGE = 0.75  # Baker et al. darken what is faster than the scale's end


def wheel() -> np.ndarray:
    """The 55 hues, red first: (55, 3) float64, RGB 0–255."""
    hues = []
    for count, start, channel, rises in _SEGMENTS:
        segment = np.tile(np.float64(start), (count, 1))
        ramp = np.floor(255 * np.arange(count) / count)
        segment[:, channel] = ramp if rises else 255 - ramp
        hues.append(segment)
    return np.concatenate(hues)


def encode(flow: np.ndarray, *, longest: float | None = None) -> np.ndarray:
    """Colour-coded flow.

    θ = atan2(v, u)/π picks the hue at (θ + 1)/2 · 54 + 1 of 55, between two hues in proportion (the paper's arctan(v/u)
    cannot cover the circle); so left is red, where the wheel closes, up yellow, right azure, down violet: the
    Middlebury benchmark's coding turned by half. No motion is white; flow that is unknown (NaN) is black, as there.

    Parameters
    ----------
    flow : (…, H, W, 2) float, pixels
    longest
        The length of full colour in pixels; longer flow is darkened. None: each field's own maximum, as in the paper.

    Returns
    -------
    (…, H, W, 3) uint8, RGB. Raises BadInput where the array is no flow.
    """
    unknown = ~np.isfinite(magnitude(flow))
    flow = np.where(unknown[..., None], 0, flow).astype(np.float64)
    length = magnitude(flow)
    end = length.max(axis=(-2, -1), keepdims=True) if longest is None else np.float64(longest)
    strength = np.divide(length, end, out=np.zeros_like(length), where=end > 0)[..., None]
    hues = wheel() / 255
    position = (orientation(flow) / np.pi + 1) / 2 * (len(hues) - 1)
    below = position.astype(int)
    share = (position - below)[..., None]
    hue = (1 - share) * hues[below] + share * hues[(below + 1) % len(hues)]
    colour = np.where(strength <= 1, 1 - strength * (1 - hue), hue * _OUT_OF_RANGE)
    colour[unknown] = 0
    return np.rint(255 * colour).astype(np.uint8)


def legend(size: int = 101) -> np.ndarray:
    """The wheel as a picture that reads like ``encode``: each point shows the colour of motion from the centre to it.

    (size, size, 3) uint8, RGB; white outside the circle, whose edge is full strength.
    """
    radius = (size - 1) / 2
    offset = np.arange(size) - radius
    field = np.stack(np.meshgrid(offset, offset), axis=-1)
    picture = encode(field, longest=radius)
    picture[magnitude(field) > radius] = 255
    return picture
