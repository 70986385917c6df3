"""A fixed number of frames with the flow from each to the next: what paper A's recognition network reads."""

from __future__ import annotations

import cv2
import numpy as np

from mer_lib.descriptors.flow_emr import resized
from mer_lib.motion.temporal import uniform
from mer_lib.problems import BadInput
from mer_lib.registry import register

REST, STEPS = 128, 127  # the grey of no motion, and greys from there to the furthest


@register(
    "descriptor",
    reads=("registered", "frames"),
    form="image",
    title="Frames and flow between them, 128×128",
    channels=("red", "green", "blue", "u", "v"),
    paper="Lu, Kasabov, Lu: Multi-view geometry consistency network for facial micro-expression recognition from "
    "various perspectives (2021)",
    doi="10.1109/IJCNN52387.2021.9533434",
)
def frames_flow(
    frames: np.ndarray, flow: np.ndarray, *, side: int = 128, length: int = 32, reach: float = 4.0
) -> np.ndarray:
    """``length`` frames, evenly spaced over the clip, each with the flow to it from the one before.

    frames: (T, H, W, 3) uint8; flow: (T − 1, H, W, 2) px between neighbours. The flow of a step is the sum over its
    frames, which of movements this small is their course; the first frame has none, nor has one that stands twice in a
    shorter clip. side: of the pictures, pixels; reach: the largest flow of a step that can be stored, pixels of them.
    Returns (1, length, side, side, 5) uint8: colours from 0 to 255; u and v with 128 at rest and 127 greys to either
    end of ``reach``, so that a grey is 0.03 px by default, less than any flow errs by, at half the size of float16.
    """
    if len(flow) != len(frames) - 1:
        raise BadInput(f"{len(flow)} flows between {len(frames)} frames", "compute the clip's motion anew")
    at = uniform(np.arange(len(frames)), length)
    found = np.empty((1, length, side, side, 5), np.uint8)
    for step, (before, now) in enumerate(zip(np.append(at[0], at[:-1]), at, strict=True)):
        course = resized(flow[before:now].sum(0), side)
        found[0, step, ..., :3] = cv2.resize(frames[now], (side, side), interpolation=cv2.INTER_AREA)
        found[0, step, ..., 3:] = np.clip(np.rint(REST + STEPS / reach * course), REST - STEPS, REST + STEPS)
    return found
