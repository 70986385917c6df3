"""The head's movement to a tenth of a pixel: that of a plane, and the parallax of what stands out of it.

A homography moves a plane, and a head is none: when it turns by three degrees, nose and temples go half a pixel another
way. So a point p of the first frame, in half sides from its middle, is taken to

    x = (A p + a + κ(p) e) / (1 + g · p),

plane plus parallax [1]: κ is the person's relief (:mod:`mer_lib.geometry.likeness`), less its own plane, e (2,) how far
one interocular distance of relief moves. Two numbers more than a homography has, and yet fewer are free: a turned face
is a similarity but for its relief, plane included, so A departs from that as little as it must.

It is found from all pixels of the head at once [2]: where the first frame's small windows lie in the other frame, and
how sure that is (their structure tensor), against where x puts them. An expression is told from the head in two ways.
What action units may do to the skin is fitted beside x, each by no more than it must, and forgotten: without it, x
follows what fills half a face. And windows that go elsewhere still lose their say (Geman and McClure's weights). Key
points alone cannot do it: tracked through noise and JPEG they are a third of a pixel off.

[1] R. Kumar, P. Anandan, K. Hanna, "Direct recovery of shape from multiple views: a parallax based approach", ICPR 1994
[2] J. Bergen, P. Anandan, K. Hanna, R. Hingorani, "Hierarchical model-based motion estimation", ECCV 1992,
doi:10.1007/3-540-55426-2_27
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mer_lib.geometry.likeness import movements_of, relief_of

_THETA = 10  # numbers of a movement
_BLUR = 0.8  # pixels, sigma: derivatives of raw pixels are noise
_WINDOW = 5  # pixels, side of the windows
_CELLS = 42  # windows along the longer side
_STEPS = ((0.3, 0.2, 0.15), (0.15, 0.15), (0.15, 0.15))  # pixels off the common movement that cost a window most of its
# say, in each round of weighing; before each of the three, the frame is warped by what is known
_STIFF = 1.0  # how dear a departure from a similarity is, in the information that the pixels have on it
_CALM = 60.0  # how dear an action unit is that moves the skin by a pixel of a crop of 128, in squared grey levels
_FLAT = 1.0  # squared grey levels a pixel: windows with less contrast say nothing
_TURN = 0.35  # a head that turns by more (sine: 20 degrees) within a clip is another view
_FURTHER = 3.0  # pixels, median: nor is it that far from where its key points are
_FOUND = 4  # rounds that bring a point of a frame home; each brings two digits


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
        points, relief, on = (grid - self.middle) / self.half, relief_of(gray, landmarks), mask > 0
        plane = np.linalg.lstsq(np.c_[points[on], np.ones(on.sum())], relief[on].astype(float), rcond=None)[0]
        self.relief = (relief - points @ plane[:2] - plane[2]).astype(np.float32)
        self._mask, self._slant = on.astype(np.uint8), plane[:2]
        self._apart = float(np.linalg.norm(landmarks[1] - landmarks[0]))
        step = max(1, round(2 * self.half / _CELLS))
        self._cells = np.ix_(range(step // 2, height, step), range(step // 2, width, step))
        self._on = on[self._cells]
        self._points, self._stands = self._at_cells(points), self._at_cells(self.relief).astype(float)
        skin = step * movements_of((landmarks - step // 2) / step, self._on.shape)[:, self._on].astype(float)
        self._skin_u, self._skin_v = skin[..., 0].T, skin[..., 1].T
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
        by_u = np.concatenate([row, none, u[:, None] * away, self._skin_u, flow[:, :1]], axis=1)
        by_v = np.concatenate([none, row, v[:, None] * away, self._skin_v, flow[:, 1:]], axis=1)
        xx, xy, yy = tensor.T[..., None]
        root = np.sqrt(np.maximum(xx, 1e-9))  # the tensors' triangular factors: squares become plain sums
        rows = np.stack([by_u * root + by_v * (xy / root), by_v * np.sqrt(np.maximum(yy - xy * xy / root**2, 0))])
        (cx, cy), bonds = self._slant, np.zeros((4, len(theta)))  # what a similarity with a relief has not
        bonds[0, [0, 3, 5, 7]] = 1, -cx, -1, cy
        bonds[1, [1, 3, 4, 7]] = 1, -cy, 1, -cx
        bonds[2, 8] = bonds[3, 9] = 1
        step, head = np.zeros(by_u.shape[1] - 1), np.s_[:_THETA]
        for scale in scales:
            left = np.append(-step, 1)
            say = _say(np.square(by_u @ left) + np.square(by_v @ left), scale)
            said = (rows * np.sqrt(say)[:, None]).reshape(-1, rows.shape[2])
            every = said.T @ said
            known, wanted = every[:-1, :-1], every[:-1, -1]
            of_head = known.diagonal()[head]
            stiff = _STIFF * of_head[[0, 1, 4, 5]].mean()
            dear = np.concatenate([1e-6 * of_head + 1e-3, np.full(len(step) - _THETA, _CALM)])
            known[head, head] += stiff * bonds.T @ bonds
            wanted[head] -= stiff * bonds.T @ (bonds @ theta)
            step = np.linalg.solve(known + np.diag(dear), wanted)
        return theta + step[head]


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
