"""A face's surface in one frame as a file that other programs open: glTF 2.0, binary, with the frame as its texture.

glTF is in metres, y up, and a face looks along z: the model's own axes (:mod:`mer_lib.render.camera`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from mer_lib.geometry.relief import Relief
from mer_lib.whole import replacing

_TURNED = 45.0  # degrees: whoever opens the file may look from there, so what is a skirt there is left out


def write_glb(path: str | Path, surface: Relief, frame: np.ndarray, t: int, facts: dict[str, Any]) -> np.ndarray:
    """Write the surface at frame ``t`` of its clip to ``path`` (.glb), with that frame (S, S, 3) uint8 as its texture
    and ``facts`` (plain values) as the scene's extras. The eyes' middle is at the origin of the first frame. Returns
    the triangles (M, 3) that were written."""
    size = len(frame)
    across, down = (surface.pixels[t] + 0.5).T / size
    skin = PBRMaterial(baseColorTexture=Image.fromarray(frame), metallicFactor=0.0, roughnessFactor=1.0)
    visual = TextureVisuals(uv=np.stack([across, 1 - down], axis=1), material=skin)  # trimesh counts v from the bottom
    faces = surface.shape.seen_from(_TURNED)
    mesh = trimesh.Trimesh(surface.vertices(t), faces, visual=visual, process=False)
    scene = trimesh.Scene({"face": mesh}, metadata=facts)
    with replacing(path) as part:
        part.write_bytes(scene.export(file_type="glb"))
    return faces
