"""From a depth map to a surface: a triangle between neighbouring pixels, unless the surface breaks off there.

Depth is in interocular distances from the point between the eyes, positive away from the camera; a surface is in metres
in the model's axes of :mod:`mer_lib.render.camera`, with its origin between the eyes. How far the eyes are from the
camera follows from their distance in the picture, which is ``PUPILS`` in the world.

A camera sees no surface edge on: where neighbouring pixels differ much in depth there are two surfaces, one behind the
other, and what would join them is a skirt that is in no face. From the front it is a pixel wide and hides nothing; the
further aside a camera is, the wider. So it depends on the view what is cut (:meth:`Topology.seen_from`): whatever the
turn would stretch by more than ``STRETCH`` times. Small holes are filled, and only the largest piece is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.restoration import inpaint_biharmonic

from mer_lib.problems import BadInput
from mer_lib.render.camera import Camera

PUPILS = 0.063  # metres between the pupils, of an average adult
STRETCH = 4.7  # times: at 45 degrees what the front sees under more than 80 degrees, at 5 under more than 88
_HOLE = 0.01  # share of the crop that a hole may have to be filled
_SHEER = 5.0  # times the steepest that is kept: steeper is no steeper, or one pixel would decide for its neighbours
_SOFT = 1.0  # pixels, sigma of the smoothing of what decides on a cut
_RIM = 4.0  # pixels
_FEWEST = 0.02  # share of the crop that a surface must cover


def crop_camera(size: int, fov: float = 50.0) -> Camera:
    """The camera of a crop of ``size`` pixels that sees ``fov`` degrees."""
    if not 1 <= fov <= 120:
        raise BadInput(f"a field of view of {fov} degrees", "give one from 1 to 120")
    return Camera(size, size, size / 2 / float(np.tan(np.radians(fov / 2))))


def eyes_place(camera: Camera, landmarks: np.ndarray) -> np.ndarray:
    """Where the point between the eyes is in the camera's axes, (3,) metres. landmarks: (5, 2) pixels, eyes first."""
    apart = float(np.linalg.norm(landmarks[1] - landmarks[0]))
    if not np.isfinite(landmarks).all() or apart < 1:
        raise BadInput("the eyes' landmarks are missing or coincide", "see the clip's faces; it may show none")
    distance = camera.focal * PUPILS / apart
    middle = (landmarks[0] + landmarks[1]) / 2 - camera.centre
    return np.append(middle / camera.focal * distance, distance)


