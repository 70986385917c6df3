"""Local contrast normalisation: what makes 'brightness stays' nearly true on skin.

A face that moves also changes its shading, lamps flicker, and skin is darker or lighter than the parameters of a method
expect. Dividing each pixel's difference from its surroundings by their contrast takes all three out at once; what is
left is the skin's texture, at one strength everywhere.
"""

from __future__ import annotations

import cv2
import numpy as np

STRENGTH = 10.0  # grey levels: standard deviation of what comes out, where there is contrast
FLOOR = 5.0  # grey levels: contrast below it is mostly noise and is not brought up to strength


def normalise(picture: np.ndarray, window: float) -> np.ndarray:
    """The picture minus its local mean, over its local contrast.

    picture: (H, W) uint8 or float32 grey; window: pixels, standard deviation of the Gaussian neighbourhood; 0 leaves
    the grey values as they are. Returns (H, W) float32 in grey levels.
    """
    picture = picture.astype(np.float32)
    if window <= 0:
        return picture
    centred = picture - picture.mean()  # keeps a constant picture exactly zero
    detail = centred - _blurred(centred, window)
    return STRENGTH * detail / np.sqrt(_blurred(detail**2, window) + FLOOR**2)


def _blurred(picture: np.ndarray, window: float) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), window, borderType=cv2.BORDER_REPLICATE)
