"""The head's movement to a tenth of a pixel: that of a plane, and the parallax of what stands out of it.

A homography moves a plane, and a head is none: when it turns by three degrees, nose and temples go half a pixel another
way. So a point p of the first frame, in half sides from its middle, is taken to

    x = (A p + a + κ(p) e) / (1 + g · p),

plane plus parallax [1]: κ is the relief of the mean face, less its own plane, e (2,) how far one interocular distance
of relief moves. Two numbers more than a homography has, and yet fewer are free: a turned face is a similarity but for
its relief, plane included, so A departs from that as little as it must. An expression fits no such movement.

It is found from all pixels of the head at once [2]: where the first frame's small windows lie in the other frame, and
how sure that is (their structure tensor), against where x puts them; windows that go elsewhere lose their say (Geman
and McClure's weights). Key points alone cannot do it: tracked through noise and JPEG they are a third of a pixel off.

[1] R. Kumar, P. Anandan, K. Hanna, "Direct recovery of shape from multiple views: a parallax based approach", ICPR 1994
[2] J. Bergen, P. Anandan, K. Hanna, R. Hingorani, "Hierarchical model-based motion estimation", ECCV 1992,
doi:10.1007/3-540-55426-2_27
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np

from mer_lib.faces import align

_MARGIN = 0.15  # of the crops that relief.npz was made of
_DEEPEST = -0.8  # interocular distances behind the eyes: beyond it are ears and wall, where a mean says little
_BLUR = 0.8  # pixels, sigma: derivatives of raw pixels are noise
_WINDOW = 5  # pixels, side of the windows
_CELLS = 42  # windows along the longer side
_STEPS = ((0.3, 0.2, 0.15), (0.15, 0.15), (0.15, 0.15))  # pixels off the common movement that cost a window most of its
# say, in each round of weighing; before each of the three, the frame is warped by what is known
_STIFF = 1.0  # how dear a departure from a similarity is, in the information that the pixels have on it
_FLAT = 1.0  # squared grey levels a pixel: windows with less contrast say nothing
_TURN = 0.35  # a head that turns by more (sine: 20 degrees) within a clip is another view
_FURTHER = 3.0  # pixels, median: nor is it that far from where its key points are
_FOUND = 4  # rounds that bring a point of a frame home; each brings two digits


@cache
def mean_relief() -> np.ndarray:
    """(n, n) float32 interocular distances that the mean face stands out from the point between its eyes, in a crop;
    of rendered people whom no corpus shows, see tools/build_relief.py."""
    with files("mer_lib.geometry").joinpath("relief.npz").open("rb") as file:
        return np.load(file)["relief"].astype(np.float32)


def relief_at(landmarks: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) float32 interocular distances: the mean face's relief where these landmarks (5, 2) are."""
    cells = mean_relief()
    pixels = align.template(len(cells), _MARGIN)
    place = align.similarity(pixels, landmarks)
    size = shape[1], shape[0]
    found = cv2.warpAffine(cells, place, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.maximum(found, _DEEPEST)


@dataclass(frozen=True)
class Movement:
    """How the head goes from the first frame to another.

    theta: (10,), the coefficients A00 A01 a0 e0 A10 A11 a1 e1 g0 g1 for points in half sides ``half`` (pixels) from
    ``middle`` (2,); relief: κ, (H, W) interocular distances.
    """

    theta: np.ndarray
    half: float
    middle: np.ndarray
    relief: np.ndarray

    @property
    def homography(self) -> np.ndarray:
        """(3, 3): the plane's, from pixels of the frame to pixels of the first."""
        forth = np.vstack([self.theta[[0, 1, 2]], self.theta[[4, 5, 6]], [*self.theta[8:], 1.0]])
        scaled = _scaling(self.half, self.middle)
        back = np.linalg.inv(scaled @ forth @ np.linalg.inv(scaled))
        return back / back[2, 2]

    @property
    def parallax(self) -> np.ndarray:
        """(2,) pixels of the frame that an interocular distance of relief moves."""
        return self.half * self.theta[[3, 7]]

    def places(self) -> np.ndarray:
        """(H, W, 2) float32: where of the frame each pixel of the first is."""
        height, width = self.relief.shape
        x = (np.arange(width) - self.middle[0]) / self.half
        y = (np.arange(height)[:, None] - self.middle[1]) / self.half
        return (_led(self.theta, x, y, self.relief) * self.half + self.middle).astype(np.float32)

    def warp(self, frame: np.ndarray) -> np.ndarray:
        """The frame (H, W) or (H, W, 3) with the head as in the first, bicubic, its edge repeated."""
        return cv2.remap(frame, self.places(), None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)

    def home(self, points: np.ndarray) -> np.ndarray:
        """Where of the first frame points (N, 2) of the frame are, in pixels."""
        found = cv2.perspectiveTransform(np.asarray(points, float)[None], self.homography)[0]
        for _ in range(_FOUND):
            at = np.nan_to_num(found, nan=-1).astype(np.float32)[None]
            stands = cv2.remap(self.relief, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
            far = 1 + (found - self.middle) / self.half @ self.theta[8:]
            level = points - (stands / far)[:, None] * self.parallax
            found = cv2.perspectiveTransform(level[None], self.homography)[0]
        return found


class Head:
    """The first frame's head, to which other frames are aligned.

    gray: (H, W) uint8; landmarks: (5, 2) pixels; mask: (H, W), not zero on the head.
    """

    def __init__(self, gray: np.ndarray, landmarks: np.ndarray, mask: np.ndarray) -> None:
        height, width = gray.shape
        self.half, self.middle = max(height, width) / 2, np.array([width - 1, height - 1]) / 2
        grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
        points, relief, on = (grid - self.middle) / self.half, relief_at(landmarks, gray.shape), mask > 0
        plane = np.linalg.lstsq(np.c_[points[on], np.ones(on.sum())], relief[on].astype(float), rcond=None)[0]
        self.relief = (relief - points @ plane[:2] - plane[2]).astype(np.float32)
        self._mask, self._slant = on.astype(np.uint8), plane[:2]
        self._apart = float(np.linalg.norm(landmarks[1] - landmarks[0]))
        step = max(1, round(2 * self.half / _CELLS))
        self._cells = np.ix_(range(step // 2, height, step), range(step // 2, width, step))
        self._on = on[self._cells]
        self._points, self._stands = self._at_cells(points), self._at_cells(self.relief).astype(float)
        self._sight = _smooth(gray)
        self._slopes = _slopes(self._sight)
        self._level = [value.item() for value in cv2.meanStdDev(self._sight, mask=self._mask)]

    def aligned(self, gray: np.ndarray, homography: np.ndarray) -> Movement | None:
        """The head's movement to a frame (H, W) uint8, sought from a homography (3, 3) of that frame to the first; None
        where it explains the pixels no better than this, or is none that a head makes.
        """
        frame, start = _smooth(gray), self._of_plane(homography)
        flow, tensor = self._windows(frame, start)
        theta, before = start, _misfit(flow, tensor)
        for scales in _STEPS:
            theta = self._fitted(theta, flow, tensor, scales)
            if not np.isfinite(theta).all() or self._wild(theta, start):
                return None
            flow, tensor = self._windows(frame, theta)
        better = _misfit(flow, tensor) < before
        return Movement(theta, self.half, self.middle, self.relief) if better else None

    def _at_cells(self, values: np.ndarray) -> np.ndarray:
        """Values (H, W, ...) at the windows on the head, (n, ...)."""
        return values[self._cells][self._on]

    def _of_plane(self, homography: np.ndarray) -> np.ndarray:
        scaled = _scaling(self.half, self.middle)
        forth = np.linalg.inv(scaled) @ np.linalg.inv(homography) @ scaled
        forth = forth / forth[2, 2]
        return np.array([*forth[0], 0.0, *forth[1], 0.0, *forth[2, :2]])

    def _wild(self, theta: np.ndarray, start: np.ndarray) -> bool:
        """Whether this is no head's movement."""
        off = self.half * np.linalg.norm(self._led(theta) - self._led(start), axis=1)
        return np.median(off) > _FURTHER or self.half * np.hypot(theta[3], theta[7]) > _TURN * self._apart

    def _led(self, theta: np.ndarray) -> np.ndarray:
        """Where the windows are led, (n, 2) half sides."""
        return _led(theta, *self._points.T, self._stands)

    def _windows(self, frame: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the windows of the first frame are off by in a frame brought to it by ``theta``: (n, 2) pixels, and
        their structure tensors (n, 3): xx, xy and yy, squared grey levels a pixel."""
        places = Movement(theta, self.half, self.middle, self.relief).places()
        brought = cv2.remap(frame, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        mean, std = (value.item() for value in cv2.meanStdDev(brought, mask=self._mask))
        brought = (brought - mean) * np.float32(self._level[1] / max(std, 1e-6)) + np.float32(self._level[0])
        apart = brought - self._sight
        gx, gy = ((one + other) / 2 for one, other in zip(_slopes(brought), self._slopes, strict=True))
        products = (gx * gx, gx * gy, gy * gy, gx * apart, gy * apart)
        xx, xy, yy, tx, ty = (self._at_cells(cv2.boxFilter(p, -1, (_WINDOW, _WINDOW))).astype(float) for p in products)
        sure = (xx + _FLAT) * (yy + _FLAT) - xy * xy
        flow = np.stack([(xy * ty - (yy + _FLAT) * tx) / sure, (xy * tx - (xx + _FLAT) * ty) / sure], axis=1)
        return flow, np.stack([xx, xy, yy], axis=1)

    def _fitted(self, theta: np.ndarray, flow: np.ndarray, tensor: np.ndarray, scales: tuple[float, ...]) -> np.ndarray:
        """``theta`` moved on by what explains the windows' flow, those that go elsewhere losing their say."""
        x, y = self._points.T
        depth = self.half / (1 + x * theta[8] + y * theta[9])
        u, v = self._led(theta).T
        row, none = np.stack([x, y, np.ones_like(x), self._stands], axis=1) * depth[:, None], np.zeros((len(x), 4))
        away = -self._points * depth[:, None]
        by_u = np.concatenate([row, none, u[:, None] * away], axis=1)
        by_v = np.concatenate([none, row, v[:, None] * away], axis=1)
        (cx, cy), bonds = self._slant, np.zeros((4, len(theta)))  # what a similarity with a relief has not
        bonds[0, [0, 3, 5, 7]] = 1, -cx, -1, cy
        bonds[1, [1, 3, 4, 7]] = 1, -cy, 1, -cx
        bonds[2, 8] = bonds[3, 9] = 1
        step = np.zeros_like(theta)
        for scale in scales:
            off = np.stack([flow[:, 0] - by_u @ step, flow[:, 1] - by_v @ step])
            say = _say(np.square(off).sum(axis=0), scale)
            xx, xy, yy = (tensor * say[:, None]).T
            to_u, to_v = by_u * xx[:, None] + by_v * xy[:, None], by_u * xy[:, None] + by_v * yy[:, None]
            known = by_u.T @ to_u + by_v.T @ to_v
            stiff = _STIFF * known.diagonal()[[0, 1, 4, 5]].mean()
            known += stiff * bonds.T @ bonds + np.diag(1e-6 * known.diagonal() + 1e-3)
            step = np.linalg.solve(known, to_u.T @ flow[:, 0] + to_v.T @ flow[:, 1] - stiff * bonds.T @ (bonds @ theta))
        return theta + step


def _scaling(half: float, middle: np.ndarray) -> np.ndarray:
    """(3, 3): half sides from the middle to pixels."""
    return np.array([[half, 0, middle[0]], [0, half, middle[1]], [0, 0, 1.0]])


def _led(theta: np.ndarray, x: np.ndarray, y: np.ndarray, stands: np.ndarray) -> np.ndarray:
    """Where points of a relief are led, (..., 2) half sides."""
    depth = 1 + theta[8] * x + theta[9] * y
    u = (theta[0] * x + theta[1] * y + theta[2] + theta[3] * stands) / depth
    v = (theta[4] * x + theta[5] * y + theta[6] + theta[7] * stands) / depth
    return np.stack([u, v], axis=-1)


def _smooth(gray: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(gray.astype(np.float32), (0, 0), _BLUR)


def _slopes(gray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives along x and y, grey levels a pixel."""
    return cv2.Scharr(gray, cv2.CV_32F, 1, 0, scale=1 / 32), cv2.Scharr(gray, cv2.CV_32F, 0, 1, scale=1 / 32)


def _say(off: np.ndarray, scale: float) -> np.ndarray:
    """The weight of windows that are off by the root of ``off`` pixels."""
    return 1 / np.square(1 + off / scale**2)


def _misfit(flow: np.ndarray, tensor: np.ndarray) -> float:
    """How badly windows fit, the sure ones first: 0, all where they should be, to 1, all elsewhere."""
    off, sure = np.square(flow).sum(axis=1), tensor[:, 0] + tensor[:, 2]
    return float((sure * off / (off + _STEPS[-1][-1] ** 2)).sum() / max(sure.sum(), 1e-9))
