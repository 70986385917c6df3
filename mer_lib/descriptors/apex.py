"""The apex frame as a picture, alone and with the motion around it: what networks of appearance read."""

from __future__ import annotations

import cv2
import numpy as np

from mer_lib.motion.flow import compute
from mer_lib.motion.gray import to_gray
from mer_lib.motion.strain import strain
from mer_lib.problems import BadInput
from mer_lib.registry import register

SIDE, SMALL = 224, 112


@register(
    "descriptor",
    reads=("registered", "onset_apex"),
    form="image",
    title="Apex frame at 224×224",
    channels=("red", "green", "blue"),
    paper="Van Quang, Chun, Tokuyama: CapsuleNet for micro-expression recognition (2019)",
    doi="10.1109/FG.2019.8756544",
)
def apex_frame(frames: np.ndarray, pair: np.ndarray) -> np.ndarray:
    """The registered face at the apex.

    frames: (T, S, S, 3) uint8 RGB; pair: (1, 2), positions of onset and apex among them.
    Returns (1, 224, 224, 3) uint8.
    """
    return _sized(frames[pair[0, 1]], SIDE)[None]


@register(
    "descriptor",
    reads=("registered", "onset_apex"),
    form="image",
    title="Apex frame, and motion around it, at 112×112",
    channels=("red or u", "green or v", "blue or strain"),
    paper="Peng, Wang, Bi, Shi, Zhou, Chen: A novel apex-time network for cross-dataset micro-expression recognition "
    "(2019)",
    doi="10.1109/ACII.2019.8925525",
)
def apex_time(frames: np.ndarray, pair: np.ndarray, *, frames_kept: int = 11, flow: str = "tvl1") -> np.ndarray:
    """The apex, and flow and strain from the onset to frames at equal distances around it.

    Parameters
    ----------
    frames : (T, S, S, 3) uint8
        Registered, RGB.
    pair : (1, 2) int
        Positions of onset and apex among them.
    frames_kept : int
        Pictures returned: the apex and ``frames_kept`` − 1 motions. They go from the onset to as far behind the apex
        as the onset is before it, or to the last frame where that comes first.
    flow : str
        Method of the flow, with its defaults.

    Returns
    -------
    (1, frames_kept, 112, 112, 3) uint8
        RGB of the apex; then u, v and strain in one scale a clip, 128 being nothing and 1 and 255 the longest flow.
        Strain, which is no length, is scaled so that the strongest comes to 255.
    """
    if frames_kept < 2:
        raise BadInput(f"frames_kept: {frames_kept}", "give at least 2: the apex and one motion")
    onset, apex = pair[0]
    last = min(2 * apex - onset, len(frames) - 1)
    to = np.rint(np.linspace(onset, last, frames_kept)[1:]).astype(int)
    gray = to_gray(frames[np.concatenate([[onset], to])])
    field = compute(np.repeat(gray[:1], len(to), 0), gray[1:], flow=flow)
    measured = np.concatenate([field / _most(np.hypot(*np.moveaxis(field, -1, 0))), _strength(field)], axis=-1)
    motions = [_sized(np.rint(128 + 127 * one).astype(np.uint8), SMALL) for one in measured]
    return np.stack([_sized(frames[apex], SMALL), *motions])[None]


def _strength(field: np.ndarray) -> np.ndarray:
    """(T, S, S, 1) strain of 0 to 1."""
    found = strain(field)
    return (found / _most(found))[..., None]


def _most(values: np.ndarray) -> float:
    """The largest value, 1 where all are 0."""
    return float(values.max()) or 1.0


def _sized(image: np.ndarray, side: int) -> np.ndarray:
    """(S, S, 3) uint8 → (side, side, 3)."""
    how = cv2.INTER_AREA if side <= min(image.shape[:2]) else cv2.INTER_LINEAR
    return cv2.resize(image, (side, side), interpolation=how)
