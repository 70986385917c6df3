"""Clips of one length for networks that read a fixed number of frames."""

from __future__ import annotations

import numpy as np

from mer_lib.motion.temporal import tim
from mer_lib.problems import BadInput

TAKES = ("spread", "first")


def brought_to(values: np.ndarray, length: int, take: str) -> np.ndarray:
    """(T, …) → (length, …).

    take 'spread': the whole clip at evenly spaced times, shorter and longer ones alike (temporal interpolation; with
    T = length the frames themselves). 'first': as Reddy et al. filter their clips, only those of more than ``length``
    frames, and of these the first; the others are refused, so that they are listed by name and left out.
    Raises BadInput for a clip of one frame too, which shows no expression.
    """
    if take not in TAKES:
        raise BadInput(f"no way to take frames called '{take}'", f"one of {', '.join(TAKES)}")
    if len(values) < 2:
        raise BadInput("a clip of one frame, which shows no movement", "check onset and offset of the clip")
    if take == "spread":
        return tim(values, length)
    if len(values) <= length:
        told = f"{len(values)} frames, and the filter keeps clips of more than {length}"
        raise BadInput(told, "set the descriptor's take: spread to interpolate instead")
    return values[:length]
