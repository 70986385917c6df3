"""Views of a surface that carries a film: each frame is the texture of a mesh of fixed vertices, without any light.

Two ways to the same pictures. ``pyrender`` keeps one scene, buffer and texture and replaces what a frame changes;
``raster`` fills the triangles itself, in compiled code without OpenGL: a depth map's triangles are as small as pixels,
where a general renderer spends its time on other things. They agree to the rounding of a grey level but for pixels
whose centre an edge passes through (see the tests), and both average 2 × 2 samples a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from mer_lib.problems import BadInput
from mer_lib.render.camera import Camera

OVERSAMPLING = 2
_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])  # OpenCV's camera axes to OpenGL's


@dataclass(frozen=True)
class View:
    """Where a picture is taken from: a camera, the pose (4, 4) of the model before it, and which of the model's
    triangles (M, 3) are shown there."""

    camera: Camera
    pose: np.ndarray
    faces: np.ndarray


class RasterFilm:
    """Pictures (height, width, 3) of a mesh, by the own rasteriser."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        samples = height * OVERSAMPLING, width * OVERSAMPLING
        self._nearest, self._place = np.empty(samples, np.float32), np.empty((*samples, 2), np.float32)

    def frame(
        self, frame: np.ndarray, vertices: np.ndarray, pixels: np.ndarray, views: list[View], background: np.ndarray
    ) -> np.ndarray:
        """One frame from every view.

        frame: (H, W, 3) uint8; vertices: (V, 3) metres; pixels: (V, 2) where of the frame each vertex takes its colour,
        u and v; background: (3,) uint8, what is seen beside the surface. Returns (views, height, width, 3) uint8.
        """
        made = np.empty((len(views), self.height, self.width, 3), np.uint8)
        source, places = np.ascontiguousarray(frame), np.ascontiguousarray(pixels, np.float32)
        for picture, view in zip(made, views, strict=True):
            seen = np.ascontiguousarray(view.camera.project(vertices, view.pose))
            _fill(seen, np.ascontiguousarray(view.faces, np.int32), places, OVERSAMPLING, self._nearest, self._place)
            _develop(source, self._nearest, self._place, OVERSAMPLING, np.asarray(background, np.float32), picture)
        return made

    def close(self) -> None:
        """Nothing is held but memory."""


