"""SAMM: 159 micro-expressions of 32 people, grey frames at 200 fps, annotations in one xlsx below a preamble."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mer_lib.corpora import sheets
from mer_lib.corpora.annotated import Annotation, each, table, tell_unused, told
from mer_lib.corpora.frames import folders
from mer_lib.corpora.layout import Layout, find_frames, find_sheet
from mer_lib.corpora.schemes import labels
from mer_lib.registry import register

FPS = 200
LAYOUTS = {
    "samm": Layout(
        title="SAMM",
        sheets=("SAMM_Micro_FACS_Codes_v2.xlsx", "SAMM*Micro_FACS_Codes*.xlsx", "SAMM*Micro_FACS_Codes*.csv"),
        frames=("SAMM", "SAMM_*"),
        inside=r"\d{3}",
        tree="""\
samm/
  SAMM_Micro_FACS_Codes_v2.xlsx         or SAMM_20181215_Micro_FACS_Codes_v2.xlsx
  SAMM/
    006/
      006_1_2/
        006_05562.jpg …
""",
        docs="docs/data-sets/samm.md",
    )
}
COLUMNS = {
    "subject": ("Subject",),
    "name": ("Filename",),
    "onset": ("Onset Frame",),
    "apex": ("Apex Frame",),
    "offset": ("Offset Frame",),
    "action_units": ("Action Units",),
    "emotion": ("Estimated Emotion",),
    "objective": ("Objective Classes", "Objective Class"),
}
OWN = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise", "others")
NO_FRAME = (-1, 0)  # frames are counted from 1


@register(
    "corpus",
    "samm",
    people="samm",
    title="SAMM",
    paper="Davison, Lansley, Costen, Tan, Yap: SAMM: a spontaneous micro-facial movement dataset (2018)",
    doi="10.1109/TAFFC.2016.2573832",
)
def index(
    root: str | Path,
    *,
    name: str,
    classes: Sequence[str],
    sheet: str = "",
    frames: str = "",
    scheme: str = "megc2019",
) -> pd.DataFrame:
    """SAMM: 159 clips, 32 subjects, 200 fps; schemes megc2019, own, objective.

    sheet, frames: paths from ``root`` where they are not found or another one is meant; scheme: see corpora.schemes.
    Returns the clip table, sources relative to ``root``. Rows that cannot be used are refused (recorded, not raised).
    """
    layout = LAYOUTS["samm"]
    known = labels(scheme, classes, corpus=name, adapter="samm", own=OWN, objective=True)
    path = find_sheet(root, layout, sheet)
    optional = () if scheme == "objective" else ("objective",)
    page = "MICRO_ONLY" if path.suffix.lower() != ".csv" else 0
    rows = sheets.read(path, COLUMNS, sheet=page, optional=optional, keys=("subject", "name"))
    top = find_frames(root, layout, frames)
    found = folders(top, 2)

    def annotation(row: sheets.Row) -> Annotation:
        subject, clip = row.text("subject").zfill(3), row.text("name")  # 6 where Excel took '006' for a number
        values = told(row, known, objective=row.text("objective"), unknown=NO_FRAME)
        folder = found.get(f"{subject}/{clip}".lower())
        return Annotation(subject, clip, row.where, folder, f"{top.name}/{subject}/{clip}", **values)

    annotations = each(rows, annotation)
    tell_unused(found, (a.folder for a in annotations), root=root)
    return table(annotations, root=root, name=name, fps=FPS)
