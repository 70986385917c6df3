"""Grey frames from RGB frames: the one place that says which grey the flow methods see."""

from __future__ import annotations

import cv2
import numpy as np

from mer_lib.problems import BadInput


def to_gray(frames: np.ndarray) -> np.ndarray:
    """Luma (ITU-R BT.601, as OpenCV rounds it) of RGB frames.

    (…, H, W, 3) uint8 → (…, H, W) uint8. Raises BadInput for another type or number of channels.
    """
    if frames.dtype != np.uint8 or frames.ndim < 3 or frames.shape[-1] != 3:
        raise BadInput(f"frames of shape {frames.shape} and type {frames.dtype}", "give 8-bit RGB frames (…, H, W, 3)")
    if frames.size == 0:
        return np.empty(frames.shape[:-1], np.uint8)
    # Grey is pixelwise: all frames as one tall picture need one call.
    tall = np.ascontiguousarray(frames).reshape(-1, frames.shape[-2], 3)
    return cv2.cvtColor(tall, cv2.COLOR_RGB2GRAY).reshape(frames.shape[:-1])
