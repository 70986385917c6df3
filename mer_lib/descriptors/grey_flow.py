"""Grey frames with the flow between them at 64×64: what the 3D-FCNN reads."""

from __future__ import annotations

import numpy as np

from mer_lib.descriptors.frames_flow import frames_flow
from mer_lib.motion.gray import to_gray
from mer_lib.registry import register


@register(
    "descriptor",
    "grey_flow64x16",
    reads=("registered", "frames"),
    form="image",
    title="Grey values and flow, 64×64, 16 frames",
    channels=("grey", "u", "v"),
    paper="Li, Wang, See, Liu: Micro-expression recognition based on 3D flow convolutional neural network (2019)",
    doi="10.1007/s10044-018-0757-5",
)
def grey_flow64x16(frames: np.ndarray, flow: np.ndarray, *, length: int = 16, reach: float = 4.0) -> np.ndarray:
    """``length`` grey frames, evenly spaced over the clip, each with the flow to it from the one before.

    frames: (T, H, W, 3) uint8; flow: (T − 1, H, W, 2) px between neighbours; reach: the largest flow of a step that can
    be stored, pixels of 64. Returns (1, length, 64, 64, 3) uint8: grey values from 0 to 255, u and v with 128 at rest,
    as ``frames_flow`` stores them.
    """
    found = frames_flow(frames, flow, side=64, length=length, reach=reach)
    return np.concatenate([to_gray(np.ascontiguousarray(found[..., :3]))[..., None], found[..., 3:]], axis=-1)
