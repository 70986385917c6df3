"""Horn–Schunck and Black–Anandan: the two classical variational flows, coarse to fine with warping, in compiled code.

Both minimise Σ ρ_D(I_x u + I_y v + I_t) + α² Σ ρ_S(differences of u and of v between neighbours) over a pyramid. With
ρ(r) = σ² log(1 + r²/2σ²), Black and Anandan's Lorentzian in a scale where small r cost r²/2, Horn and Schunck's squares
are its limit for σ → ∞, so one solver serves both: weights 1/(1 + r²/2σ²) are held while successive over-relaxation
solves the linear system, then renewed. Derivatives are Sun, Roth and Black's (CVPR 2010): five points, averaged over
the first picture and the warped second one; a point whose match lies outside the picture has no data term.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numba import njit

from mer_lib.motion.contrast import normalise
from mer_lib.motion.opencv import one_thread
from mer_lib.problems import BadInput
from mer_lib.registry import register

_DERIVATIVE = np.float32([1, -8, 0, 8, -1]) / 12
_SMALLEST = 16  # pixels; a smaller level of the pyramid shows nothing of a face
_OVER = 1.9  # factor of over-relaxation
_RENEWALS = 3  # of the weights after each warp


@register(
    "flow",
    title="Horn–Schunck",
    paper="Horn, Schunck: Determining optical flow (1981)",
    doi="10.1016/0004-3702(81)90024-2",
)
def horn_schunck(
    first: np.ndarray,
    second: np.ndarray,
    *,
    alpha: float = 7.0,
    contrast: float = 4.0,
    nscales: int = 4,
    scale_step: float = 0.5,
    warps: int = 2,
    iterations: int = 8,
) -> np.ndarray:
    """Flow with quadratic data term and smoothness: smooth everywhere, motion edges too.

    Parameters
    ----------
    first, second : (N, H, W) uint8
    alpha
        Grey levels; the larger, the smoother (α of the paper).
    contrast
        Pixels, the window in which contrast is brought to one level before (``contrast.normalise``): light may then
        change between the frames. 0 takes the grey values as they are, as the paper does; alpha of 10 fits then.
    nscales, scale_step, warps
        Levels of the pyramid (fewer where they would fall below 16 pixels), their size ratio, warps a level.
    iterations
        Sweeps of over-relaxation a warp.

    Returns
    -------
    (N, H, W, 2) float32, pixels.
    """
    plan = [(np.inf, np.inf)] * warps
    return _each(first, second, alpha, contrast, nscales, scale_step, plan, 1, iterations)


@register(
    "flow",
    title="Black–Anandan",
    paper="Black, Anandan: The robust estimation of multiple motions (1996)",
    doi="10.1006/cviu.1996.0006",
)
def black_anandan(
    first: np.ndarray,
    second: np.ndarray,
    *,
    alpha: float = 6.0,
    contrast: float = 4.0,
    sigma_data: float = 3.0,
    sigma_smooth: float = 0.3,
    start: float = 8.0,
    nscales: int = 4,
    scale_step: float = 0.5,
    warps: int = 3,
    iterations: int = 4,
) -> np.ndarray:
    """Flow with Lorentzian data term and smoothness: lets edges of motion and outliers of brightness be.

    Graduated non-convexity: over the warps of each level both σ fall, in equal ratios, from ``start`` times their
    values to the values themselves, so that the first energies are (nearly) convex.

    Parameters
    ----------
    first, second : (N, H, W) uint8
    alpha
        Grey levels; the larger, the smoother.
    contrast
        Pixels, the window in which contrast is brought to one level before (``contrast.normalise``): light may then
        change between the frames. 0 takes the grey values as they are, as the paper does.
    sigma_data, sigma_smooth
        Residual in grey levels, and difference between neighbours in pixels, from √2 times which on a point counts as
        an outlier.
    start
        The first σ over the last.
    nscales, scale_step, warps
        Levels of the pyramid (fewer where they would fall below 16 pixels), their size ratio, warps a level.
    iterations
        Sweeps of over-relaxation for each of the three renewals of the weights that follow a warp.

    Returns
    -------
    (N, H, W, 2) float32, pixels.
    """
    factors = np.float64(max(start, 0)) ** np.linspace(1, 0, max(warps, 0))
    plan = [(factor * sigma_data, factor * sigma_smooth) for factor in factors]
    return _each(first, second, alpha, contrast, nscales, scale_step, plan, _RENEWALS, iterations)


def _each(first, second, alpha, contrast, nscales, step, plan, renewals, sweeps) -> np.ndarray:
    sigmas = [sigma for pair in plan for sigma in pair]
    if not (alpha > 0 and 0 < step < 1 and min(sigmas, default=0) > 0 and contrast >= 0 and min(nscales, sweeps) > 0):
        raise BadInput(
            f"alpha {alpha}, contrast {contrast}, nscales {nscales}, scale_step {step}, {len(plan)} warps with sigmas "
            f"{sigmas}, iterations {sweeps}",
            "contrast may be 0, scale_step is below 1, counts are from 1, all others above 0",
        )
    field = np.empty((*first.shape, 2), np.float32)
    with one_thread():
        for n, (a, b) in enumerate(zip(first, second, strict=True)):
            levels = list(zip(*(pyramid(normalise(x, contrast), nscales, step) for x in (a, b)), strict=True))
            u = v = np.zeros(levels[-1][0].shape, np.float32)
            for one, two in reversed(levels):
                u, v = _enlarge(u, v, one.shape)
                u, v = _solve_level(one, two, u, v, alpha**2, plan, renewals, sweeps)
            field[n, ..., 0], field[n, ..., 1] = u, v
    return field


def pyramid(frame: np.ndarray, nscales: int, step: float) -> list[np.ndarray]:
    """The frame (H, W) float32 and ever smaller ones: blurred as far as the next size asks for, then sampled."""
    levels = [frame]
    sigma = 0.6 * np.sqrt(step**-2 - 1)
    for k in range(1, nscales):
        height, width = (round(side * step**k) for side in frame.shape)
        if min(height, width) < _SMALLEST:
            break
        blurred = cv2.GaussianBlur(levels[-1], (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        levels.append(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR))
    return levels


def _enlarge(u: np.ndarray, v: np.ndarray, shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    if u.shape == shape:
        return u, v
    ratio = np.float32(shape[1] / u.shape[1]), np.float32(shape[0] / u.shape[0])
    return tuple(
        cv2.resize(part, shape[::-1], interpolation=cv2.INTER_LINEAR) * r for part, r in zip((u, v), ratio, strict=True)
    )


def _solve_level(one, two, u, v, alpha2, plan, renewals, sweeps) -> tuple[np.ndarray, np.ndarray]:
    slope = [derivative(one, axis) for axis in (1, 0)]
    for sigma_data, sigma_smooth in plan:
        warped, inside = warp(two, u, v)
        ix, iy = ((s + derivative(warped, axis)) / 2 * inside for s, axis in zip(slope, (1, 0), strict=True))
        it = (warped - one) * inside - ix * u - iy * v  # so that the residual is ix u + iy v + it of the whole flow
        u, v = u.copy(), v.copy()
        for _ in range(renewals):
            data = _weights(ix * u + iy * v + it, sigma_data)
            edges = [_weights(np.diff(part, axis=axis), sigma_smooth) for part in (u, v) for axis in (1, 0)]
            relax(u, v, ix, iy, it, data, *edges, np.float32(alpha2), sweeps)
    return u, v


def derivative(picture: np.ndarray, axis: int) -> np.ndarray:
    """∂/∂x (axis 1) or ∂/∂y (axis 0) of (H, W) float32 by five points; the edge is repeated."""
    kernels = (_DERIVATIVE, np.ones(1, np.float32))
    return cv2.sepFilter2D(picture, cv2.CV_32F, *(kernels if axis else kernels[::-1]), borderType=cv2.BORDER_REPLICATE)


def _weights(residual: np.ndarray, sigma: float) -> np.ndarray:
    return 1 / (1 + residual**2 * np.float32(0.5 / sigma**2))


@njit(cache=True)
def warp(picture: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture (H, W) float32 fetched from (x + u, y + v), and 1 where that lies within it, else 0.

    Bicubic (Keys 1981, a = −1/2). OpenCV's remap rounds places to 1/32 pixel, a tenth of the movements sought here.
    """
    height, width = picture.shape
    fetched = np.zeros((height, width), np.float32)
    inside = np.zeros((height, width), np.float32)
    across, down = np.empty(4, np.float32), np.empty(4, np.float32)
    for i in range(height):
        for j in range(width):
            x, y = j + u[i, j], i + v[i, j]
            if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
                continue
            inside[i, j] = 1
            left, top = int(x), int(y)
            _keys(np.float32(x - left), across)
            _keys(np.float32(y - top), down)
            total = np.float32(0)
            for k in range(4):
                row = min(max(top + k - 1, 0), height - 1)
                line = np.float32(0)
                for m in range(4):
                    line += across[m] * picture[row, min(max(left + m - 1, 0), width - 1)]
                total += down[k] * line
            fetched[i, j] = total
    return fetched, inside


