"""Dense optical flow behind one call: every method takes pairs of grey frames and answers in the same axes and units.

``flow[n, y, x] = (u, v)`` says that the point at (x, y) of the first frame lies at (x + u, y + v) of the second: pixels
of the given frames, u to the right, v down. A method is a function ``(first, second, *, options) -> flow`` under
``@register("flow", name)`` in this room; ``compute`` checks what goes in, so that methods need not.
"""

from __future__ import annotations

import numpy as np

from mer_lib import registry
from mer_lib.problems import BadInput

# Below this no pyramid is left, answers are arbitrary, and OpenCV's DIS crashes the process.
MIN_SIDE = 16
# A method is given so many pixels in one call (256 pairs of 256 × 256), whatever the length of the clip; a single frame
# beyond the limit is refused, rather than let the job outgrow its memory.
MAX_PIXELS = 2**24


def compute(first: np.ndarray, second: np.ndarray, *, flow: str, **options) -> np.ndarray:
    """Flow from each first frame to its second one.

    Parameters
    ----------
    first, second : (N, H, W) uint8
        Grey frames (``gray.to_gray``), at least 16 pixels a side and 2²⁴ in all (4096 × 4096).
    flow : str
        A registered method: ``mer_lib.registry.entries("flow")``.
    **options
        The method's own; those not given take its defaults.

    Returns
    -------
    (N, H, W, 2) float32
        u (right) and v (down) in pixels. Exactly zero where both frames of a pair are identical, whatever the method:
        Farnebäck, for one, would answer with a fifth of a pixel at the border.

    Raises
    ------
    BadInput
        Unknown method or option, or a value of one that leads nowhere; pairs of different sizes, colour frames, other
        types than 8 bits, NaN, tiny or gigantic frames.
    """
    entry = registry.get("flow", flow)
    options = entry.complete(options)
    _check(first, second)
    field = np.zeros((*first.shape, 2), np.float32)
    moving = np.flatnonzero([not np.array_equal(a, b) for a, b in zip(first, second, strict=True)])
    at_once = MAX_PIXELS // (first.shape[1] * first.shape[2])
    for start in range(0, len(moving), at_once):
        some = moving[start : start + at_once]
        field[some] = entry.load()(first[some], second[some], **options)
    if not np.isfinite(field).all():
        raise BadInput(f"'{flow}' ends in NaN with {options}", "its defaults do not: mer list flows")
    return field


def magnitude(flow: np.ndarray) -> np.ndarray:
    """How far each point goes: (…, H, W, 2) float → (…, H, W), pixels, of the flow's own type."""
    u, v = _parts(flow)
    return np.hypot(u, v)


def orientation(flow: np.ndarray) -> np.ndarray:
    """Where each point goes: (…, H, W, 2) float → (…, H, W) radians from −π to π, of the flow's own type.

    0 is right, π/2 down (v grows downwards), ±π left. Where nothing moves it is 0 and means nothing: weigh it by
    ``magnitude``.
    """
    u, v = _parts(flow)
    return np.arctan2(v, u)


def _parts(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if flow.ndim < 3 or flow.shape[-1] != 2:
        raise BadInput(f"a field of shape {flow.shape}", "give flow (…, H, W, 2)")
    return flow[..., 0], flow[..., 1]


def _check(first: np.ndarray, second: np.ndarray) -> None:
    for frames in (first, second):
        if frames.ndim == 4 and frames.shape[-1] in (1, 3, 4):
            raise BadInput(f"colour frames of shape {frames.shape}", "turn them grey first (mer_lib.motion.gray)")
        if frames.ndim != 3:
            raise BadInput(f"frames of shape {frames.shape}", "give grey frames (N, H, W)")
    if first.shape != second.shape:
        raise BadInput(
            f"pairs of different sizes, {first.shape} and {second.shape}", "crop both frames of a pair to one size"
        )
    for frames in (first, second):
        if np.issubdtype(frames.dtype, np.floating) and not np.isfinite(frames).all():
            raise BadInput("NaN or infinite pixels", "repair or drop the frame, then give 8-bit frames")
        if frames.dtype != np.uint8:
            raise BadInput(f"frames of type {frames.dtype}", "give 8-bit frames (uint8)")
    if min(first.shape[1:]) < MIN_SIDE:
        size = "{2}×{1}".format(*first.shape)
        raise BadInput(f"frames of {size} pixels", f"optical flow needs at least {MIN_SIDE} pixels a side")
    if first.shape[1] * first.shape[2] > MAX_PIXELS:
        size = "{2}×{1}".format(*first.shape)
        raise BadInput(f"frames of {size} pixels", "crop them to the face first")
