"""Every frame of a clip brought onto its first, so that what still moves is the face and not the head.

ORB key points [1] of the first frame's head and its landmarks are followed into each frame by pyramidal Lucas-Kanade
[2], which places them to a tenth of a pixel where matches of descriptors are off by half a one. RANSAC [3] finds the
points that the head carries, and the homography is fitted to these.

The care is for what an expression moves. A homography sought by RANSAC itself is free enough to follow a mouth or both
brows. So points spread over the whole head instead of crowding on eyes and mouth, the consensus is sought among
similarities, which no expression resembles, within a narrow band, and the homography is fitted to that consensus.
From there the parallax of the head's relief is found (:mod:`mer_lib.geometry.parallax`). How well all of it does:
docs/registration.md.

[1] E. Rublee et al., "ORB: an efficient alternative to SIFT or SURF", ICCV 2011, doi:10.1109/ICCV.2011.6126544
[2] J.-Y. Bouguet, "Pyramidal implementation of the Lucas Kanade feature tracker", Intel, 2000
[3] M. Fischler, R. Bolles, "Random sample consensus", CACM 24(6), 1981, doi:10.1145/358669.358692
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mer_lib.faces import align
from mer_lib.geometry.parallax import Head, Movement
from mer_lib.problems import note

REFERENCE, HOMOGRAPHY, SIMILARITY, IDENTITY = range(4)

_MOUTH = 1.15  # interocular distances from the eyes to the mouth, whichever way the head is turned
_BEHIND = 1.2  # the middle of the head lies behind the eyes by so many times what the nose stands out
_CELL = 8  # pixels: key points are spread over cells of this size
_FEWEST = 12  # inliers: a homography needs four; with fewer than three times as many it follows noise
_INLIERS = 0.25  # share of the tracked points that must obey it
_BANDS = (1, 2, 4)  # times ransac_px: a wider one is tried only where too few points agree within the narrower
_ROUND_TRIP = 0.5  # pixels: a point tracked there and back must come home this near
_WILD_SCALE = 1.5  # times, anywhere in the frame: no head grows by more within a clip …
_WILD_SHIFT = 0.5  # of the frame's side, of any corner: … or moves further
_DETECTOR_NOISE = 1.0  # pixels: landmarks that moved less tell nothing
# A window of 15 pixels, 30 steps of it and all levels on the way back cost twice the time and place no better.
_TRACKING = {"winSize": (11, 11), "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 0.01)}
_LEVELS, _LEVELS_BACK = 3, 1


@dataclass(frozen=True)
class Located:
    """Where the head of a clip is, frame by frame.

    homography: (T, 3, 3) float32, pixels of the frame to pixels of the first frame; where parallax (T, 2) float32 is
    not zero, the movement of the face's plane, and parallax how many pixels one interocular distance of relief moves
    (:mod:`mer_lib.geometry.parallax`). how: (T,) uint8, 0 the first frame itself, 1 homography, with parallax or
    without, 2 similarity of the landmarks, 3 identity (nothing better to be had). residual: (T,) float32, median
    distance in pixels, after registration, of the points that the homography was found by: its inliers, else the
    landmarks. movements: of the frames with parallax, by their number.
    """

    homography: np.ndarray
    parallax: np.ndarray
    how: np.ndarray
    residual: np.ndarray
    movements: dict[int, Movement]

    def home(self, t: int, points: np.ndarray) -> np.ndarray:
        """Where registration brings points (N, 2) of frame t."""
        return self.movements[t].home(points) if t in self.movements else _apply(self.homography[t], points)

    def places(self, t: int, shape: tuple[int, int]) -> np.ndarray:
        """(H, W, 2) float32: where of frame t each pixel of the first is."""
        if t in self.movements:
            return self.movements[t].places()
        pixels = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), axis=-1)
        back = np.linalg.inv(self.homography[t].astype(float))
        return _apply(back, pixels.reshape(-1, 2)).reshape(pixels.shape).astype(np.float32)

    def warp(self, t: int, frame: np.ndarray) -> np.ndarray:
        """Another picture of frame t, (S, S) or (S, S, 3), registered."""
        if t in self.movements:
            return self.movements[t].warp(frame)
        return frame if np.array_equal(self.homography[t], np.eye(3)) else warp(frame, self.homography[t])


@dataclass(frozen=True)
class Registered(Located):
    """A registered clip. frames: (T, S, S, 3) uint8, each as the camera would see it with the head as in the first;
    landmarks: (T, 5, 2) float32, where they are then.
    """

    frames: np.ndarray
    landmarks: np.ndarray


def register(frames: np.ndarray, landmarks: np.ndarray, *, features: int = 300, ransac_px: float = 0.3) -> Registered:
    """Bring every frame of a clip onto its first.

    frames: (T, S, S, 3) uint8 RGB; landmarks: (T, 5, 2) pixels, see :class:`mer_lib.faces.crop.FaceClip`. At most
    ``features`` key points are followed; those within ``ransac_px`` pixels of where the head's movement puts them
    define it (a narrow band keeps expressions out, a wide one bears more noise; it is doubled, twice at most, where a
    quarter of the points cannot agree). From there the head's pixels tell the parallax of its relief, where it explains
    them better. A frame with too few such points, or with a homography that no head can make,
    falls back to the similarity of the landmarks, and where these moved no more than their noise, to identity. Frames
    are resampled once, bicubic, edges repeated.
    """
    found = locate(frames, landmarks, features=features, ransac_px=ransac_px)
    return Registered(
        **vars(found),
        frames=np.stack([found.warp(t, frame) for t, frame in enumerate(frames)]),
        landmarks=np.stack([found.home(t, marks) for t, marks in enumerate(landmarks)]).astype(np.float32),
    )


def locate(frames: np.ndarray, landmarks: np.ndarray, *, features: int = 300, ransac_px: float = 0.3) -> Located:
    """As :func:`register`, but no frame is resampled: where the head is, not what it looks like there."""
    reference = _Reference(frames[0], landmarks[0], features)
    homography = np.tile(np.eye(3), (len(frames), 1, 1))
    how, residual = np.full(len(frames), REFERENCE, np.uint8), np.zeros(len(frames), np.float32)
    movements: dict[int, Movement] = {}
    last = np.eye(3)  # tracking starts from where the head was in the frame before
    for t in range(1, len(frames)):
        last, how[t], here, there = _found(reference, frames[t], landmarks[t], last, ransac_px)
        homography[t] = last
        if how[t] == HOMOGRAPHY and (movement := reference.head.aligned(reference.alike(frames[t]), last)):
            movements[t], homography[t] = movement, movement.homography
        home = movements[t].home(here) if t in movements else _apply(last, here)
        residual[t] = np.median(np.linalg.norm(home - there, axis=1))
    _tell(how)
    parallax = np.stack([movements[t].parallax if t in movements else np.zeros(2) for t in range(len(frames))])
    return Located(homography.astype(np.float32), parallax.astype(np.float32), how, residual, movements)


def _tell(how: np.ndarray) -> None:
    """A note that counts the frames that fell back, if there are any."""
    by_landmarks, left = int((how == SIMILARITY).sum()), int((how == IDENTITY).sum())
    if by_landmarks or left:
        note(
            f"{by_landmarks + left} of {len(how) - 1} frames could not be registered by their points: {by_landmarks} "
            f"were by the landmarks, {left} were left as they are",
            "look for blur, a hand before the face or the face leaving; choose an interval without",
        )


class _Reference:
    """The first frame: its key points (N, 2) on the head, and the brightness that others are brought to."""

    def __init__(self, frame: np.ndarray, landmarks: np.ndarray, features: int) -> None:
        self.frame, self.landmarks = frame, landmarks
        self.gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        self._head = head_mask(landmarks, self.gray.shape)
        self._mean, self._std = (value.item() for value in cv2.meanStdDev(self.gray, mask=self._head))
        self.head = Head(self.gray, landmarks, self._head)
        self.points = np.concatenate([_key_points(self.gray, self._head, features), landmarks]).astype(np.float32)

    def alike(self, frame: np.ndarray) -> np.ndarray:
        """``frame`` in grey at the reference's brightness and contrast: tracking takes a change of light for motion."""
        gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        mean, std = (value.item() for value in cv2.meanStdDev(gray, mask=self._head))
        gain = self._std / std if std > 0 else 1.0
        return np.clip(np.rint(gain * (gray - np.float32(mean)) + self._mean), 0, 255).astype(np.uint8)


