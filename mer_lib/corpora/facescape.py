"""FaceScape: registered 3-D scans of 847 people with 20 expressions each, one topology, a texture beside each mesh.

Readers of the meshes must keep the order of the vertices, on which the common topology rests: trimesh changes it unless
it is told ``process=False, maintain_order=True``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mer_lib import meshes
from mer_lib.corpora.frames import names, subfolders
from mer_lib.corpora.layout import Layout, find_frames
from mer_lib.problems import BadInput, note, refuse
from mer_lib.registry import register

EXPRESSIONS = (
    "neutral", "smile", "mouth_stretch", "anger", "jaw_left", "jaw_right", "jaw_forward", "mouth_left", "mouth_right",
    "dimpler", "chin_raiser", "lip_puckerer", "lip_funneler", "sadness", "lip_roll", "grin", "cheek_blowing",
    "eye_closed", "brow_raiser", "brow_lower",
)  # fmt: skip
REGISTERED = "models_reg"
LAYOUTS = {
    "facescape": Layout(
        title="FaceScape",
        sheets=(),
        frames=("facescape*", "textured_meshes", "facescape_trainset*", "trainset*", "1.1.2020"),
        inside=r"\d{1,3}",
        tree="""\
facescape/
  1/
    models_reg/
      1_neutral.obj
      1_neutral.obj.mtl
      1_neutral.jpg
      2_smile.obj …
""",
        docs="docs/data-sets/facescape.md",
    )
}
_NAMED = 5


@register(
    "corpus",
    "facescape",
    meshes=True,
    title="FaceScape",
    paper="Yang, Zhu, Wang, Huang, Shen, Yang, Cao: FaceScape: a large-scale high quality 3D face dataset (2020)",
    doi="10.1109/CVPR42600.2020.00068",
)
def index(root: str | Path, *, name: str, classes: Sequence[str], frames: str = "") -> pd.DataFrame:
    """FaceScape: 847 people × 20 expressions, registered 3-D scans; a table of meshes.

    frames: path from ``root`` of the folder that holds the people's, where it is not found; ``classes`` are not used.
    Returns the table of meshes (``mer_lib.meshes``). Scans that are absent or empty are refused (recorded); people
    without scans and scans without a texture are noted.
    """
    top = find_frames(root, LAYOUTS["facescape"], frames)
    rows, bare, incomplete = [], [], Counter()
    people = sorted((person for person in subfolders(top) if person.isdecimal()), key=int)
    for person in people:
        files = _sizes(top / person / REGISTERED)
        for number, expression in enumerate(EXPRESSIONS, 1):
            stem = f"{number}_{expression}"
            mesh = f"{name}/{person}/{stem}"
            if not (size := files.get(f"{stem}.obj", -1)):
                refuse("the mesh is empty (0 bytes)", "unpack it again", file=top / person / REGISTERED, clip=mesh)
            if size < 0:
                incomplete[person] += 1
            if size <= 0:
                continue
            if f"{stem}.jpg" not in files or f"{stem}.obj.mtl" not in files:
                bare.append(mesh)
            source = (top / person / REGISTERED / f"{stem}.obj").relative_to(root).as_posix()
            rows.append(
                {
                    "mesh": mesh,
                    "dataset": name,
                    "subject": f"{name}/{person}",
                    "expression": expression,
                    "source": source,
                }
            )
    if not rows:
        remedy = f"unpack the registered models: {{id}}/{REGISTERED}/1_neutral.obj"
        raise BadInput(f"no scan in {len(people)} folders of people", remedy, file=top)
    _tell(bare, incomplete, top)
    return meshes.table(rows)


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes by file name; none where the folder is absent. Raises BadInput where it cannot be listed."""
    there = ((name, folder / name) for name in names(folder))
    return {name: os.path.getsize(file) for name, file in there if os.path.isfile(file)}


def _tell(bare: list[str], incomplete: Counter, top: Path) -> None:
    if bare:
        what = f"meshes without a texture (.jpg and .obj.mtl) beside them: {len(bare)}, such as {bare[0]}"
        note(what, "unpack them again if pictures are to be rendered", file=top)
    if incomplete:
        told = ", ".join(f"{person} ({count})" for person, count in incomplete.most_common(_NAMED))
        told += " …" if len(incomplete) > _NAMED else ""
        what = f"scans that are absent: {incomplete.total()}, by person: {told}"
        note(what, "nothing to do: a few are absent from every copy", file=top)
