"""Expression magnification and reduction (paper D): micro- and macro-expressions brought to a like strength."""

from __future__ import annotations

import numpy as np

from mer_lib.motion import band
from mer_lib.motion.magnify import magnify
from mer_lib.problems import BadInput


def emr(frames: np.ndarray, apex: int, *, macro: bool, fps: float, factor: float) -> tuple[np.ndarray, int]:
    """The frames, and which of them to measure the motion to, from the first one on.

    A macro-expression is cut short: the frame half way from its onset to its apex stands for the apex. A
    micro-expression is magnified (Eulerian) in the band that its own rise and fall span; where no frame follows the
    apex, in that of any micro-expression.

    frames: (T, H, W, 3) uint8, the first one the onset; apex: position among them; fps: frames a second; factor: of
    magnification (not given in the paper). Raises BadInput for an apex outside, or a micro-expression without fps.
    Liu, Du, Zheng, Gedeon: A neural micro-expression recognizer (2019), doi:10.1109/FG.2019.8756583.
    """
    if not 0 < apex < len(frames):
        raise BadInput(f"the apex is frame {apex} of {len(frames)} from the onset", "it must come after the onset")
    if macro:
        return frames, max(1, round(apex / 2))
    if fps is None or not fps > 0:
        raise BadInput("no frame rate, which magnification needs", "fill in fps in the sheet")
    last = len(frames) - 1
    passed = band.choose(fps, (0, apex, last) if apex < last else None)
    return magnify(frames, "eulerian", factor=factor, band=passed, fps=fps), apex