def head_mask(landmarks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An ellipse from hair to chin and ear to ear, (H, W) uint8: what is behind the head does not move with it.

    A head that is turned shows its eyes closer together and its nose beside the line between eyes and mouth; most of
    it then lies on the other side of that line.
    """
    left, right, nose, *mouth = np.asarray(landmarks, float)
    eyes, along = (left + right) / 2, (right - left) / max(np.linalg.norm(right - left), 1.0)
    down = np.array([-along[1], along[0]])
    apart = max(np.linalg.norm(right - left), (np.mean(mouth, axis=0) - eyes) @ down / _MOUTH)
    aside = (nose - eyes) @ along
    centre = eyes + 0.45 * apart * down - _BEHIND * aside * along
    turn = np.degrees(np.arctan2(along[1], along[0]))
    mask = np.zeros(shape[:2], np.uint8)
    cv2.ellipse(mask, (centre.tolist(), (2.4 * apart, 2.9 * apart), turn), 255, cv2.FILLED)
    return mask if mask.any() else np.full(shape[:2], 255, np.uint8)


def _key_points(gray: np.ndarray, mask: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` ORB key points (N, 2), the strongest of each cell before the second of any."""
    # ORB's own settings are for large pictures: its border of 31 pixels alone would leave half of a crop.
    orb = cv2.ORB_create(4 * count, nlevels=4, edgeThreshold=8, patchSize=16, fastThreshold=3)
    found = sorted(orb.detect(gray, mask), key=lambda point: -point.response)
    taken: dict[tuple[int, int], int] = {}
    turns = []
    for point in found:
        cell = (int(point.pt[0] // _CELL), int(point.pt[1] // _CELL))
        turns.append(taken.get(cell, 0))
        taken[cell] = turns[-1] + 1
    order = np.argsort(turns, kind="stable")[:count]
    return np.array([found[i].pt for i in order], float).reshape(-1, 2)


def _found(
    reference: _Reference, frame: np.ndarray, landmarks: np.ndarray, last: np.ndarray, ransac_px: float
) -> tuple[np.ndarray, int, np.ndarray, np.ndarray]:
    """(homography (3, 3) from ``frame`` to the reference, how, the points (N, 2) of either that it was found by)."""
    if np.array_equal(frame, reference.frame):
        return np.eye(3), HOMOGRAPHY, reference.points, reference.points
    there, here = _track(reference, frame, last)
    for widen in _BANDS:
        homography, inliers = _head_homography(here, there, widen * ransac_px)
        if inliers.sum() >= max(_FEWEST, _INLIERS * len(here)) and _plausible(homography, frame.shape):
            return homography, HOMOGRAPHY, here[inliers], there[inliers]
    if np.median(np.linalg.norm(landmarks - reference.landmarks, axis=1)) > _DETECTOR_NOISE:
        similarity = np.vstack([align.similarity(landmarks, reference.landmarks), [0, 0, 1]])
        if _plausible(similarity, frame.shape):
            return similarity, SIMILARITY, landmarks, reference.landmarks
    return np.eye(3), IDENTITY, landmarks, reference.landmarks


def _track(reference: _Reference, frame: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) of the reference found in ``frame``, and where: those that come home when tracked back.

    The frame is first moved by ``last``, so that tracking is left with the movement since: windows neither turn nor
    grow with the head, and a turned one is placed wrongly.
    """
    start = reference.points
    gray = warp(reference.alike(frame), last)
    there, ok, _ = cv2.calcOpticalFlowPyrLK(reference.gray, gray, start, None, maxLevel=_LEVELS, **_TRACKING)
    home, back, _ = cv2.calcOpticalFlowPyrLK(gray, reference.gray, there, None, maxLevel=_LEVELS_BACK, **_TRACKING)
    kept = (ok.ravel() == 1) & (back.ravel() == 1) & (np.linalg.norm(home - start, axis=1) < _ROUND_TRIP)
    return start[kept], _apply(np.linalg.inv(last), there[kept])


def _head_homography(here: np.ndarray, there: np.ndarray, band: float) -> tuple[np.ndarray, np.ndarray]:
    """Homography (3, 3) of the points ``here`` (N, 2) that move as one to ``there``, and which these are (N,) bool."""
    none = np.eye(3), np.zeros(len(here), bool)
    if len(here) < _FEWEST:
        return none
    # OpenCV draws RANSAC's samples from a generator of its own with a fixed seed: same points, same result.
    similarity, _ = cv2.estimateAffinePartial2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=band)
    if similarity is None:
        return none
    inliers = np.linalg.norm(align.transform(similarity, here) - there, axis=1) < band
    if inliers.sum() < _FEWEST:
        return none
    homography, _ = cv2.findHomography(here[inliers], there[inliers])
    return none if homography is None else (homography, inliers)


def _plausible(homography: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether a head can move like this: bounded shift and scale, and no mirroring, in all corners of the frame."""
    height, width = shape[:2]
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], float)
    depth = corners @ homography[2, :2] + homography[2, 2]
    if not np.isfinite(homography).all() or (depth <= 0).any():
        return False
    scale = np.linalg.det(homography) / depth**3  # of areas: the determinant of the Jacobian
    shift = np.linalg.norm(_apply(homography, corners) - corners, axis=1)
    bounded = (scale > _WILD_SCALE**-2) & (scale < _WILD_SCALE**2) & (shift < _WILD_SHIFT * max(height, width))
    return bool(bounded.all())


def warp(image: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """The picture (H, W) or (H, W, 3) moved by a homography (3, 3), bicubic, its edge repeated."""
    size = image.shape[1], image.shape[0]
    return cv2.warpPerspective(image, homography, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _apply(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    mapped = points @ homography[:, :2].T + homography[:, 2]
    return mapped[:, :2] / mapped[:, 2:]
