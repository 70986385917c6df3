"""From the frame to the crop: one similarity transform a clip, from its landmarks to those of a canonical face."""

from __future__ import annotations

import cv2
import numpy as np

# Eyes, tip of the nose, corners of the mouth of an upright frontal face, in interocular distances from the point
# between the eyes; right and down positive. Proportions of the five-point template in general use for recognition
# (InsightFace, 112 × 112).
_CANONICAL = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, 0.57], [-0.41, 1.15], [0.41, 1.15]])
_FACE = 2.4  # interocular distances: side of the square that holds brows, chin and cheeks …
_CENTRE = 0.6  # … and how far its middle lies below the eyes
_REACH = 4  # pixels beyond the crop that interpolation may look at


def template(size: int, margin: float) -> np.ndarray:
    """Landmarks (5, 2) of the canonical face in a crop of ``size`` pixels, 1 + ``margin`` times the face's side."""
    scale = size / (_FACE * (1 + margin))
    return ((size - 1) / 2 + scale * (_CANONICAL - [0, _CENTRE])).astype(np.float32)


def similarity(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The rotation, scale and shift (2, 3) float32 that bring ``points`` (N, 2) closest to ``targets`` (N, 2).

    Least squares in closed form (S. Umeyama, IEEE TPAMI 13(4), 1991, doi:10.1109/34.88573; in the plane a complex
    regression, without mirroring). Points that all coincide give nan.
    """
    p = np.asarray(points, float) @ [1, 1j]
    t = np.asarray(targets, float) @ [1, 1j]
    with np.errstate(invalid="ignore", divide="ignore"):
        turn = np.vdot(p - p.mean(), t - t.mean()) / np.vdot(p - p.mean(), p - p.mean())
    shift = t.mean() - turn * p.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]], np.float32)


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """``points`` (..., 2) under an affine ``matrix`` (2, 3)."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def scale_of(matrix: np.ndarray) -> float:
    """Crop pixels a source pixel."""
    return float(np.sqrt(np.linalg.det(matrix[:, :2])))


def outside(matrix: np.ndarray, size: int, height: int, width: int) -> float:
    """Share of the crop's pixels that lie outside the frame."""
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1)
    x, y = np.moveaxis(transform(cv2.invertAffineTransform(matrix), grid), -1, 0)
    return float(np.mean((x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)))


class Warp:
    """Cuts the same crop (size, size, 3) out of every frame (H, W, 3) of a clip.

    Where the crop is smaller than the face in the frame, a Gaussian first removes what it cannot hold (sigma of half
    the excess, as scikit-image's anti-aliasing), since OpenCV has no area filter for warps: at a third of the size a
    shift of half a pixel is measured 18 % wrong without it, 2 % with it. Then bicubic, which measures movement like
    bilinear and keeps more of the texture that flow lives on. Beyond the frame its edge is repeated.
    """

    def __init__(self, matrix: np.ndarray, size: int, height: int, width: int) -> None:
        self._size = size
        self._sigma = max(0.0, (1 / scale_of(matrix) - 1) / 2)
        corners = transform(cv2.invertAffineTransform(matrix), np.array([[0, 0], [0, size], [size, 0], [size, size]]))
        reach = _REACH + int(np.ceil(4 * self._sigma))
        low = np.clip(np.floor(corners.min(axis=0)) - reach, 0, [width - 1, height - 1]).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)) + reach, 1, [width, height]).astype(int)
        self._window = (slice(low[1], high[1]), slice(low[0], high[0]))  # the part of the frame that matters
        self._matrix = matrix.astype(float)
        self._matrix[:, 2] = transform(self._matrix, low)

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        part = frame[self._window]
        if self._sigma > 0.1:
            part = cv2.GaussianBlur(part, (0, 0), self._sigma, borderType=cv2.BORDER_REPLICATE)
        shape = (self._size, self._size)
        return cv2.warpAffine(part, self._matrix, shape, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
