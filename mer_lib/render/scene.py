"""Pictures of a moving, lit mesh.

The scene, the mesh's buffers and the off-screen picture are kept (:mod:`mer_lib.render.gl`); a new frame only replaces
positions and light in the vertex buffer. Pictures are drawn at twice the size and averaged down, so that edges and
texture move smoothly by fractions of a pixel; depth is drawn at the size itself and is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from mer_lib.render.camera import Camera
from mer_lib.render.gl import Canvas, over

WRAP = np.float32([0.4, 0.22, 0.18])


@dataclass(frozen=True)
class Surface:
    """What stays the same of a mesh while its vertices move.

    faces: (M, 3) vertex indices, counter-clockwise seen from outside (the inside is not drawn); corners: (R,) the
    vertex that each texture coordinate belongs to; uv: (R, 2), v up; uv_faces: (M, 3) indices of texture coordinates;
    texture: (H, W, 4) uint8, RGB and gloss (0 matt, about 60 skin, 255 wet); occlusion: (V,) float32, the share of the
    light from all around that reaches a vertex.
    """

    faces: np.ndarray
    corners: np.ndarray
    uv: np.ndarray
    uv_faces: np.ndarray
    texture: np.ndarray
    occlusion: np.ndarray


@dataclass(frozen=True)
class Light:
    """Two soft lamps and the room. They do not turn with the head; angles are degrees from the camera's axis.

    key, fill: brightness of the lamps, which stand at (yaw, pitch), positive to the picture's right and up; room:
    brightness from everywhere; tint: RGB factors of all three. A white surface that a lamp of 1 faces is white.
    """

    key: float = 0.55
    key_from: tuple[float, float] = (-35.0, 35.0)
    fill: float = 0.3
    fill_from: tuple[float, float] = (40.0, 15.0)
    room: float = 0.35
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def scaled(self, factor: float) -> Light:
        """The same light, all of it ``factor`` times as bright."""
        return replace(self, key=self.key * factor, fill=self.fill * factor, room=self.room * factor)

    def turned(self, yaw: float) -> Light:
        """The lamps carried round the head by ``yaw`` degrees to the picture's right."""
        (key, high), (fill, low) = self.key_from, self.fill_from
        return replace(self, key_from=(key + yaw, high), fill_from=(fill + yaw, low))

    def lamps(self) -> tuple[np.ndarray, np.ndarray]:
        """Directions (2, 3) to the lamps in the axes of OpenGL's camera (x right, y up, z back), and strengths (2,)."""
        yaw, pitch = np.radians([self.key_from, self.fill_from]).T
        towards = np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=1)
        return towards.astype(np.float32), np.float32([self.key, self.fill])

    def at(self, normals: np.ndarray, occlusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What reaches a surface.

        normals: (V, 3) unit, in the axes of OpenGL's camera; occlusion: (V,). Returns the diffuse light (V, 3) and the
        cosines (V, 2) between the normal and the lamps' mirror directions, both float32. Light that enters skin comes
        out around the corner, red more than blue: the diffuse cosine is wrapped by ``WRAP``. A lamp is broad: what the
        room does not reach, it reaches little.
        """
        towards, strength = self.lamps()
        cosine = normals @ towards.T
        wrapped = np.maximum((cosine[..., None] + WRAP) / (1 + WRAP), 0)  # (V, 2, 3)
        open_sky = occlusion[:, None]
        diffuse = np.einsum("vlc,l->vc", wrapped, strength) * (0.35 + 0.65 * open_sky) + self.room * open_sky
        mirror = towards + np.float32([0, 0, 1])
        mirror /= np.linalg.norm(mirror, axis=1, keepdims=True)
        return (diffuse * np.float32(self.tint)).astype(np.float32), normals @ mirror.T


class Renderer:
    """Draws one surface, again and again, for one camera. Close it (or use ``with``) to free the GL context."""

    def __init__(self, camera: Camera, surface: Surface) -> None:
        self.camera, self.surface = camera, surface
        self._adjacent = adjacency(surface.faces, len(surface.occlusion))
        self._canvas = Canvas(camera.height, camera.width, surface.uv, surface.uv_faces, surface.texture)
        self.close = self._canvas.close

    def picture(
        self, vertices: np.ndarray, pose: np.ndarray, light: Light | None = None, background: np.ndarray | int = 128
    ) -> np.ndarray:
        """Draw the mesh.

        vertices: (V, 3) metres; pose: (4, 4) model to camera; background: a grey, a colour (3,) or a picture
        (H, W, 3) uint8. Returns (H, W, 3) uint8 RGB.
        """
        seen = self._move(vertices, pose)
        normals = smooth_normals(seen, self.surface.faces, self._adjacent)
        diffuse, mirror = (light or Light()).at(normals, self.surface.occlusion)
        self._canvas.mirror[:] = mirror[self.surface.corners]
        self._canvas.light[:] = diffuse[self.surface.corners]
        self._canvas.upload()
        return over(self._canvas.picture(self.camera), background)

    def depth(self, vertices: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """The depth (H, W) float32 in metres at the pixels' centres, 0 where nothing is."""
        self._move(vertices, pose)
        self._canvas.upload()
        return self._canvas.depth(self.camera)

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _move(self, vertices: np.ndarray, pose: np.ndarray) -> np.ndarray:
        seen = (vertices @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32) * np.float32([1, -1, -1])
        self._canvas.position[:] = seen[self.surface.corners]
        return seen


def smooth_normals(vertices: np.ndarray, faces: np.ndarray, adjacent: sparse.csr_array) -> np.ndarray:
    """Unit normals (V, 3) float32 of the vertices: the mean of their faces', weighted by area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normals = adjacent @ np.cross(b - a, c - a)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.maximum(length, 1e-20)).astype(np.float32)


def adjacency(faces: np.ndarray, vertices: int) -> sparse.csr_array:
    """Which faces meet at a vertex: (V, M) of ones."""
    columns = np.repeat(np.arange(len(faces)), 3)
    ones = np.ones(faces.size, np.float32)
    return sparse.csr_array((ones, (faces.ravel(), columns)), shape=(vertices, len(faces)))
