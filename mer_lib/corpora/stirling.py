"""Stirling/ESRC 3-D faces: a neutral scan of each person, ``F_3D_N/f1001_N.obj``, upper and lower case mixed.

Landmarks lie apart, ``annotations/F_3D_N/f1001_N.lnd``, under the mesh's name in whatever case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mer_lib import meshes
from mer_lib.corpora.frames import names
from mer_lib.corpora.layout import Layout, find_frames
from mer_lib.problems import BadInput, note, refuse
from mer_lib.registry import register

EXPRESSIONS = {"N": "neutral"}
LAYOUTS = {
    "stirling": Layout(
        title="Stirling/ESRC 3D faces",
        sheets=(),
        frames=("stirling*", "*ESRC*", "*Stirling*", "*3D*"),
        inside=r"[FM]_3D_N",
        tree="""\
stirling/
  F_3D_N/
    f1001_N.obj …                        or F1001_N.obj
  M_3D_N/
    m1001_N.obj …
  annotations/                           optional: landmarks
    F_3D_N/
      f1001_N.lnd …
    M_3D_N/
""",
        docs="docs/data-sets/stirling.md",
    )
}
_SCAN = re.compile(r"([FM]\d+)_([A-Z])\.obj", re.IGNORECASE)
_NAMED = 5


@register(
    "corpus",
    "stirling",
    meshes=True,
    title="Stirling/ESRC 3D faces",
    paper="Feng, Huber, Kittler, Hancock, Wu, Zhao, Koppen, Rätsch: Evaluation of dense 3D reconstruction from 2D face "
    "images in the wild (2018)",
    doi="10.1109/FG.2018.00123",
)
def index(root: str | Path, *, name: str, classes: Sequence[str], frames: str = "") -> pd.DataFrame:
    """Stirling/ESRC: neutral 3-D scans of women and men; a table of meshes.

    frames: path from ``root`` of the folder that holds F_3D_N and M_3D_N, where it is not found; ``classes`` are not
    used. Returns the table of meshes (``mer_lib.meshes``), subjects in upper case. A second file of one scan is refused
    (recorded); scans without landmarks are noted.
    """
    top = _top(Path(root), frames)
    rows, seen = [], {}
    for path in _scans(top):
        match = _SCAN.fullmatch(path.name)
        subject, expression = f"{name}/{match[1].upper()}", match[2].upper()
        mesh, source = f"{subject}/{expression}", path.relative_to(root).as_posix()
        if mesh in seen:
            refuse(f"stands there as {seen[mesh]} already", "keep one of the two files", file=path, clip=mesh)
            continue
        seen[mesh] = source
        told = EXPRESSIONS.get(expression, expression)
        rows.append({"mesh": mesh, "dataset": name, "subject": subject, "expression": told, "source": source})
    if not rows:
        raise BadInput("no scan such as F_3D_N/f1001_N.obj", "unpack the meshes there", file=top)
    _tell_landmarks(top, seen)
    return meshes.table(rows)


def _top(root: Path, given: str) -> Path:
    """The folder of the scans' folders; that of the landmarks holds folders of the same names."""
    if not given and any(re.fullmatch(LAYOUTS["stirling"].inside, name, re.IGNORECASE) for name in names(root)):
        return root
    return find_frames(root, LAYOUTS["stirling"], given)


def _scans(top: Path) -> list[Path]:
    folders = [top / name for name in names(top) if re.fullmatch(LAYOUTS["stirling"].inside, name, re.IGNORECASE)]
    return [folder / name for folder in folders for name in names(folder) if _SCAN.fullmatch(name)]


def _tell_landmarks(top: Path, scans: dict[str, str]) -> None:
    """Note the scans without landmarks, whatever the case of either name."""
    above = next((top / name for name in names(top) if name.casefold() == "annotations"), top / "annotations")
    there = {
        Path(name).stem.casefold()
        for folder in names(above)
        for name in names(above / folder)
        if name.lower().endswith(".lnd")
    }
    if bare := [source for source in scans.values() if Path(source).stem.casefold() not in there]:
        told = ", ".join(bare[:_NAMED]) + (" …" if len(bare) > _NAMED else "")
        note(
            f"{len(bare)} of {len(scans)} scans have no landmarks: {told}",
            "unpack annotations/ beside the meshes",
            file=top,
        )
