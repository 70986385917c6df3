"""Movements too small to see, made larger: Eulerian (amplify what brightness does) and Lagrangian (warp by the flow).

Both take frames one by one and give them back one by one, in memory of a window of the filter, whatever the length of
the video; both magnify what moves within a band of temporal frequencies (mer_lib.motion.band), so that slow drift of
the head and of the light stays as it is. Which one to use for what, with figures: docs/magnification.md.

[1] Wu et al.: Eulerian video magnification for revealing subtle changes in the world (2012), 10.1145/2185520.2185561
[2] Le Ngo, Oh, Phan, See: Eulerian emotion magnification for subtle expression recognition (ICASSP 2016)
[3] Le Ngo, Johnston, Phan, See: Micro-expression motion magnification: global Lagrangian vs. local Eulerian approaches
    (FG 2018, pages 650–656)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from mer_lib.motion.band import kernel, passed
from mer_lib.motion.flow import MIN_SIDE, compute
from mer_lib.motion.gray import to_gray
from mer_lib.problems import BadInput

METHODS = ("eulerian", "lagrangian")
_COARSEST = 8  # pixels: no level of the pyramid is smaller
# The pyramid's filter is cos⁴(ω/2) a way, so its finest level passes half of what has 7.7 pixels a wave and all that is
# finer, each next one twice as much: the middle of the octave below is what a level is taken to hold.
_FINEST = 5.4  # pixels, wavelength of the finest level
_SMOOTH = 0.012  # of the shorter side, standard deviation: a flow's errors between pixels would tear what is magnified
_MOST_BYTES = 2**32  # that the window of a filter may take: a slow band of fast and large frames asks for more
_ROUNDS = 12  # of the fixed point that inverts the magnified motion


def eulerian(
    frames: Iterable[np.ndarray], *, factor: float, band: tuple[float, float], fps: float, reach: float = 0.25
) -> Iterator[np.ndarray]:
    """Frames in which brightness changes within the band are amplified, level by level of a Laplacian pyramid [1].

    Only luma is filtered and changed; colours move with it. The coarsest level, which holds light and no movement, is
    left alone. To first order a change of brightness is movement times gradient, so movement grows by as much, as long
    as (1 + α)·δ < λ/8 holds for a movement δ and a wavelength λ [1, eq. 14; 2]: each level, of wavelengths around
    λ = 5.4·2^level pixels, gets the largest α ≤ factor − 1 that keeps to it. Beyond it edges overshoot.

    Parameters
    ----------
    frames : (H, W, 3) uint8 each
        RGB, all of one size, in the order of time.
    factor
        How many times larger a movement in the band shall be, at least 1: 1 + α of [1].
    band
        Low and high end in hertz (``band.choose``).
    fps
        Frames a second.
    reach
        The largest movement to be magnified, in pixels: δ. Smaller ones may be amplified on finer levels.

    Yields
    ------
    (H, W, 3) uint8, as many as came in. Raises BadInput for a factor, band or reach that is none, frames of changing
    size, colourless ones, less than 16 pixels a side, or too large for so slow a band (4 GB).
    """
    _check(factor, reach)
    weights = kernel(band, fps)
    for frame, change in passed(_checked(frames, len(weights), planes=1), weights, _luma):
        yield _brightened(frame, _amplified(change, factor, reach))


def lagrangian(
    frames: Iterable[np.ndarray],
    *,
    factor: float,
    band: tuple[float, float],
    fps: float,
    flow: str = "dis",
    **options,
) -> Iterator[np.ndarray]:
    """Frames warped so that each point goes ``factor`` times as far from where it was in the first frame [3].

    The flow from the first frame is smoothed, and of its course in time what lies in the band is magnified; so a blink
    or a turn of the eyes stays in the picture, which is the given one displaced. ([3] warps the first frame, by
    principal components of the flow.) There is no bound on the factor, but where flow is wrong the picture is, and
    skin that folds over itself is stretched instead.

    Parameters are those of :func:`eulerian`; flow, options: a registered method and its options. Yields (H, W, 3) uint8
    and raises BadInput likewise; memory is that of a window of flow fields.
    """
    _check(factor)
    weights = kernel(band, fps)
    checked = _checked(frames, len(weights), planes=4)  # those that wait keep their flow, too
    for (frame, field), change in passed(_with_flow(checked, flow, options), weights, lambda pair: pair[1]):
        yield _displaced(frame, field, (factor - 1) * change)


def magnify(frames: np.ndarray, method: str, **options) -> np.ndarray:
    """A whole clip at once: (T, H, W, 3) uint8 → the same shape; options as of the method."""
    if method not in METHODS:
        raise BadInput(f"no magnification called '{method}'", f"one of {', '.join(METHODS)}")
    return np.stack(list({"eulerian": eulerian, "lagrangian": lagrangian}[method](frames, **options)))


def gains(count: int, factor: float, reach: float) -> np.ndarray:
    """(count,) the α of each level from the finest on, as ``eulerian`` amplifies them."""
    wavelength = _FINEST * 2.0 ** np.arange(count)
    return np.clip(wavelength / (8 * reach) - 1, 0, factor - 1)


def _amplified(change: np.ndarray, factor: float, reach: float) -> np.ndarray:
    """A filtered luma (H, W), each of its levels times its α, collapsed again; the coarsest is left out."""
    levels = [change]
    while min(levels[-1].shape) >= 2 * _COARSEST:
        levels.append(cv2.pyrDown(levels[-1]))
    total = np.zeros_like(levels[-1])
    fine = gains(len(levels) - 1, factor, reach)
    for gain, level, below in zip(fine[::-1], levels[-2::-1], levels[:0:-1], strict=True):
        size = level.shape[::-1]
        total = cv2.pyrUp(total, dstsize=size) + np.float32(gain) * (level - cv2.pyrUp(below, dstsize=size))
    return total


def _with_flow(frames: Iterable[np.ndarray], flow: str, options: dict) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each frame with the flow (H, W, 2) float32 from the first one to it, smoothed; zero for the first itself."""
    first = None
    for frame in frames:
        gray = to_gray(frame)[None]
        first = gray if first is None else first
        field = compute(first, gray, flow=flow, **options)[0]
        yield frame, cv2.GaussianBlur(field, (0, 0), _SMOOTH * min(field.shape[:2]))


