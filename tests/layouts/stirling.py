"""Stirling/ESRC 3-D faces as they are unpacked: names in upper and lower case, landmarks in a folder apart."""

from __future__ import annotations

from pathlib import Path

MESHES = ("F_3D_N/f1001_N.obj", "F_3D_N/F1002_N.obj", "M_3D_N/m1001_N.obj", "M_3D_N/M1003_n.OBJ")
LANDMARKS = ("F_3D_N/F1001_N.lnd", "F_3D_N/f1002_N.lnd", "M_3D_N/m1001_N.lnd")  # M1003 has none
OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


def write(root: Path, meshes=MESHES) -> Path:
    for name in meshes:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(OBJ)
    for name in LANDMARKS:
        path = root / "annotations" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("0 0 0\n")
    return root
