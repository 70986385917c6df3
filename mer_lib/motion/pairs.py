"""Which two frames flow is measured between, and what is stored of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from mer_lib.motion.cuts import cuts, tell
from mer_lib.motion.emr import emr
from mer_lib.motion.flow import compute
from mer_lib.motion.gray import to_gray
from mer_lib.motion.strain import strain
from mer_lib.problems import BadInput

BATCH = 32  # pairs at once: what bounds the memory of a long clip
# Half the size of float32 for an error of at most 0.002 px in a flow of 4 px, a hundredth of what the best method errs
# by (benchmarks/store.py). Readers compute in float32.
STORED = np.float16


def measured(
    frames: np.ndarray, apex: int | None, options: dict[str, Any], *, fps: float, macro: bool = False
) -> dict[str, np.ndarray]:
    """What is stored of a clip under the options of the stage: ``motion_of`` for its ``pairs``.

    'onset_apex': from onset to apex; 'emr': the same after expression magnification and reduction, which reads fps,
    macro and the option ``factor``; 'frames': of every pair of neighbours. Raises BadInput.
    """
    if options["pairs"] == "frames":
        apex = None
    elif apex is None:
        raise BadInput("no apex in the sheet and none to be spotted: nothing moves", "check onset and offset")
    elif options["pairs"] == "emr":
        frames, apex = emr(frames, apex, macro=macro, fps=fps, factor=options["factor"])
    return motion_of(frames, apex, flow=options["flow"], **options["options"])


def motion_of(frames: np.ndarray, apex: int | None, *, flow: str, **options) -> dict[str, np.ndarray]:
    """Flow and strain of a clip: from its first frame to the apex, or of every frame from the one before.

    frames: (T, H, W, 3) uint8 RGB, registered, the first one the onset. apex: position among them; None asks for all
    T − 1 pairs of neighbours. Returns flow (N, H, W, 2) px and strain (N, H, W) in STORED precision, pair (N, 2)
    positions.
    Raises BadInput where there is one frame only, or the apex is the onset or outside.
    """
    if len(frames) < 2:
        raise BadInput("one frame, and motion is between two", "check onset and offset of the clip")
    tell(cuts(frames), since="the onset")
    if apex is None:
        pairs = np.stack([np.arange(len(frames) - 1), np.arange(1, len(frames))], axis=1)
    elif 0 < apex < len(frames):
        pairs = np.array([[0, apex]])
    else:
        raise BadInput(f"the apex is frame {apex} of {len(frames)} from the onset", "it must come after the onset")
    fields = [
        compute(to_gray(frames[batch[:, 0]]), to_gray(frames[batch[:, 1]]), flow=flow, **options)
        for batch in np.array_split(pairs, -(-len(pairs) // BATCH))
    ]
    field = np.concatenate(fields)
    return {"flow": field.astype(STORED), "strain": strain(field).astype(STORED), "pair": pairs}
