"""A face's surface over a clip: one mesh that moves with the head and does not tremble.

Depth is estimated frame by frame, and an error that changes from frame to frame would move points at rest in every view
but the frontal one. So a clip has one topology, that of its mean depth, tied to the head: each vertex is a point of
the first frame's crop and is followed by the head's own movement, that of a plane and the parallax of what stands out
of it (:mod:`mer_lib.geometry.registration`). Along these paths depth is smoothed over time by a Gaussian, as wide as it
takes for points at rest to keep still to ``rest_px`` pixels, rms from frame to frame, in the most turned of the views.
What the expression does is not in the depth: it is in the picture that the mesh carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from mer_lib.geometry import mesh
from mer_lib.geometry.registration import locate
from mer_lib.problems import BadInput
from mer_lib.render.camera import Camera

_ANCHORS = 5  # frames whose median landmarks count, as for the crop itself
_WIDTHS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # frames, sigma of the smoothing; beyond, the clip's mean
_PATH = 2.0  # frames, sigma: heads move slower than the measurement of their place trembles
_SPARE = 0.6  # of rest_px: what depth may take; the head's measured path and the picture itself take some too
HEAD = np.array([0.0, 0.0, -0.09])  # metres from the eyes: on the axis a head turns about, midway between the ears


@dataclass(frozen=True)
class Relief:
    """A clip's surface.

    camera: the crops'; eyes: (3,) metres in its axes; shape: its vertices, in the first frame, and triangles; pixels:
    (T, V, 2) float32, u and v of each vertex in each frame; depth: (T, V) float32, interocular distances; landmarks:
    (5, 3) metres, of the model; quality: what was done to the depth, as shares of the crop (covered, filled, border),
    of the surface (dropped; cut, in the most turned view), in frames (smoothing; inf: mean of the clip) and pixels
    (rest_px).
    """

    camera: Camera
    eyes: np.ndarray
    shape: mesh.Topology
    pixels: np.ndarray
    depth: np.ndarray
    landmarks: np.ndarray
    quality: dict[str, float]

    def vertices(self, frame: int | None = None) -> np.ndarray:
        """The surface (V, 3) in metres in a frame, or in the mean of all, at the place of the first."""
        if frame is None:
            return mesh.lifted(self.camera, self.eyes, self.shape.at[:, ::-1], self.depth.mean(axis=0))
        return mesh.lifted(self.camera, self.eyes, self.pixels[frame], self.depth[frame])

    def pose(self, yaw: float) -> np.ndarray:
        """The pose (4, 4) of the person turned by ``yaw`` degrees about the vertical axis through ``HEAD``."""
        return turned(self.eyes, yaw)


def turned(eyes: np.ndarray, yaw: float) -> np.ndarray:
    """The pose (4, 4) of a model whose eyes are at ``eyes`` (3,) when it faces the camera, turned about ``HEAD``."""
    s, c = np.sin(np.radians(yaw)), np.cos(np.radians(yaw))
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    pose = np.eye(4)
    flip = np.diag([1.0, -1.0, -1.0])
    pose[:3, :3] = flip @ turn
    pose[:3, 3] = eyes + flip @ (HEAD - turn @ HEAD)
    return pose


def relief(
    frames: np.ndarray,
    depth: np.ndarray,
    landmarks: np.ndarray,
    *,
    yaws: Sequence[float] = (-45.0, 45.0),
    fov: float = 50.0,
    rest_px: float = 0.1,
) -> Relief:
    """The surface of a clip.

    frames: (T, S, S, 3) uint8; depth: (T, S, S) interocular distances, NaN off the face; landmarks: (T, 5, 2) pixels;
    yaws: degrees, of the views that must keep still; fov: degrees, of the crop; rest_px: pixels. Raises BadInput where
    shapes do not match, no frame has depth, or too little surface is left.
    """
    _check(frames, depth, landmarks)
    camera = mesh.crop_camera(frames.shape[1], fov)
    anchors = np.median(landmarks[:_ANCHORS], axis=0).astype(float)
    eyes = mesh.eyes_place(camera, anchors)
    paths = _paths(frames, landmarks)
    along, known = _along(depth, paths)
    first, hole = mesh.filled(np.where(known, along.mean(axis=0), np.nan))
    shape = mesh.topology(camera, eyes, first)
    rows, columns = shape.at.T
    trace = np.where(hole[rows, columns], first[rows, columns], along[:, rows, columns])
    trace = trace + mesh.rim(first, shape.at)
    calm, width, rest = _calm(trace, camera, eyes, shape.at, yaws, rest_px)
    edge = np.isin(shape.at, (0, len(first) - 1)).any(axis=1)
    return Relief(
        camera=camera,
        eyes=eyes,
        shape=shape,
        pixels=paths[:, rows, columns],
        depth=calm.astype(np.float32),
        landmarks=_landmarks(camera, eyes, first, anchors),
        quality={
            "covered": len(shape.at) / first.size,
            "filled": float(hole[rows, columns].sum()) / first.size,
            "border": float(edge.sum()) / first.size,
            "cut": max((shape.cut(yaw) for yaw in yaws), default=0.0),
            "dropped": shape.dropped,
            "smoothing": width,
            "rest_px": rest,
        },
    )


def _check(frames: np.ndarray, depth: np.ndarray, landmarks: np.ndarray) -> None:
    count, side = frames.shape[:2]
    if frames.shape != (count, side, side, 3) or depth.shape != frames.shape[:3] or landmarks.shape != (count, 5, 2):
        raise BadInput(
            f"frames {frames.shape}, depth {depth.shape} and landmarks {landmarks.shape} do not belong together",
            "give (T, S, S, 3), (T, S, S) and (T, 5, 2)",
        )
    if count == 0 or not np.isfinite(depth).any():
        raise BadInput("no depth in any frame", "see the clip's faces: they may show none, or be covered")


def _paths(frames: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """(T, S, S, 2) float32: u and v in each frame of the first frame's pixels, as the head carries them."""
    found = locate(frames, landmarks)
    return _steadied(np.stack([found.places(t, frames.shape[1:3]) for t in range(len(frames))]))


