"""Our own TV-L1 (``tvl1_energy.py`` says what it minimises): compiled, on one core, pair by pair.

OpenCV's functions do what they do well on whole pictures (blur, resize, warp, median); the iterations are ours
(``tvl1_kernels.py``). One room of 22 planes serves all levels and pairs, so memory is some 130 bytes a pixel of one
frame whatever the number of pairs, and a pair's flow does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mer_lib.motion import tvl1_kernels as kernels
from mer_lib.motion.opencv import one_thread
from mer_lib.motion.tvl1_energy import CONTRAST, SOFTNESS, Settings
from mer_lib.registry import register

_PLANES = 22
_LINE = 16  # floats in a cache line


@register(
    "flow",
    title="TV-L1",
    paper="Zach, Pock, Bischof: A duality based approach for realtime TV-L1 optical flow (2007)",
    doi="10.1007/978-3-540-74936-3_22",
)
def tvl1(
    first: np.ndarray,
    second: np.ndarray,
    *,
    constancy: str = "gradient",
    tau: float = 0.25,
    lambda_: float = 0.2,
    theta: float = 0.45,
    nscales: int = 9,
    scale_step: float = 0.7,
    warps: int = 2,
    epsilon: float = 0.0,
    inner_iterations: int = 12,
    outer_iterations: int = 1,
    median_filtering: int = 3,
    huber: float = 0.015,
    presmooth: float = 0.65,
) -> np.ndarray:
    """TV-L1 flow for micro-expressions: by default more accurate than all other methods here, in a few milliseconds.

    Faster: ``warps=1`` (0.6 of the time, error 8 % larger), then also ``scale_step=0.5`` (0.4 and 19 %). Slower:
    ``warps=3, scale_step=0.8`` (2, error 4 % smaller); more warps or iterations gain nothing where faces
    move. The energy of Zach et al. alone, as OpenCV has it: ``constancy='brightness', huber=0, presmooth=0,
    lambda_=0.15, theta=0.3`` and OpenCV's values for the rest.

    Parameters
    ----------
    first, second : (N, H, W) uint8
    constancy
        What stays as it moves: 'gradient' or 'brightness'. See ``tvl1_energy``, also for huber.
    tau, theta
        Time step of the dual problem, of which the paper recommends 1/4; coupling of data term and smoothness (θ of the
        paper). With 'gradient' theta is the step of the flow and no part of the energy.
    lambda_
        Weight of the data term: smaller is smoother.
    nscales, scale_step, warps
        Levels of the pyramid (fewer where one would fall below 16 pixels), their size ratio, warps a level.
    epsilon, inner_iterations, outer_iterations
        A warp ends at this mean squared change (its root, in pixels), or after inner × outer iterations.
    median_filtering
        Side of the median filter after each outer iteration, in pixels: 1 (none), 3 or 5.
    huber
        Gradient of the flow (pixels a pixel) below which smoothness is quadratic; 0 is total variation.
    presmooth
        Standard deviation of the Gaussian that takes noise off the frames before, in pixels; 0 leaves them.

    Returns
    -------
    (N, H, W, 2) float32, pixels.
    """
    settings = Settings(
        constancy,
        tau,
        lambda_,
        theta,
        nscales,
        scale_step,
        warps,
        epsilon,
        inner_iterations,
        outer_iterations,
        median_filtering,
        huber,
        presmooth,
    )
    field = np.empty((*first.shape, 2), np.float32)
    with one_thread():
        levels = _levels(settings.sizes(*first.shape[1:]))
        for n in range(len(first)):
            u, v = _solve(first[n], second[n], levels, settings)
            field[n, ..., 0], field[n, ..., 1] = u, v
    return field


class _Level:
    """One size of the pyramid: its views of the room that all levels share, as pictures (H, W) and flat (H·W)."""

    def __init__(self, room: np.ndarray, height: int, width: int) -> None:
        pixels = height * width
        self.size, self.pixels = (height, width), pixels
        self.state, self.flow, self.dual = room[:6], room[:2], room[2:6]
        self.u, self.v = (plane[width : width + pixels].reshape(height, width) for plane in self.flow)
        self.x_at, self.y_at, self.told = (plane[:pixels].reshape(height, width) for plane in room[6:9])
        self.derivatives = [plane[:pixels].reshape(height, width) for plane in room[9:17]]
        self.sums, self.half, self.terms = room[9:14], room[14], room[17:22]


def _levels(sizes: Sequence[tuple[int, int]]) -> list[_Level]:
    """The levels, the finest first, in a room whose planes start on cache lines."""
    height, width = sizes[0]
    length = -(-(height + 2) * width // _LINE) * _LINE
    raw = np.zeros(_PLANES * length + _LINE, np.float32)
    skip = -raw.ctypes.data // raw.itemsize % _LINE
    room = raw[skip : skip + _PLANES * length].reshape(_PLANES, length)
    return [_Level(room, *size) for size in sizes]


def _solve(first: np.ndarray, second: np.ndarray, levels: list[_Level], settings: Settings):
    """u and v (H, W) of a pair, from the coarsest level to the finest; they are overwritten by the next pair."""
    pyramid = [(_prepare(first, settings), _prepare(second, settings))]
    for level in levels[1:]:
        pyramid.append(tuple(cv2.resize(picture, level.size[::-1]) for picture in pyramid[-1]))
    coarse = None
    for level, (one, two) in zip(reversed(levels), reversed(pyramid), strict=True):
        start = None if coarse is None else _enlarge(coarse, level.size)
        level.state[:] = 0
        if start is not None:
            level.u[:], level.v[:] = start
        _solve_level(level, one, two, settings)
        coarse = level
    return level.u, level.v


def _prepare(frame: np.ndarray, settings: Settings) -> np.ndarray:
    picture = frame.astype(np.float32)
    if not settings.exact:
        picture -= picture.mean()  # its gradient knows no difference, and constant frames stay exactly constant
    kernel = settings.kernel
    if kernel is not None:
        picture = cv2.sepFilter2D(picture, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
    return picture


def _enlarge(coarse: _Level, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    (height, width), (to_height, to_width) = coarse.size, size
    u, v = (cv2.resize(field, (to_width, to_height)) for field in (coarse.u, coarse.v))
    return u * np.float32(to_width / width), v * np.float32(to_height / height)


def _solve_level(level: _Level, first: np.ndarray, second: np.ndarray, settings: Settings) -> None:
    if not settings.exact:
        kernels.derive(first, *level.derivatives[6:])
    for _ in range(settings.warps):
        kernels.aim(level.u, level.v, level.x_at, level.y_at, level.told)
        warped = cv2.remap(second, level.x_at, level.y_at, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        if settings.exact:
            _see_brightness(level, first, warped)
        else:
            _see_gradient(level, warped, settings.weight)
        _settle(level, settings)


def _see_brightness(level: _Level, first: np.ndarray, warped: np.ndarray) -> None:
    ix, iy = level.derivatives[:2]
    kernels.derive(warped, ix, iy)
    flat = (picture.ravel() for picture in (first, warped, ix, iy, level.told, level.u, level.v))
    kernels.brightness_terms(*flat, level.terms)


def _see_gradient(level: _Level, warped: np.ndarray, weight: float) -> None:
    ix, iy, ixx, ixy, iyx, iyy, first_x, first_y = level.derivatives
    kernels.derive(warped, ix, iy)
    kernels.derive(ix, ixx, ixy)
    kernels.derive(iy, iyx, iyy)
    ix -= first_x
    iy -= first_y
    flat = (picture.ravel() for picture in (ixx, ixy, iyy, ix, iy, level.told))
    kernels.gradient_terms(*flat, np.float32(CONTRAST), np.float32(SOFTNESS), level.terms)
    kernels.window_sums(level.terms, level.size, level.half, level.sums)
    kernels.invert(level.sums, np.float32(weight), level.u.ravel(), level.v.ravel(), level.terms)


def _settle(level: _Level, settings: Settings) -> None:
    """The iterations of one warp."""
    steps = (settings.theta, settings.lambda_ * settings.theta, settings.sigma, settings.huber)
    least = np.float32(settings.epsilon**2 * level.pixels)
    for _ in range(settings.outer_iterations):
        change = kernels.iterate(
            level.flow,
            level.dual,
            level.terms,
            level.size,
            settings.exact,
            *(np.float32(step) for step in steps),
            settings.inner_iterations,
            least,
        )
        if settings.median_filtering > 1:
            for field in (level.u, level.v):
                field[:] = cv2.medianBlur(field, settings.median_filtering)
        if change < least:
            break