class PyrenderFilm:
    """The same by pyrender: vertices and frame are uploaded once a frame, a view changes camera, pose and triangles."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._canvas = None

    def frame(
        self, frame: np.ndarray, vertices: np.ndarray, pixels: np.ndarray, views: list[View], background: np.ndarray
    ) -> np.ndarray:
        """As :meth:`RasterFilm.frame`."""
        from mer_lib.render.gl import over

        height, width = frame.shape[:2]
        canvas = self._prepared(len(vertices), height, width, max((view.faces for view in views), key=len))
        canvas.position[:] = vertices
        canvas.uv[:, 0] = (pixels[:, 0] + 0.5) / width
        canvas.uv[:, 1] = 1 - (pixels[:, 1] + 0.5) / height
        canvas.upload()
        self._texture[..., :3] = frame
        canvas.paint(self._texture)
        shown = []
        for view in views:
            canvas.show(view.faces)
            shown.append(over(canvas.picture(view.camera, _FLIP @ view.pose), background))
        return np.stack(shown)

    def close(self) -> None:
        """Free the GL context."""
        if self._canvas is not None:
            self._canvas.close()

    def _prepared(self, vertices: int, height: int, width: int, faces: np.ndarray):
        """The canvas, made for the first frame: all frames have its size, its vertices and its views."""
        from mer_lib.render.gl import Canvas  # a machine without OpenGL can still use the other

        if self._canvas is None:
            self._texture = np.zeros((height, width, 4), np.uint8)
            uv = np.zeros((vertices, 2), np.float32)
            self._canvas = Canvas(self.height, self.width, uv, faces, self._texture, film=True)
            self._canvas.light[:] = 1
        return self._canvas


RENDERERS = {"raster": RasterFilm, "pyrender": PyrenderFilm}


def open_film(renderer: str, height: int, width: int) -> RasterFilm | PyrenderFilm:
    """A renderer by its name. Raises BadInput for another name, or without OpenGL."""
    if renderer not in RENDERERS:
        raise BadInput(f"no renderer called '{renderer}'", f"choose one of {', '.join(RENDERERS)}")
    return RENDERERS[renderer](height, width)


@njit(cache=True)
def _fill(projected, faces, pixels, scale, nearest, place):
    """The frame's pixel (u, v) that each of ``scale``² samples a pixel sees: into place, with the inverse depth in
    nearest (0: nothing). Faces that turn away are not drawn."""
    nearest[:] = 0
    height, width = nearest.shape
    offset = (scale - 1) / 2
    for m in range(len(faces)):
        ia, ib, ic = faces[m, 0], faces[m, 1], faces[m, 2]
        za, zb, zc = projected[ia, 2], projected[ib, 2], projected[ic, 2]
        if za <= 0 or zb <= 0 or zc <= 0:
            continue
        ax, ay = projected[ia, 0] * scale + offset, projected[ia, 1] * scale + offset
        bx, by = projected[ib, 0] * scale + offset, projected[ib, 1] * scale + offset
        cx, cy = projected[ic, 0] * scale + offset, projected[ic, 1] * scale + offset
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area >= 0:  # v points down: outside faces are clockwise here
            continue
        left, right = max(0, int(np.ceil(min(ax, bx, cx)))), min(width - 1, int(np.floor(max(ax, bx, cx))))
        top, bottom = max(0, int(np.ceil(min(ay, by, cy)))), min(height - 1, int(np.floor(max(ay, by, cy))))
        for i in range(top, bottom + 1):
            for j in range(left, right + 1):
                wa = ((bx - j) * (cy - i) - (by - i) * (cx - j)) / area
                wb = ((cx - j) * (ay - i) - (cy - i) * (ax - j)) / area
                wc = ((ax - j) * (by - i) - (ay - i) * (bx - j)) / area  # not 1 − wa − wb: no cracks at edges
                if wa < 0 or wb < 0 or wc < 0:
                    continue
                wa, wb, wc = wa / za, wb / zb, wc / zc  # colours go evenly along the surface, not along the picture
                inverse = wa + wb + wc
                if inverse > nearest[i, j]:
                    nearest[i, j] = inverse
                    place[i, j, 0] = (wa * pixels[ia, 0] + wb * pixels[ib, 0] + wc * pixels[ic, 0]) / inverse
                    place[i, j, 1] = (wa * pixels[ia, 1] + wb * pixels[ib, 1] + wc * pixels[ic, 1]) / inverse


@njit(cache=True)
def _develop(frame, nearest, place, scale, background, picture):
    """Colours, bilinear, averaged over the samples of each pixel."""
    height, width = frame.shape[:2]
    share = np.float32(1 / scale**2)
    for i in range(picture.shape[0]):
        for j in range(picture.shape[1]):
            red, green, blue = np.float32(0), np.float32(0), np.float32(0)
            for k in range(scale):
                for m in range(scale):
                    y, x = i * scale + k, j * scale + m
                    if nearest[y, x] == 0:
                        red += background[0]
                        green += background[1]
                        blue += background[2]
                        continue
                    u = min(max(place[y, x, 0], np.float32(0)), np.float32(width - 1))
                    v = min(max(place[y, x, 1], np.float32(0)), np.float32(height - 1))
                    c, r = min(int(u), width - 2), min(int(v), height - 2)
                    p, q = u - c, v - r
                    a, b = (1 - p) * (1 - q), p * (1 - q)
                    d, e = (1 - p) * q, p * q
                    red += (
                        a * frame[r, c, 0]
                        + b * frame[r, c + 1, 0]
                        + d * frame[r + 1, c, 0]
                        + e * frame[r + 1, c + 1, 0]
                    )
                    green += (
                        a * frame[r, c, 1]
                        + b * frame[r, c + 1, 1]
                        + d * frame[r + 1, c, 1]
                        + e * frame[r + 1, c + 1, 1]
                    )
                    blue += (
                        a * frame[r, c, 2]
                        + b * frame[r, c + 1, 2]
                        + d * frame[r + 1, c, 2]
                        + e * frame[r + 1, c + 1, 2]
                    )
            picture[i, j, 0] = np.uint8(red * share + np.float32(0.5))
            picture[i, j, 1] = np.uint8(green * share + np.float32(0.5))
            picture[i, j, 2] = np.uint8(blue * share + np.float32(0.5))
