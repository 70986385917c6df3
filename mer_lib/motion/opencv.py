"""OpenCV's flows: TV-L1, DIS, Farnebäck, and Lucas–Kanade at every pixel, one pair at a time on one thread.

One thread because runs are parallel over clips, and a job that was given one core should use one; frames of a face are
too small to gain from more. Options keep OpenCV's names (in this project's spelling) and its defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from mer_lib.problems import BadInput
from mer_lib.registry import register

# OpenCV's preset, and the finest level: 0 is the full size, 1 half of it. 'fine' is this project's.
DIS_PRESETS = {
    "ultrafast": (cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST, 2),
    "fast": (cv2.DISOPTICAL_FLOW_PRESET_FAST, 2),
    "medium": (cv2.DISOPTICAL_FLOW_PRESET_MEDIUM, 1),
    "fine": (cv2.DISOPTICAL_FLOW_PRESET_MEDIUM, 0),
}
DIS_PATCH = 8  # pixels; the finest level must hold one


@register(
    "flow",
    title="TV-L1 (OpenCV)",
    paper="Zach, Pock, Bischof: A duality based approach for realtime TV-L1 optical flow (2007)",
    doi="10.1007/978-3-540-74936-3_22",
)
def tvl1_opencv(
    first: np.ndarray,
    second: np.ndarray,
    *,
    tau: float = 0.25,
    lambda_: float = 0.15,
    theta: float = 0.3,
    nscales: int = 5,
    warps: int = 5,
    epsilon: float = 0.01,
    inner_iterations: int = 30,
    outer_iterations: int = 10,
    scale_step: float = 0.8,
    gamma: float = 0.0,
    median_filtering: int = 5,
) -> np.ndarray:
    """TV-L1 flow, the method of most micro-expression papers: slow, robust to noise, keeps motion edges.

    Parameters
    ----------
    first, second : (N, H, W) uint8
    tau, theta
        Time step of the dual problem; coupling of data term and smoothness (θ of the paper).
    lambda_
        Weight of the data term: smaller is smoother.
    nscales, scale_step, warps
        Levels of the pyramid, their size ratio, warps a level.
    epsilon, inner_iterations, outer_iterations
        A warp ends at this mean squared change, or after inner × outer iterations.
    gamma
        Weight of an additive light change (0: brightness is constant).
    median_filtering
        Side of the median filter between outer iterations, in pixels: 1 (none), 3 or 5.

    Returns
    -------
    (N, H, W, 2) float32, pixels.
    """
    solver = cv2.optflow.DualTVL1OpticalFlow_create(
        tau=tau,
        lambda_=lambda_,
        theta=theta,
        nscales=nscales,
        warps=warps,
        epsilon=epsilon,
        innnerIterations=inner_iterations,  # OpenCV's own spelling
        outerIterations=outer_iterations,
        scaleStep=scale_step,
        gamma=gamma,
        medianFiltering=median_filtering,
    )
    return _pairwise(lambda a, b: solver.calc(a, b, None), first, second)


@register(
    "flow",
    title="DIS (OpenCV)",
    paper="Kroeger, Timofte, Dai, Van Gool: Fast optical flow using dense inverse search (2016)",
    doi="10.1007/978-3-319-46493-0_29",
)
def dis(first: np.ndarray, second: np.ndarray, *, preset: str = "medium", refinements: int = 5) -> np.ndarray:
    """Dense inverse search: a hundred times faster than OpenCV's TV-L1, for frame-to-frame flow.

    Parameters
    ----------
    first, second : (N, H, W) uint8
    preset
        'ultrafast', 'fast' and 'medium' are OpenCV's: they stop at a quarter or half of the size and scale their answer
        up. 'fine' is 'medium' carried on to full size: four times slower, and far more accurate on faces.
    refinements
        Iterations of variational refinement on each level; OpenCV's is 5, and none for 'ultrafast', whatever is given.

    Returns
    -------
    (N, H, W, 2) float32, pixels.
    """
    if preset not in DIS_PRESETS:
        raise BadInput(f"no DIS preset '{preset}'", f"one of {', '.join(DIS_PRESETS)}")
    base, finest = DIS_PRESETS[preset]
    if min(first.shape[1:]) < (least := DIS_PATCH << finest):  # OpenCV does not check, and crashes the process
        raise BadInput(f"frames less than {least} pixels high or wide", f"too small for the DIS preset '{preset}'")
    solver = cv2.DISOpticalFlow_create(base)
    solver.setFinestScale(finest)
    if preset != "ultrafast":
        solver.setVariationalRefinementIterations(refinements)
    return _pairwise(lambda a, b: solver.calc(a, b, None), first, second)


@register(
    "flow",
    title="Farnebäck (OpenCV)",
    paper="Farnebäck: Two-frame motion estimation based on polynomial expansion (2003)",
    doi="10.1007/3-540-45103-X_50",
)
def farneback(
    first: np.ndarray,
    second: np.ndarray,
    *,
    pyr_scale: float = 0.5,
    levels: int = 3,
    winsize: int = 15,
    iterations: int = 3,
    poly_n: int = 5,
    poly_sigma: float = 1.2,
) -> np.ndarray:
    """Flow by polynomial expansion: fast and smooth; ``winsize`` (pixels) sets the size of motion that survives.

    ``pyr_scale`` and ``levels`` shape the pyramid, ``poly_n`` (5 or 7 pixels) and ``poly_sigma`` the neighbourhood of
    the expansion. OpenCV has no defaults here; these are those of its documentation's example.
    (N, H, W) uint8 frames → (N, H, W, 2) float32, pixels.
    """

    def solve(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return cv2.calcOpticalFlowFarneback(
            a, b, None, pyr_scale, levels, winsize, iterations, poly_n, poly_sigma, flags=0
        )

    return _pairwise(solve, first, second)


@register(
    "flow",
    title="Lucas–Kanade (OpenCV)",
    paper="Bouguet: Pyramidal implementation of the affine Lucas Kanade feature tracker (2001)",
)
def lucas_kanade(
    first: np.ndarray,
    second: np.ndarray,
    *,
    winsize: int = 21,
    max_level: int = 3,
    iterations: int = 30,
    epsilon: float = 0.01,
    min_eigenvalue: float = 1e-4,
) -> np.ndarray:
    """Lucas–Kanade flow: every pixel tracked on its own through a pyramid; smooth only as far as windows overlap.

    Parameters
    ----------
    first, second : (N, H, W) uint8
    winsize
        Side of the window in pixels that is taken to move as one.
    max_level
        Halvings of the picture.
    iterations, epsilon
        A level ends after so many steps, or at a step shorter than this many pixels.
    min_eigenvalue
        A window whose structure tensor has a smaller eigenvalue (grey levels² a pixel, in OpenCV's scale) shows too
        little to be tracked.

    Returns
    -------
    (N, H, W, 2) float32, pixels; zero where OpenCV gives a pixel up, too flat or gone beyond the picture.
    """
    height, width = first.shape[1:]
    start = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32).reshape(-1, 1, 2)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, iterations, epsilon)

    def solve(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        end, found, _ = cv2.calcOpticalFlowPyrLK(
            a, b, start, None, None, None, (winsize, winsize), max_level, stop, 0, min_eigenvalue
        )
        return np.where(found[:, :, None] == 1, end - start, 0).reshape(height, width, 2)

    return _pairwise(solve, first, second)


def _pairwise(solve: Callable[[np.ndarray, np.ndarray], np.ndarray], first: np.ndarray, second: np.ndarray):
    field = np.empty((*first.shape, 2), np.float32)
    with one_thread():
        for n, (a, b) in enumerate(zip(first, second, strict=True)):
            try:
                field[n] = solve(np.ascontiguousarray(a), np.ascontiguousarray(b))
            except cv2.error as error:
                raise BadInput(f"OpenCV does not take these options ({error.err})", "see: mer list flows") from None
    return field


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV works on one thread inside the block."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
