"""Pictures of a moving mesh: pyrender behind one call.

The scene, the mesh's buffers and the off-screen picture live as long as the :class:`Renderer`; a new frame only
replaces positions and normals in the vertex buffer. Pictures are drawn at twice the size and averaged down, so that
edges and texture move smoothly by fractions of a pixel; depth is drawn at the size itself and is exact.
OSMesa draws on the processor and is the default; ``PYOPENGL_PLATFORM=egl`` uses a graphics card.
"""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from scipy import sparse

from mer_lib.problems import BadInput
from mer_lib.render.camera import Camera

os.environ.setdefault("PYOPENGL_PLATFORM", "osmesa")  # read once, when OpenGL is imported
vars(np).setdefault("infty", np.inf)  # pyrender 0.1.45 was written for numpy 1

REMEDY = (
    "install the OpenGL libraries: apt-get install libosmesa6 libegl1 libgl1 libgl1-mesa-dri libopengl0 "
    "(or set PYOPENGL_PLATFORM=egl on a machine with a graphics card)"
)
try:
    import pyrender
    import pyrender.renderer
    from OpenGL import GL
    from pyrender.shader_program import ShaderProgramCache
except (ImportError, AttributeError, OSError) as error:  # PyOpenGL says "no library" in all three ways
    raise BadInput(f"OpenGL cannot be loaded ({error})", REMEDY) from error

OVERSAMPLING = 2
NEAR, FAR = 0.05, 20.0
WRAP = np.float32([0.4, 0.22, 0.18])


def _without_multisampling(target, samples, *rest):
    return GL.glRenderbufferStorageMultisample(target, 0, *rest)


# pyrender asks for four samples a pixel where it can, and what it then reads as depth is smeared at silhouettes.
pyrender.renderer.glRenderbufferStorageMultisample = _without_multisampling


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
        self._buffer = np.zeros((len(surface.corners), 11), np.float32)  # pyrender's: position, uv, mirror, colour
        self._buffer[:, 3:5] = surface.uv
        self._mesh = _primitive(surface)
        self._lens = pyrender.IntrinsicsCamera(1, 1, 0, 0, znear=NEAR, zfar=FAR)
        self._scene = pyrender.Scene(bg_color=[0.0] * 4)
        self._scene.add(pyrender.Mesh([self._mesh]))
        self._scene.add(self._lens)
        try:
            self._gl = pyrender.OffscreenRenderer(camera.width * OVERSAMPLING, camera.height * OVERSAMPLING)
            self._gl._renderer._program_cache = ShaderProgramCache(str(Path(__file__).parent))
            self._draw(OVERSAMPLING)  # makes the buffers that later drawings fill
        except Exception as error:  # a missing driver shows as AssertionError, GLError, ValueError or ctypes' own
            raise BadInput(f"no OpenGL context ({type(error).__name__}: {error})", REMEDY) from error
        self.close = weakref.finalize(self, _release, self._gl)  # at the latest while OpenGL is still there

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
        self._buffer[:, 5:7] = mirror[self.surface.corners]
        self._buffer[:, 7:10] = diffuse[self.surface.corners]
        self._upload()
        large = self._draw(OVERSAMPLING)
        rgba = cv2.resize(large, (self.camera.width, self.camera.height), interpolation=cv2.INTER_AREA)
        behind = np.broadcast_to(np.asarray(background, np.uint16), (self.camera.height, self.camera.width, 3))
        clear = 255 - rgba[..., 3:].astype(np.uint16)  # colours are zero where nothing is: they carry their cover
        return (rgba[..., :3] + (behind * clear + 127) // 255).astype(np.uint8)

    def depth(self, vertices: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """The depth (H, W) float32 in metres at the pixels' centres, 0 where nothing is."""
        self._move(vertices, pose)
        self._upload()
        return self._draw(1, depth=True)

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _move(self, vertices: np.ndarray, pose: np.ndarray) -> np.ndarray:
        seen = (vertices @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32) * np.float32([1, -1, -1])
        self._buffer[:, :3] = seen[self.surface.corners]
        return seen

    def _upload(self) -> None:
        self._gl._platform.make_current()
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._mesh._buffers[0])
        GL.glBufferSubData(GL.GL_ARRAY_BUFFER, 0, self._buffer.nbytes, self._buffer)

    def _draw(self, scale: int, *, depth: bool = False) -> np.ndarray:
        """Draw ``scale`` times as large as the picture. Returns colours (H, W, 4) uint8 or, at the end, the depth."""
        (u, v), gl = self.camera.centre, self._gl._renderer
        self._lens.fx = self._lens.fy = self.camera.focal * scale
        self._lens.cx, self._lens.cy = (u + 0.5) * scale, (v + 0.5) * scale  # OpenGL counts from the pixels' edges
        gl.viewport_width, gl.viewport_height = self.camera.width * scale, self.camera.height * scale
        self._gl._platform.make_current()
        flags = pyrender.RenderFlags.FLAT | pyrender.RenderFlags.RGBA
        if self._gl._platform.supports_framebuffers():
            return gl.render(self._scene, flags | pyrender.RenderFlags.OFFSCREEN)[1 if depth else 0]
        gl.render(self._scene, flags)
        if depth:
            return gl.read_depth_buf()
        pixels = GL.glReadPixels(0, 0, gl.viewport_width, gl.viewport_height, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE)
        return np.frombuffer(pixels, np.uint8).reshape(gl.viewport_height, gl.viewport_width, 4)[::-1]


def _release(gl: pyrender.OffscreenRenderer) -> None:
    """Free a context and what is in it. pyrender alone would end EGL's display too, which all contexts share."""
    renderer, platform = gl._renderer, gl._platform
    gl._renderer = gl._platform = None
    platform.make_current()
    renderer.delete()
    if platform.supports_framebuffers():
        from OpenGL.EGL import eglDestroyContext  # cannot be imported under OSMesa

        eglDestroyContext(platform._egl_display, platform._egl_context)
    else:
        platform.delete_context()


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


def _primitive(surface: Surface) -> pyrender.Primitive:
    corners = len(surface.corners)
    texture = pyrender.Texture(source=surface.texture, source_channels="RGBA")
    material = pyrender.MetallicRoughnessMaterial(baseColorTexture=texture, alphaMode="OPAQUE")
    return pyrender.Primitive(
        np.zeros((corners, 3)),
        texcoord_0=surface.uv,
        texcoord_1=np.zeros((corners, 2)),
        color_0=np.ones((corners, 4)),
        indices=surface.uv_faces,
        material=material,
    )
