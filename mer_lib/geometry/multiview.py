"""The views of a clip as a stage keeps them: frames, landmarks in them, and what of the face each view shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mer_lib.geometry import mesh
from mer_lib.geometry.relief import Relief, relief
from mer_lib.geometry.views import film, views, visibility
from mer_lib.problems import BadInput
from mer_lib.views import stacked


def generate(
    frames: np.ndarray,
    depth: np.ndarray,
    landmarks: np.ndarray,
    apex: int | None,
    *,
    yaws: Sequence[float],
    fov: float,
    rest_px: float,
    renderer: str,
) -> dict[str, np.ndarray]:
    """The views of a clip, one behind the other.

    Parameters
    ----------
    frames, depth, landmarks : (T, S, S, 3) uint8, (T, S, S) float32, (T, 5, 2) float32
        The whole clip, as :func:`mer_lib.geometry.views.render_views` takes it: its surface is that of all frames.
    apex : int or None
        With it, onset and apex are rendered and no other frame; None asks for all.
    yaws, fov, rest_px, renderer :
        As there.

    Returns
    -------
    yaw (V,) degrees, frames (V · n, S, S, 3) uint8, landmarks (V · n, 5, 2) float32 px, and visible (V, S, S) uint8,
    how much of each pixel of the first frontal crop's face a view shows: 255 all, 0 nothing or no face.

    Raises
    ------
    BadInput
        An apex outside the clip, and as render_views.
    """
    if apex is not None and not 0 < apex < len(frames):
        raise BadInput(f"the apex is frame {apex} of {len(frames)} from the onset", "it must come after the onset")
    surface = relief(frames, depth, landmarks, yaws=yaws, fov=fov, rest_px=rest_px)
    kept = np.arange(len(frames)) if apex is None else np.array([0, apex])
    shown = replace(surface, pixels=surface.pixels[kept], depth=surface.depth[kept])
    pictures, seen = film(shown, frames[kept], yaws, renderer=renderer), visibility(surface, yaws)
    marks = projected_landmarks(surface, landmarks[kept], yaws)
    found = {}
    for yaw, picture, mark, mask in zip(yaws, pictures, marks, seen, strict=True):
        visible = np.rint(255 * np.nan_to_num(mask)).astype(np.uint8)
        found[float(yaw)] = {"frames": picture, "landmarks": mark, "visible": visible[None]}
    return stacked(found)


def projected_landmarks(surface: Relief, landmarks: np.ndarray, yaws: Sequence[float]) -> np.ndarray:
    """(V, T, 5, 2) float32 pixels: where each view shows landmarks (T, 5, 2), as deep as the clip's own are."""
    depth = np.broadcast_to(-surface.landmarks[:, 2] / mesh.PUPILS, landmarks.shape[:2])
    places = mesh.lifted(surface.camera, surface.eyes, landmarks, depth)
    seen = [view.camera.project(places, view.pose)[..., :2] for view in views(surface, yaws)]
    return np.array(seen, np.float32)