def lifted(camera: Camera, eyes: np.ndarray, pixels: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Points (..., 3) float32 metres in the model's axes, of pixels (..., 2) with depth (...) in interocular distances;
    eyes: as :func:`eyes_place` has it."""
    z = eyes[2] + PUPILS * depth[..., None]
    across = (pixels - np.asarray(camera.centre)) / camera.focal * z
    return ((np.concatenate([across, z], axis=-1) - eyes) * (1, -1, -1)).astype(np.float32)


def filled(depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A depth map (S, S) without its small holes, smoothly filled, and which pixels these were (S, S) bool.

    A hole is small if it has at most ``_HOLE`` of the map's pixels and does not reach its edge.
    """
    missing, _ = ndimage.label(np.isnan(depth))
    sizes = np.bincount(missing.ravel())
    open_ones = np.unique(np.concatenate([missing[0], missing[-1], missing[:, 0], missing[:, -1]]))
    small = (sizes > 0) & (sizes <= _HOLE * depth.size)
    small[open_ones] = small[0] = False
    hole = small[missing]
    if not hole.any():
        return depth, hole
    return np.where(hole, inpaint_biharmonic(nearest(depth), hole), depth).astype(np.float32), hole


def nearest(depth: np.ndarray) -> np.ndarray:
    """A depth map whose gaps hold the nearest depth there is. Raises BadInput where there is none."""
    gaps = np.isnan(depth)
    if gaps.all():
        raise BadInput("no depth anywhere", "see the clip's faces: they may show none, or be covered")
    if not gaps.any():
        return depth
    return depth[tuple(ndimage.distance_transform_edt(gaps, return_distances=False, return_indices=True))]


@dataclass(frozen=True)
class Topology:
    """Which pixels of a depth map are vertices, and the triangles between them.

    at: (V, 2) int32, row and column of each vertex; faces: (M, 3) int32, counter-clockwise seen from the camera, two a
    cell between four pixels; slope: (S − 1, S − 1) float64, tangent of the angle between the camera's line of sight and
    the normal of the steeper of each cell's triangles, NaN where there are none; dropped: share of the cells that are
    in smaller pieces.
    """

    at: np.ndarray
    faces: np.ndarray
    slope: np.ndarray
    dropped: float

    def seen_from(self, yaw: float) -> np.ndarray:
        """The triangles (N, 3) that a view turned by ``yaw`` degrees shows: those that are no skirts there.

        A surface under a slope t is seen cos(yaw) + t·sin(yaw) times as wide as from the front. Steep parts within the
        face, such as the sides of a nose, are the face's own and stay. Raises BadInput where too little is left.
        """
        return self.faces[np.repeat(self._kept(yaw)[np.isfinite(self.slope)], 2)]

    def cut(self, yaw: float) -> float:
        """The share of the triangles that a view turned by ``yaw`` degrees does not show."""
        return 1 - len(self.seen_from(yaw)) / len(self.faces)

    def _kept(self, yaw: float) -> np.ndarray:
        whole, angle = np.isfinite(self.slope), np.radians(abs(yaw))
        steepest = (STRETCH - np.cos(angle)) / max(np.sin(angle), 1e-6)
        steep = _smooth(np.minimum(self.slope, _SHEER * steepest), whole) > steepest
        piece = _largest(whole & ~steep)
        kept = whole & (piece | _enclosed(piece))
        share = kept.sum() / kept.size
        if share < _FEWEST:
            raise BadInput(f"the face's surface covers {share:.1%} of the crop", "see its depth: it may be covered")
        return kept


def topology(camera: Camera, eyes: np.ndarray, depth: np.ndarray) -> Topology:
    """The triangles of a depth map (S, S), NaN where no surface is. Raises BadInput where none is."""
    rows, columns = np.indices(depth.shape)
    points = lifted(camera, eyes, np.stack([columns, rows], axis=-1), depth).reshape(-1, 3)
    cells = _cells(depth.shape)
    slope = _slope(points[cells], eyes * (-1, 1, 1)).max(axis=-1)
    whole = np.isfinite(slope)
    if not whole.any():
        raise BadInput("no surface in the depth", "see the clip's faces: they may show none, or be covered")
    kept = _largest(whole)
    used, faces = np.unique(cells[kept].reshape(-1, 3), return_inverse=True)
    at = np.stack(np.unravel_index(used, depth.shape), axis=-1).astype(np.int32)
    dropped = 1 - float(kept.sum() / whole.sum())
    return Topology(at, faces.reshape(-1, 3).astype(np.int32), np.where(kept, slope, np.nan), dropped)


def rim(depth: np.ndarray, at: np.ndarray) -> np.ndarray:
    """What makes a surface's outline smooth in depth too: a correction (V,) of the depth (S, S) at its vertices.

    The outline runs over a steep slope: one pixel further in or out is a tenth of the face in depth, which a turned
    view would show as a comb. Within ``_RIM`` pixels of the outline depth goes over to its mean on the surface.
    """
    inside = np.zeros(depth.shape, bool)
    inside[tuple(at.T)] = True
    far = ndimage.distance_transform_edt(np.pad(inside, 1, mode="edge"))[1:-1, 1:-1]
    share = np.clip(1 - (far - 1) / _RIM, 0, 1)
    mean = ndimage.gaussian_filter(np.where(inside, depth, 0), _RIM / 2)
    mean /= np.maximum(ndimage.gaussian_filter(inside.astype(float), _RIM / 2), 1e-6)
    return (share * (mean - depth))[tuple(at.T)]


def _cells(shape: tuple[int, int]) -> np.ndarray:
    """The two triangles between each four pixels: (S − 1, S − 1, 2, 3) flat indices."""
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]
    odd = (np.add(*np.indices(a.shape)) % 2 == 1)[..., None]  # the diagonal changes sides, as the face has two
    first = np.where(odd, np.stack([a, b, c], -1), np.stack([a, b, d], -1))
    second = np.where(odd, np.stack([b, d, c], -1), np.stack([a, d, c], -1))
    return np.stack([first, second], axis=-2)


def _slope(corners: np.ndarray, camera_at: np.ndarray) -> np.ndarray:
    """Tangent of the angle between the normal of triangles (..., 3, 3) and the line of sight; NaN where a corner is
    missing. (Between pixels of one picture it is below a right one, however deep the step.)"""
    a, b, c = np.moveaxis(corners.astype(np.float64), -2, 0)
    normal, sight = np.cross(b - a, c - a), camera_at - (a + b + c) / 3
    across, along = np.linalg.norm(np.cross(normal, sight), axis=-1), (normal * sight).sum(axis=-1)
    return across / along


def _smooth(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Gaussian over the known ones: an outline that follows single cells would be a comb in a turned view."""
    total = ndimage.gaussian_filter(np.where(known, values, 0), _SOFT)
    return total / np.maximum(ndimage.gaussian_filter(known.astype(float), _SOFT), 1e-6)


def _largest(kept: np.ndarray) -> np.ndarray:
    """The largest piece that hangs together over the sides of its cells."""
    piece, _ = ndimage.label(kept)
    sizes = np.bincount(piece.ravel())
    sizes[0] = 0
    return (piece == sizes.argmax()) & kept


def _enclosed(piece: np.ndarray) -> np.ndarray:
    """The small holes of a piece: steep parts within the face, such as the sides of the nose, are the face's own."""
    holes, _ = ndimage.label(~piece)
    sizes = np.bincount(holes.ravel())
    small = sizes <= _HOLE * piece.size
    small[np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))] = False
    return small[holes]
