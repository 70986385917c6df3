"""A clip as cameras beside it would have seen it: its frames on its own surface, turned.

The person is turned about the vertical axis through the middle of the head, which is what a camera on a circle round
the head sees, and then cropped as the pipeline crops a face that is really turned: by the similarity that brings its
five landmarks closest to those of the canonical face (:mod:`mer_lib.faces.align`). So generated and true views have
one framing, and where the axis lies hardly matters. What no pixel of the frontal crop shows, beside the head or behind
the nose, takes one colour, that of the crop's own surroundings: it has no pattern that a network could read, and no
motion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from mer_lib.faces import align
from mer_lib.geometry.relief import Relief, relief
from mer_lib.problems import BadInput
from mer_lib.render.film import View, open_film
from mer_lib.render.raster import rasterise

YAWS = tuple(range(-45, 46, 10))  # degrees: ten, as paper A samples them
_FARTHEST = 80.0  # degrees: beyond it hardly anything of a frontal crop is seen
_BEHIND = 0.002  # metres: what lies this much behind what a camera sees there is hidden
_GREY = 128


def render_views(
    frames: np.ndarray,
    depth: np.ndarray,
    landmarks: np.ndarray,
    yaws: Sequence[float] = YAWS,
    *,
    fov: float = 50.0,
    rest_px: float = 0.1,
    renderer: str = "raster",
) -> np.ndarray:
    """Views of a clip.

    Parameters
    ----------
    frames : (T, S, S, 3) uint8
        RGB, crops of one clip.
    depth : (T, S, S) float32
        Interocular distances from the point between the eyes, positive away from the camera, NaN off the face.
    landmarks : (T, 5, 2) float32
        Pixels, in the order of :class:`mer_lib.faces.detect.Face`.
    yaws : sequence of V floats
        Degrees that the person is turned by, to the subject's left.
    fov : float
        Degrees that the crop's camera sees: a long lens (small) shows a flatter face.
    rest_px : float
        Pixels, rms from frame to frame, that points at rest may move by in any view; depth is smoothed to keep it.
    renderer : str
        ``raster`` or ``pyrender``, see :mod:`mer_lib.render.film`.

    Returns
    -------
    (V, T, S, S, 3) uint8

    Raises
    ------
    BadInput
        No depth, too little surface, a yaw beyond 80 degrees, an unknown renderer, no OpenGL for pyrender.
    """
    return film(relief(frames, depth, landmarks, yaws=yaws, fov=fov, rest_px=rest_px), frames, yaws, renderer=renderer)


def film(surface: Relief, frames: np.ndarray, yaws: Sequence[float], *, renderer: str = "raster") -> np.ndarray:
    """As :func:`render_views`, of a surface that is there already."""
    size = frames.shape[1]
    cameras, behind = views(surface, yaws), surroundings(surface, frames[0])
    made = np.empty((len(cameras), *frames.shape), np.uint8)
    drawing = open_film(renderer, size, size)
    try:
        for t, frame in enumerate(frames):
            made[:, t] = drawing.frame(frame, surface.vertices(t), surface.pixels[t], cameras, behind)
    finally:
        drawing.close()
    return made


def views(surface: Relief, yaws: Sequence[float]) -> list[View]:
    """Where the person is seen from, framed as a crop of the turned face. At 0 degrees it is the crop itself."""
    wrong = [yaw for yaw in yaws if not abs(yaw) <= _FARTHEST]
    if wrong:
        raise BadInput(f"a view from {wrong[0]} degrees", f"give yaws within {_FARTHEST:.0f}")
    target = align.template(surface.camera.height, 0.0)
    front = surface.camera.project(surface.landmarks, surface.pose(0.0))[:, :2]
    back = np.linalg.inv(_square(align.similarity(front, target)))
    found = []
    for yaw in yaws:
        pose = surface.pose(yaw)
        seen = surface.camera.project(surface.landmarks, pose)[:, :2]
        found.append(_framed(surface, yaw, back @ _square(align.similarity(seen, target))))
    return found


def _square(matrix: np.ndarray) -> np.ndarray:
    return np.vstack([matrix, [0, 0, 1]]).astype(float)


def _framed(surface: Relief, yaw: float, similarity: np.ndarray) -> View:
    """The view whose picture is the camera's under a similarity (3, 3): a longer lens, tilted, looking elsewhere."""
    camera = surface.camera
    scale = np.hypot(similarity[0, 0], similarity[1, 0])
    tilt = np.eye(4)
    tilt[:3, :3] = Rotation.from_euler("z", np.arctan2(similarity[1, 0], similarity[0, 0])).as_matrix()
    place = similarity[:2, :2] @ camera.centre + similarity[:2, 2]
    shift = tuple((place - np.asarray(camera.centre) + camera.shift).tolist())
    lens = replace(camera, focal=camera.focal * scale, shift=shift)
    return View(lens, tilt @ surface.pose(yaw), surface.shape.seen_from(yaw))


def surroundings(surface: Relief, frame: np.ndarray) -> np.ndarray:
    """The colour (3,) uint8 of what a frame shows beside the surface, the median; grey where it shows nothing else."""
    beside = np.ones(frame.shape[:2], bool)
    beside[tuple(surface.shape.at.T)] = False
    beside = ndimage.binary_erosion(beside, iterations=2, border_value=1)  # its edge shows both
    return np.median(frame[beside], axis=0).astype(np.uint8) if beside.any() else np.full(3, _GREY, np.uint8)


def visibility(surface: Relief, yaws: Sequence[float]) -> np.ndarray:
    """Which points of the first frame's surface each view sees.

    Returns (V, S, S) float32 at the pixels of the first frame: the share of the triangles around it that the view
    shows, facing it and hidden by nothing; NaN where there is no surface. The mean surface of the clip is looked at.
    """
    size, places = surface.camera.height, surface.vertices()
    around = np.bincount(surface.shape.faces.ravel(), minlength=len(places))
    found = np.full((len(yaws), size, size), np.nan, np.float32)
    for picture, view in zip(found, views(surface, yaws), strict=True):
        seen = view.camera.project(places, view.pose)
        picture[tuple(surface.shape.at.T)] = _seen(seen, view.faces, size) / np.maximum(around, 1)
    return found


def _seen(projected: np.ndarray, faces: np.ndarray, size: int) -> np.ndarray:
    """(V,) how many of each vertex's triangles are in sight."""
    a, b, c = np.moveaxis(projected[faces, :2], 1, 0)
    right, down = np.moveaxis(np.stack([b - a, c - a]), -1, 0)
    towards = right[0] * down[1] < down[0] * right[1]  # v points down: what faces the view is clockwise
    drawn = rasterise(projected, faces[towards], size, size).depth
    front = ndimage.maximum_filter(np.where(drawn > 0, drawn, np.inf), 3)
    u, v = np.clip(np.rint(projected[:, :2]).astype(int), 0, size - 1).T
    free = projected[:, 2] <= front[v, u] + _BEHIND
    return np.where(free, np.bincount(faces[towards].ravel(), minlength=len(projected)), 0)
