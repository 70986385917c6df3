"""The embedded head written as a scan: OBJ, MTL and JPEG, in any unit and place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mer_lib.synth.identity import Identity, make_identity

PERSON = "scan/1"


def person() -> Identity:
    return make_identity(PERSON)


def write(path: Path, somebody: Identity, *, unit: float = 1000.0, shift=(0.0, 0.0, 0.0), mtl: bool = True) -> Path:
    """``unit``: of the file a metre. Each texture corner gets a vertex line of its own, so that the order is known."""
    head, surface = somebody.head, somebody.surface
    vertices = somebody.vertices[head.corners] * unit + np.asarray(shift)
    faces = surface.uv_faces + 1
    lines = [f"mtllib {path.name}.mtl", "usemtl skin"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in head.uv]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in faces]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    Image.fromarray(somebody.texture[..., :3]).save(path.with_suffix(".jpg"), quality=92)
    if mtl:
        path.with_name(f"{path.name}.mtl").write_text(f"newmtl skin\nmap_Kd {path.stem}.jpg\n")
    return path
