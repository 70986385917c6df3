"""An off-screen picture of one mesh by pyrender: the only place that knows OpenGL.

Scene, buffers, texture and picture live as long as the :class:`Canvas`; a new drawing replaces what has changed. Making
them anew costs more than drawing (see ``benchmarks/render.py``). OSMesa draws on the processor and is the default;
``PYOPENGL_PLATFORM=egl`` uses a graphics card.
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path

import cv2
import numpy as np

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
_FLOATS = 11  # a corner: position, texture coordinate, cosines of both lamps' mirror directions, light, one unused


def _without_multisampling(target, samples, *rest):
    GL.glRenderbufferStorageMultisample(target, 0, *rest)


# pyrender asks for four samples a pixel where it can, and what it then reads as depth is smeared at silhouettes.
pyrender.renderer.glRenderbufferStorageMultisample = _without_multisampling


class Canvas:
    """Draws one textured mesh of fixed topology, again and again. Close it (or use ``with``) to free the GL context.

    height, width: pixels of the picture; uv: (R, 2), v up; faces: (M, 3) of the R corners; texture: (H, W, 4) uint8,
    RGB and gloss; film: the texture will be replaced (:meth:`paint`) and is not repeated beyond its edges.
    ``corners`` (R, 11) float32 is what the graphics card is told of each corner: set ``position`` (R, 3)
    in the axes of OpenGL's camera or of the model, ``uv`` (R, 2), ``mirror`` (R, 2) and ``light`` (R, 3), then
    :meth:`upload`.
    """

    def __init__(
        self, height: int, width: int, uv: np.ndarray, faces: np.ndarray, texture: np.ndarray, *, film: bool = False
    ) -> None:
        self.height, self.width = height, width
        self.corners = np.zeros((len(uv), _FLOATS), np.float32)
        self.position, self.uv = self.corners[:, :3], self.corners[:, 3:5]
        self.mirror, self.light = self.corners[:, 5:7], self.corners[:, 7:10]
        self.uv[:] = uv
        self._mesh = _primitive(self.corners, faces, texture, film)
        self._lens = pyrender.IntrinsicsCamera(1, 1, 0, 0, znear=NEAR, zfar=FAR)
        self._scene = pyrender.Scene(bg_color=[0.0] * 4)
        self._node = self._scene.add(pyrender.Mesh([self._mesh]))
        self._scene.add(self._lens)
        try:
            self._gl = pyrender.OffscreenRenderer(width * OVERSAMPLING, height * OVERSAMPLING)
            self._gl._renderer._program_cache = ShaderProgramCache(str(Path(__file__).parent))
            self._draw(Camera(height, width, 1.0), OVERSAMPLING)  # makes the buffers that later drawings fill
        except Exception as error:  # a missing driver shows as AssertionError, GLError, ValueError or ctypes' own
            raise BadInput(f"no OpenGL context ({type(error).__name__}: {error})", REMEDY) from error
        self.close = weakref.finalize(self, _release, self._gl)  # at the latest while OpenGL is still there

    def upload(self) -> None:
        """Hand the corners to OpenGL."""
        self._gl._platform.make_current()
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._mesh._buffers[0])
        GL.glBufferSubData(GL.GL_ARRAY_BUFFER, 0, self.corners.nbytes, self.corners)

    def show(self, faces: np.ndarray) -> None:
        """Draw these triangles (M, 3) from now on, at most as many as the canvas was made for."""
        corners = np.ascontiguousarray(faces, np.uint32)
        self._mesh.indices = corners  # pyrender keeps them as other numbers, and draws as many as these
        self._gl._platform.make_current()
        GL.glBindVertexArray(self._mesh._vaid)
        GL.glBindBuffer(GL.GL_ELEMENT_ARRAY_BUFFER, self._mesh._buffers[-1])
        GL.glBufferSubData(GL.GL_ELEMENT_ARRAY_BUFFER, 0, corners.nbytes, corners)
        GL.glBindVertexArray(0)

    def paint(self, texture: np.ndarray) -> None:
        """Replace the texture by one of the same shape, (H, W, 4) uint8."""
        height, width = texture.shape[:2]
        self._gl._platform.make_current()
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._mesh.material.baseColorTexture._texid)
        rows = np.ascontiguousarray(texture[::-1])  # OpenGL counts from the bottom
        GL.glTexSubImage2D(GL.GL_TEXTURE_2D, 0, 0, 0, width, height, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, rows)

    def picture(self, camera: Camera, pose: np.ndarray | None = None) -> np.ndarray:
        """What the camera sees: (H, W, 4) uint8, colours and how much of each pixel is covered; colours are zero where
        nothing is, so that they carry their cover. pose: (4, 4), corners to OpenGL's camera; else they are there."""
        large = self._draw(camera, OVERSAMPLING, pose)
        return cv2.resize(large, (self.width, self.height), interpolation=cv2.INTER_AREA)

    def depth(self, camera: Camera, pose: np.ndarray | None = None) -> np.ndarray:
        """The depth (H, W) float32 in metres at the pixels' centres, 0 where nothing is."""
        return self._draw(camera, 1, pose, depth=True)

    def _draw(self, camera: Camera, scale: int, pose: np.ndarray | None = None, *, depth: bool = False) -> np.ndarray:
        """Draw ``scale`` times as large as the picture. Returns colours (H, W, 4) uint8 or, at the end, the depth."""
        (u, v), gl = camera.centre, self._gl._renderer
        self._lens.fx = self._lens.fy = camera.focal * scale
        self._lens.cx, self._lens.cy = (u + 0.5) * scale, (v + 0.5) * scale  # OpenGL counts from the pixels' edges
        if pose is not None:
            self._scene.set_pose(self._node, pose)
        gl.viewport_width, gl.viewport_height = self.width * scale, self.height * scale
        self._gl._platform.make_current()
        flags = pyrender.RenderFlags.FLAT | pyrender.RenderFlags.RGBA
        if self._gl._platform.supports_framebuffers():
            return gl.render(self._scene, flags | pyrender.RenderFlags.OFFSCREEN)[1 if depth else 0]
        gl.render(self._scene, flags)
        if depth:
            return gl.read_depth_buf()
        pixels = GL.glReadPixels(0, 0, gl.viewport_width, gl.viewport_height, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE)
        return np.frombuffer(pixels, np.uint8).reshape(gl.viewport_height, gl.viewport_width, 4)[::-1]

    def __enter__(self) -> Canvas:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def over(rgba: np.ndarray, background: np.ndarray | int) -> np.ndarray:
    """A picture (H, W, 4) as :meth:`Canvas.picture` gives it before a grey, a colour (3,) or a picture (H, W, 3)."""
    behind = np.broadcast_to(np.asarray(background, np.uint16), (*rgba.shape[:2], 3))
    clear = 255 - rgba[..., 3:].astype(np.uint16)
    return (rgba[..., :3] + (behind * clear + 127) // 255).astype(np.uint8)


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


def _primitive(corners: np.ndarray, faces: np.ndarray, texture: np.ndarray, film: bool) -> pyrender.Primitive:
    sampler = pyrender.Sampler()  # repeats, and shrinks by mipmaps, which nobody would make anew for each texture
    if film:
        edge, linear = GL.GL_CLAMP_TO_EDGE, GL.GL_LINEAR
        sampler = pyrender.Sampler(magFilter=linear, minFilter=linear, wrapS=edge, wrapT=edge)
    source = pyrender.Texture(source=texture, source_channels="RGBA", sampler=sampler)
    material = pyrender.MetallicRoughnessMaterial(baseColorTexture=source, alphaMode="OPAQUE")
    return pyrender.Primitive(
        corners[:, :3],
        texcoord_0=corners[:, 3:5],
        texcoord_1=corners[:, 5:7],
        color_0=np.ones((len(corners), 4)),
        indices=faces,
        material=material,
    )