def _steadied(paths: np.ndarray) -> np.ndarray:
    """Places (T, ...) without the tremor of their measurement. A Gaussian cuts the bends of a path; what it cuts,
    smoothed likewise, is put back (Tukey's twicing).
    """
    if len(paths) < 2:
        return paths
    once = _rounded(paths)
    return once + _rounded(paths - once)


def _rounded(paths: np.ndarray) -> np.ndarray:
    """Places (T, ...) after a Gaussian; the ends go on as they go in, unbent."""
    reach = int(np.ceil(3 * _PATH))
    longer = np.pad(paths, [(reach, reach)] + [(0, 0)] * (paths.ndim - 1), mode="reflect", reflect_type="odd")
    return ndimage.gaussian_filter1d(longer, _PATH, axis=0, truncate=3)[reach:-reach]


def _along(depth: np.ndarray, paths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth (T, S, S) at the places of the first frame's pixels, without gaps, and where most frames knew it (S, S)."""
    size = depth.shape[1:]
    moved, share, seen = np.empty_like(depth, np.float32), np.zeros(size), 0
    for t, given in enumerate(depth):
        if np.isnan(given).all():  # not seen in this frame: as in the last
            moved[t] = np.nan
            continue
        seen += 1
        near = mesh.nearest(given).astype(np.float32)
        moved[t] = cv2.remap(near, paths[t], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        share += cv2.remap(np.isfinite(given).astype(np.float32), paths[t], None, cv2.INTER_LINEAR)
    blank = np.isnan(moved[:, 0, 0])
    if blank.any():
        moved[blank] = moved[ndimage.distance_transform_edt(blank, return_distances=False, return_indices=True)[0]][
            blank
        ]
    return moved, share > seen / 2


def _calm(trace: np.ndarray, camera: Camera, eyes, at: np.ndarray, yaws, rest_px: float):
    """Depth (T, V) smoothed as little as it takes, sigma in frames, and the rest's movement in pixels."""
    rest = _unrest(trace, camera, eyes, at, yaws)
    if rest <= _SPARE * rest_px:
        return trace, 0.0, rest
    for width in _WIDTHS:
        calm = _smooth(trace, width)
        rest = _unrest(calm, camera, eyes, at, yaws)
        if rest <= _SPARE * rest_px:
            return calm, width, rest
    return np.broadcast_to(trace.mean(axis=0), trace.shape), np.inf, 0.0


def _smooth(values: np.ndarray, width: float) -> np.ndarray:
    return ndimage.gaussian_filter1d(values, width, axis=0, mode="nearest", truncate=3)


def _unrest(depth: np.ndarray, camera: Camera, eyes: np.ndarray, at: np.ndarray, yaws: Sequence[float]) -> float:
    """Pixels, rms from frame to frame, that points of depth (T, V) at fixed pixels move by in the worst view."""
    if len(depth) < 2 or len(yaws) == 0:
        return 0.0
    places = mesh.lifted(camera, eyes, at[:, ::-1], depth)
    worst = 0.0
    for yaw in {min(yaws), max(yaws)}:
        seen = camera.project(places, turned(eyes, yaw))[..., :2]
        worst = max(worst, float(np.sqrt(np.square(np.diff(seen, axis=0)).sum(axis=-1).mean())))
    return worst


def _landmarks(camera: Camera, eyes: np.ndarray, depth: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (5, 3) in metres; those off the surface take the depth of its nearest point."""
    size = len(depth)
    columns, rows = np.clip(np.rint(landmarks).astype(int), 0, size - 1).T
    return mesh.lifted(camera, eyes, landmarks, mesh.nearest(depth)[rows, columns])
