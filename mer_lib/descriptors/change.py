"""What a camera sees change between onset and apex, as a picture."""

from __future__ import annotations

import cv2
import numpy as np

from mer_lib.problems import BadInput
from mer_lib.registry import register

MIDDLE = 128  # grey level of what stays as it is


@register(
    "descriptor",
    reads=("registered", "onset_apex"),
    form="image",
    title="Change from onset to apex",
    channels=("red", "green", "blue"),
)
def change(frames: np.ndarray, pair: np.ndarray, *, size: int = 128, gain: float = 4.0) -> np.ndarray:
    """The apex minus the onset, around a middle grey.

    Parameters
    ----------
    frames : (T, S, S, 3) uint8
        Registered, RGB.
    pair : (1, 2) int
        Positions of onset and apex among them.
    size : int
        Pixels, height and width of the picture.
    gain : float
        Grey levels of the picture for one of the difference; a micro-expression changes few.

    Returns
    -------
    (1, size, size, 3) uint8

    Raises
    ------
    BadInput
        A size or gain that is not positive; positions beyond the frames.
    """
    if size < 1 or not gain > 0:
        raise BadInput(f"a picture of {size} pixels with a gain of {gain:g}", "give both above 0")
    onset, apex = (int(at) for at in pair[0])
    if not 0 <= onset < apex < len(frames):
        raise BadInput(f"onset {onset} and apex {apex} of {len(frames)} frames", "check onset and apex of the clip")
    first, last = (cv2.resize(frames[at], (size, size), interpolation=cv2.INTER_AREA) for at in (onset, apex))
    moved = MIDDLE + gain * (last.astype(np.float32) - first)
    return np.clip(np.rint(moved), 0, 255).astype(np.uint8)[None]
