"""A 3-D scan of a face as it lies on disk, brought to what the renderer draws: metres, its origin between the pupils.

Sets of scans come in millimetres, metres or units of their own. The distance between the pupils, found in a picture of
the scan as it is in any other, tells the unit: it is taken as 63 mm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image
from scipy.ndimage import map_coordinates

from mer_lib.faces.detect import Face
from mer_lib.geometry.shots import MILLIMETRES
from mer_lib.problems import BadInput, note
from mer_lib.render.camera import Camera, facing
from mer_lib.render.raster import rasterise
from mer_lib.render.scene import Renderer, Surface

SIDE = 384  # pixels of the picture in which the eyes are sought
EXTENT = 0.35  # metres that the scan's longest side is taken for until its unit is known
TEXTURE = 1024  # pixels: larger textures hold nothing that a crop could show
GLOSS = 60  # of skin
FEWEST = 100  # vertices of anything that could be a face
_PICTURE = 16  # pixels: trimesh puts a tiny empty one where the MTL file is missing
_MIXED = 0.1  # share of what is seen that may face the wrong way


@dataclass(frozen=True)
class Scan:
    """vertices: (V, 3) float32 metres, x to the subject's left, y up, z out of the face, the origin between the pupils,
    in the file's order; pupils: (2, 3) metres; surface: what the renderer needs beside them."""

    vertices: np.ndarray
    pupils: np.ndarray
    surface: Surface


def read_scan(path: str | Path, detector: Callable[[np.ndarray], list[list[Face]]]) -> Scan:
    """Read an OBJ file with its MTL and texture.

    Raises BadInput, naming the file, for a mesh that is empty, broken or without texture, and for one in which no face
    is seen from the front. Edges that more than two faces share are noted: it is rendered as it is.
    """
    path = Path(path)
    mesh = _load(path)
    picture = _texture(mesh, path)
    vertices, faces = np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32)
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    vertices = (vertices - middle) * (EXTENT / np.ptp(vertices, axis=0).max())
    camera, pose = Camera(SIDE, SIDE, SIDE / EXTENT), facing(1.0 + EXTENT)
    raster = rasterise(camera.project(vertices, pose), faces, SIDE, SIDE)
    faces = _outward(vertices, faces, np.unique(raster.face[raster.seen]), path)
    uv = np.asarray(mesh.visual.uv, np.float32)
    surface = Surface(faces, np.arange(len(vertices)), uv, faces, picture, np.ones(len(vertices), np.float32))
    with Renderer(camera, surface) as renderer:
        seen = renderer.picture(vertices, pose)
    found = detector(seen[None])[0]
    if not found:
        remedy = "turn the mesh: x to the subject's left, y up, z out of the face"
        raise BadInput("no face is seen from the front", remedy, file=path)
    places = found[0].landmarks[:2, ::-1].T  # rows, columns
    points = np.moveaxis(raster.sample(vertices, faces).astype(np.float64), -1, 0)
    pupils = np.stack([map_coordinates(axis, places, order=1, cval=np.nan) for axis in points], axis=-1)
    apart = np.linalg.norm(pupils[0] - pupils[1])
    if not apart > 0:  # NaN too: there is no surface at an eye
        raise BadInput("there is no surface where the eyes are", "fill the holes of the mesh", file=path)
    scale, origin = MILLIMETRES / 1000 / apart, pupils.mean(axis=0)
    return Scan(((vertices - origin) * scale).astype(np.float32), (pupils - origin) * scale, surface)


def _load(path: Path) -> trimesh.Trimesh:
    try:
        mesh = trimesh.load_mesh(path, process=False, maintain_order=True)
    except Exception as error:  # what a broken file raises depends on where it is broken
        told = " ".join(str(error).split())[:120]
        raise BadInput(f"no mesh that can be read ({told})", "unpack or export it again", file=path) from None
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.vertices) < FEWEST or not len(mesh.faces):
        raise BadInput("the mesh is empty", "unpack or export it again", file=path)
    if not np.isfinite(mesh.vertices).all() or np.ptp(mesh.vertices, axis=0).min() == 0:
        raise BadInput("the mesh has vertices without a place, or is flat", "export it again", file=path)
    shared = trimesh.grouping.group_rows(mesh.edges_sorted)
    if crowded := sum(len(edges) > 2 for edges in shared):
        note(f"not a manifold: {crowded} edges belong to more than two faces", "it is rendered as it is", file=path)
    return mesh


def _texture(mesh: trimesh.Trimesh, path: Path) -> np.ndarray:
    """(H, W, 4) uint8: RGB and gloss."""
    material = getattr(mesh.visual, "material", None)
    image = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
    if getattr(mesh.visual, "uv", None) is None or image is None or min(image.size) < _PICTURE:
        what = "the mesh has no texture: its MTL file or the picture that this names is not there"
        raise BadInput(what, "unpack both beside the mesh", file=path)
    try:
        small = image.convert("RGB")
    except OSError as error:
        raise BadInput(f"the texture cannot be read ({error})", "unpack it again", file=path) from None
    small.thumbnail((TEXTURE, TEXTURE), Image.Resampling.BOX)
    picture = np.asarray(small)
    return np.dstack([picture, np.full(picture.shape[:2], GLOSS, np.uint8)])


def _outward(vertices: np.ndarray, faces: np.ndarray, seen: np.ndarray, path: Path) -> np.ndarray:
    """The faces (M, 3) counter-clockwise from outside: the renderer does not draw an inside."""
    a, b, c = (vertices[faces[seen][:, k]] for k in range(3))
    size = np.cross(b - a, c - a)[:, 2]
    away = float(np.abs(size[size < 0]).sum() / max(float(np.abs(size).sum()), 1e-12))
    if _MIXED < away < 1 - _MIXED:
        told = f"{away:.0%} of the mesh's front is turned inside out"
        raise BadInput(told, "make its faces' order consistent (trimesh: fix_normals)", file=path)
    return faces[:, ::-1].copy() if away > 0.5 else faces
