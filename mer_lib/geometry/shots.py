"""A shot: a posed 3-D face photographed, cropped as videos are, and how deep its surface lies at every pixel, exactly.

Depth is in interocular distances along the camera's axis, from the point between the pupils, positive away from the
camera. It is rasterised into the crop itself, so nothing is interpolated; pyrender, which draws the colours, agrees
with it (see the tests).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mer_lib.faces import align
from mer_lib.faces.crop import crop_clip
from mer_lib.faces.detect import Face
from mer_lib.render.camera import Camera
from mer_lib.render.raster import rasterise

MILLIMETRES = 63.0  # between the pupils of an average adult: one unit of depth where nothing better is known


@dataclass(frozen=True)
class Shot:
    """frame: (S, S, 3) uint8 RGB; depth: (S, S) float32 in interocular distances, NaN off the surface; landmarks:
    (5, 2) float32, pixels of the crop, as detected; geometry: (2, 3) float32, picture to crop."""

    frame: np.ndarray
    depth: np.ndarray
    landmarks: np.ndarray
    geometry: np.ndarray


@dataclass(frozen=True)
class Still:
    """One picture (H, W, 3) where the crop expects a video."""

    picture: np.ndarray

    @property
    def height(self) -> int:
        return self.picture.shape[0]

    @property
    def width(self) -> int:
        return self.picture.shape[1]

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[np.ndarray]:
        return iter([self.picture][start:stop:step])


def shoot(
    picture: np.ndarray,
    vertices: np.ndarray,
    pose: np.ndarray,
    camera: Camera,
    faces: np.ndarray,
    surface: np.ndarray,
    pupils: np.ndarray,
    detector: Callable[[np.ndarray], list[list[Face]]],
    *,
    size: int,
    margin: float,
    min_probability: float,
) -> Shot:
    """Crop a picture of a mesh and say how deep the mesh lies there.

    picture: (H, W, 3) uint8 RGB, what ``camera`` saw of vertices (V, 3) in metres under pose (4, 4); faces: (M, 3) of
    all that hides what is behind it, of which ``surface`` (M,) bool counts as surface; pupils: (2, 3) metres, in the
    axes of the vertices. size, margin, min_probability: as of the crop of videos, which is the one used.
    Raises BadInput where the detector finds no face.
    """
    face = crop_clip(Still(picture), 0, 1, detector, size=size, margin=margin, every=1, min_probability=min_probability)
    projected = camera.project(vertices, pose).astype(np.float64)
    projected[:, :2] = align.transform(face.geometry.astype(np.float64), projected[:, :2])
    raster = rasterise(projected, faces, size, size)
    eyes = pupils @ pose[:3, :3].T + pose[:3, 3]
    depth = (raster.depth - eyes[:, 2].mean()) / np.linalg.norm(eyes[0] - eyes[1])
    depth[~(raster.seen & surface[raster.face])] = np.nan
    return Shot(face.frames[0], depth.astype(np.float32), face.landmarks[0], face.geometry)