@njit(inline="always")
def _keys(t, weights):
    half = np.float32(0.5)
    weights[0] = ((-half * t + 1) * t - half) * t
    weights[1] = (np.float32(1.5) * t - np.float32(2.5)) * t * t + 1
    weights[2] = ((-np.float32(1.5) * t + 2) * t + half) * t
    weights[3] = (half * t - half) * t * t


@njit(cache=True, fastmath=True)
def relax(u, v, ix, iy, it, data, right_u, below_u, right_v, below_v, alpha2, sweeps):
    """Solve the weighted linear system in place by ``sweeps`` of over-relaxation, both unknowns of a pixel at once.

    The minimum over u and v, (H, W) float32, of Σ data (ix u + iy v + it)² + alpha2 Σ edge weights (differences)²;
    right_… (H, W − 1) and below_… (H − 1, W) weigh the differences to the neighbours on the right and below.
    """
    height, width = u.shape
    own = np.empty((height, width, 5), np.float32)  # the inverse of each pixel's 2 × 2 matrix, and its right-hand side
    sides = np.zeros((2, height + 1, width + 1, 2), np.float32)  # weights to the left and above; zero beyond the edge
    for c in range(2):
        right, below = (right_u, below_u) if c == 0 else (right_v, below_v)
        sides[c, :height, 1:width, 0] = alpha2 * right
        sides[c, 1:height, :width, 1] = alpha2 * below
    for i in range(height):
        for j in range(width):
            a = sides[0, i, j, 0] + sides[0, i, j + 1, 0] + sides[0, i, j, 1] + sides[0, i + 1, j, 1]
            d = sides[1, i, j, 0] + sides[1, i, j + 1, 0] + sides[1, i, j, 1] + sides[1, i + 1, j, 1]
            a += data[i, j] * ix[i, j] * ix[i, j]
            b = data[i, j] * ix[i, j] * iy[i, j]
            d += data[i, j] * iy[i, j] * iy[i, j]
            scale = np.float32(1) / max(a * d - b * b, np.float32(1e-20))
            own[i, j, 0], own[i, j, 1], own[i, j, 2] = d * scale, -b * scale, a * scale
            own[i, j, 3], own[i, j, 4] = -data[i, j] * ix[i, j] * it[i, j], -data[i, j] * iy[i, j] * it[i, j]
    over = np.float32(_OVER)
    for _ in range(sweeps):
        for i in range(height):
            up, down = max(i - 1, 0), min(i + 1, height - 1)
            for j in range(width):
                near, far = max(j - 1, 0), min(j + 1, width - 1)
                p = own[i, j, 3] + sides[0, i, j, 0] * u[i, near] + sides[0, i, j + 1, 0] * u[i, far]
                p += sides[0, i, j, 1] * u[up, j] + sides[0, i + 1, j, 1] * u[down, j]
                q = own[i, j, 4] + sides[1, i, j, 0] * v[i, near] + sides[1, i, j + 1, 0] * v[i, far]
                q += sides[1, i, j, 1] * v[up, j] + sides[1, i + 1, j, 1] * v[down, j]
                u[i, j] += over * (own[i, j, 0] * p + own[i, j, 1] * q - u[i, j])
                v[i, j] += over * (own[i, j, 1] * p + own[i, j, 2] * q - v[i, j])
