"""Another number of frames for a clip: interpolated (TIM), picked uniformly or at random, or rebuilt from few modes.

Networks and descriptors want clips of one length, and clips differ. Every function takes values (T, …) in time order
(frames, flows, features) and returns (T', …). Interpolated flow is not the flow of interpolated frames: flow is to be
measured after the frames are resampled, or picked together with its frames.
"""

from __future__ import annotations

import numpy as np

from mer_lib.motion.dmd import sparse
from mer_lib.problems import BadInput

WAYS = ("tim", "uniform", "random", "sparse")


def sample(values: np.ndarray, count: int, how: str, seed: int = 0) -> np.ndarray:
    """(T, …) → (count, …) by one of ``WAYS``; ``seed`` is read by 'random' alone. Raises BadInput as they do."""
    if how not in WAYS:
        raise BadInput(f"no way to sample called '{how}'", f"one of {', '.join(WAYS)}")
    if how == "random":
        return random(values, count, seed)
    return {"tim": tim, "uniform": uniform, "sparse": sparse}[how](values, count)


def uniform(values: np.ndarray, count: int) -> np.ndarray:
    """(T, …) → (count, …): the values nearest to evenly spaced positions, first and last among them.

    More than T repeat some. A single one is the first. Raises BadInput for no value or a count below 1.
    """
    _check(values, count)
    return values[np.rint(np.linspace(0, len(values) - 1, count)).astype(int)]


def random(values: np.ndarray, count: int, seed: int) -> np.ndarray:
    """(T, …) → (count, …): values drawn without replacement, in time order. Raises BadInput for more than T."""
    _check(values, count)
    if count > len(values):
        raise BadInput(f"{count} frames to be drawn from {len(values)}", "draw fewer, or interpolate (tim)")
    return values[np.sort(np.random.default_rng(seed).choice(len(values), count, replace=False))]


def tim(values: np.ndarray, count: int) -> np.ndarray:
    """The temporal interpolation model: values at evenly spaced positions of the curve that the clip follows.

    The clip is a path graph whose Laplacian's eigenvectors are y_k(i) = sin(πki/T + π(T − k)/(2T)), k = 1 … T − 1; on
    the curve they are functions of a position t from 1/T to 1. The published method learns a linear map from the
    centred frames to these coordinates and goes back through it. For linearly independent frames (assumed there) that
    map is exact, so it needs no singular value decomposition: each new value is a fixed mixture of the T given ones.
    The mixture is the same for every clip of a length, and dependent frames need no special case.

    Parameters
    ----------
    values : (T, …)
        T ≥ 1. 8-bit values are rounded to 8 bits again, others become float32 (float64 stays).
    count
        Positions, from the first value to the last; with count = T the values come back.

    References
    ----------
    Zhou, Zhao, Pietikäinen: Towards a practical lipreading system (CVPR 2011), 10.1109/CVPR.2011.5995345; brought to
    micro-expressions by Pfister et al. (ICCV 2011), 10.1109/ICCV.2011.6126401
    """
    _check(values, count)
    kind = values.dtype if values.dtype == np.float64 else np.float32
    mixture = mixing(len(values), np.linspace(1 / len(values), 1, count)).astype(kind)
    mixed = np.tensordot(mixture, values.astype(kind, copy=False), 1)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8) if values.dtype == np.uint8 else mixed


def mixing(length: int, positions: np.ndarray) -> np.ndarray:
    """The shares (T', T) of the T given values in the values at the positions (T',) of the curve, 1/T to 1."""
    mode = np.arange(1, length)

    def curve(t: np.ndarray) -> np.ndarray:
        return np.sin(np.pi * mode * t[:, None] + np.pi * (length - mode) / (2 * length))

    own = curve(np.arange(1, length + 1) / length)  # (T, T − 1), columns orthogonal and of squared length T/2
    return (1 + 2 * curve(np.asarray(positions, float)) @ own.T) / length


def _check(values: np.ndarray, count: int) -> None:
    if len(values) < 1:
        raise BadInput("a clip of no frames", "check onset and offset of the clip")
    if count < 1:
        raise BadInput(f"{count} frames asked for", "ask for one at least")
