"""The apex of a clip without an annotated one: the frame that has moved farthest from the onset.

Largest mean flow from the onset, the rule of Li et al. 2021 (MJFN, 10.1007/s41095-021-0217-9) for SMIC. Frames should
be registered (mer_lib.geometry.registration): a drifting head moves more pixels than any expression.
"""

from __future__ import annotations

import numpy as np

from mer_lib.motion.flow import compute
from mer_lib.motion.gray import to_gray
from mer_lib.problems import BadInput

BATCH = 32  # frames at once: what bounds the memory of a long clip


def spot_apex(frames: np.ndarray, onset: int = 0, *, flow: str = "dis", **options) -> tuple[int, float]:
    """The frame with the largest mean flow from the onset, and that mean.

    Parameters
    ----------
    frames : (T, H, W, 3) uint8
        RGB, registered, up to the offset: what comes after it is searched as well.
    onset : int
        Frame the motion starts from, 0-based. Frames before it are not looked at.
    flow, **options
        A registered flow method and its options.

    Returns
    -------
    (int, float)
        Frame index of the apex, the earliest of equals; its mean flow in pixels.

    Raises
    ------
    BadInput
        The onset is outside or the last frame; nothing moves; frames that ``flow.compute`` refuses.
    """
    curve = motion_from(frames, onset, flow=flow, **options)
    apex = int(curve.argmax())
    if curve[apex] == 0:
        raise BadInput("no frame differs from the onset, so there is no apex", "check onset and offset of the clip")
    return onset + apex, float(curve[apex])


def motion_from(frames: np.ndarray, onset: int = 0, *, flow: str = "dis", **options) -> np.ndarray:
    """Mean flow magnitude of every frame from the onset on, against the onset frame.

    (T, H, W, 3) uint8 RGB → (T − onset,) float32, pixels; the first is 0. Options and errors as in ``spot_apex``.
    """
    if not 0 <= onset < len(frames) - 1:
        raise BadInput(f"onset {onset} in a clip of {len(frames)} frames", "an apex needs frames after the onset")
    reference = to_gray(frames[onset])
    curve = np.zeros(len(frames) - onset, np.float32)
    for start in range(onset + 1, len(frames), BATCH):
        batch = to_gray(frames[start : start + BATCH])
        field = compute(np.broadcast_to(reference, batch.shape), batch, flow=flow, **options)
        curve[start - onset :][: len(batch)] = np.linalg.norm(field, axis=-1).mean(axis=(1, 2))
    return curve