def _displaced(frame: np.ndarray, field: np.ndarray, more: np.ndarray) -> np.ndarray:
    """The frame with each point moved on by ``more``; field and more: (H, W, 2), at the points' places in frame one.

    A point p of the first frame is at p + field(p) in this one and goes to p + field(p) + more(p). For each pixel the p
    that comes to it is found as a fixed point, and the colour is looked up where that p is now.
    """
    height, width = frame.shape[:2]
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    way, origin = field + more, pixels - field - more
    for _ in range(_ROUNDS):
        # Half a step each: where the motion is steep a whole one would jump to and fro.
        origin += 0.5 * (pixels - _at(way, origin) - origin)
    source = origin + _at(field, origin)
    return cv2.remap(frame, source, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _at(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    return cv2.remap(field, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _brightened(frame: np.ndarray, change: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(frame + change[..., None]), 0, 255).astype(np.uint8)


def _luma(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(frame.astype(np.float32), cv2.COLOR_RGB2GRAY)


def _check(factor: float, reach: float = 1.0) -> None:
    if not (np.isfinite(factor) and factor >= 1):
        raise BadInput(f"a magnification by {factor:g}", "give a factor of 1 or more")
    if not reach > 0:
        raise BadInput(f"a movement of {reach:g} pixels to be magnified", "give a reach above 0")


def _checked(frames: Iterable[np.ndarray], window: int, *, planes: int) -> Iterator[np.ndarray]:
    """The frames, each looked at; a window of so many holds ``planes`` float32 a pixel, and half of them in colour."""
    size = None
    for frame in frames:
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[-1] != 3:
            raise BadInput(f"a frame of shape {frame.shape} and type {frame.dtype}", "give 8-bit RGB frames (H, W, 3)")
        if size not in (None, frame.shape):
            raise BadInput(f"a frame of shape {frame.shape} after {size}", "bring all frames of a clip to one size")
        size = frame.shape
        pixels = "{1}×{0} pixels".format(*size)
        if min(size[:2]) < MIN_SIDE:
            raise BadInput(f"frames of {pixels}", f"at least {MIN_SIDE} a side are needed to see movement")
        if (needed := window * size[0] * size[1] * (4 * planes + 1.5)) > _MOST_BYTES:
            raise BadInput(
                f"{window} frames of {pixels} at once would take {needed / 2**30:.0f} GB",
                "crop them to the face, or raise the low end of the band",
            )
        yield frame
