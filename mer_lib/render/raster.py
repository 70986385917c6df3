"""A plain z-buffer rasteriser: which triangle each pixel sees, how deep, and where that point of it goes next.

It answers what a picture cannot: the topology of a mesh is fixed, so the point a pixel sees is known in every other
frame, and the motion between the two is exact. It agrees with pyrender's depth (see the tests).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from mer_lib.render.camera import Camera


@dataclass(frozen=True)
class Raster:
    """What each pixel sees: face (H, W) int32 (-1 none), weights (H, W, 3) float32 of the face's three vertices,
    perspective-correct, and depth (H, W) float32 in metres (0 none)."""

    face: np.ndarray
    weights: np.ndarray
    depth: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """(H, W) bool: a surface is there."""
        return self.face >= 0

    def sample(self, values: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Values (V, C) of the vertices at the pixels: (H, W, C) float32, NaN where nothing is seen."""
        found = np.einsum("hwk,hwkc->hwc", self.weights, values[faces[self.face]])
        found[~self.seen] = np.nan
        return found.astype(np.float32)


def rasterise(projected: np.ndarray, faces: np.ndarray, height: int, width: int) -> Raster:
    """Fill the triangles of a projected mesh; the nearest wins, and of two equally near the first.

    projected: (V, 3) u, v in pixels and depth > 0 (``Camera.project``); faces: (M, 3).
    A pixel belongs to a triangle that contains its centre. Both sides of a face are seen.
    """
    return Raster(*_fill(np.asarray(projected, np.float64), np.asarray(faces, np.int64), height, width))


def exact_flow(
    vertices_a: np.ndarray,
    pose_a: np.ndarray,
    vertices_b: np.ndarray,
    pose_b: np.ndarray,
    faces: np.ndarray,
    camera: Camera,
) -> tuple[np.ndarray, np.ndarray]:
    """The motion of the surface that each pixel of frame a sees, on its way to frame b.

    vertices_a, vertices_b: (V, 3) metres; poses: (4, 4); faces: (M, 3).
    Returns flow (H, W, 2) float32, u right and v down in pixels, NaN where nothing is seen, and the depth (H, W)
    float32 of frame a in metres. A point that frame b hides is still followed: the flow is that of the surface.
    """
    raster = rasterise(camera.project(vertices_a, pose_a), faces, camera.height, camera.width)
    later = vertices_b @ pose_b[:3, :3].T + pose_b[:3, 3]
    points = np.einsum("hwk,hwkc->hwc", raster.weights.astype(np.float64), later[faces[raster.face]])
    rows, columns = np.mgrid[: camera.height, : camera.width]
    with np.errstate(invalid="ignore", divide="ignore"):
        target = points[..., :2] / points[..., 2:] * camera.focal + camera.centre
    flow = target - np.stack([columns, rows], axis=-1)
    flow[~raster.seen] = np.nan
    return flow.astype(np.float32), raster.depth


@njit(cache=True)
def _fill(projected, faces, height, width):
    face = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 3), np.float32)
    depth = np.zeros((height, width), np.float32)
    nearest = np.zeros((height, width))  # inverse depth is linear in the picture, depth is not
    for m in range(len(faces)):
        a, b, c = projected[faces[m, 0]], projected[faces[m, 1]], projected[faces[m, 2]]
        if a[2] <= 0 or b[2] <= 0 or c[2] <= 0:
            continue
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0:
            continue
        left = max(0, int(np.ceil(min(a[0], b[0], c[0]))))
        right = min(width - 1, int(np.floor(max(a[0], b[0], c[0]))))
        top = max(0, int(np.ceil(min(a[1], b[1], c[1]))))
        bottom = min(height - 1, int(np.floor(max(a[1], b[1], c[1]))))
        for i in range(top, bottom + 1):
            for j in range(left, right + 1):
                wa = ((b[0] - j) * (c[1] - i) - (b[1] - i) * (c[0] - j)) / area
                wb = ((c[0] - j) * (a[1] - i) - (c[1] - i) * (a[0] - j)) / area
                wc = ((a[0] - j) * (b[1] - i) - (a[1] - i) * (b[0] - j)) / area  # not 1 − wa − wb: no cracks at edges
                if wa < 0 or wb < 0 or wc < 0:
                    continue
                inverse = wa / a[2] + wb / b[2] + wc / c[2]
                if inverse > nearest[i, j]:
                    nearest[i, j] = inverse
                    face[i, j] = m
                    depth[i, j] = 1.0 / inverse
                    weights[i, j, 0] = wa / a[2] / inverse
                    weights[i, j, 1] = wb / b[2] / inverse
                    weights[i, j, 2] = wc / c[2] / inverse
    return face, weights, depth
