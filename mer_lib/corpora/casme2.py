"""CASME II: 255 micro-expressions of 26 people at 200 fps, frames as numbered pictures, annotations in one xlsx."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from mer_lib.corpora import sheets
from mer_lib.corpora.annotated import Annotation, Correction, corrected, each, table, tell_unused, told
from mer_lib.corpora.casme import clip_key, subject_id
from mer_lib.corpora.frames import folders
from mer_lib.corpora.layout import Layout, find_frames, find_sheet
from mer_lib.corpora.schemes import MEGC2019, labels
from mer_lib.problems import BadInput
from mer_lib.registry import register

FPS = 200
LAYOUTS = {
    "casme2": Layout(
        title="CASME II",
        # the first version has all apexes and labels, later ones lack some
        sheets=("CASME2-coding-20140508.xlsx", "CASME2-coding*.xlsx", "CASME2_label*.xlsx", "CASME2-coding*.csv"),
        frames=("CASME2_RAW_selected", "CASME2-RAW", "CASME2_RAW", "Cropped*"),
        inside=r"sub\d+",
        tree="""\
casme2/
  CASME2-coding-20140508.xlsx
  CASME2-ObjectiveClasses.xlsx          only for scheme: objective
  CASME2_RAW_selected/                  or CASME2-RAW/, or Cropped/
    sub01/
      EP02_01f/
        img46.jpg …                     reg_img46.jpg … in Cropped/
""",
        docs="docs/data-sets/casme2.md",
    )
}
COLUMNS = {
    "subject": ("Subject",),
    "name": ("Filename",),
    "onset": ("OnsetFrame",),
    "apex": ("ApexFrame",),
    "offset": ("OffsetFrame",),
    "action_units": ("Action Units",),
    "emotion": ("Estimated Emotion",),
}
OWN = ("happiness", "disgust", "repression", "surprise", "fear", "sadness", "others")
# MEGC 2019 took disgust and repression alone for negative: 7 clips of sadness and 2 of fear are not in its list.
THREE = {name: MEGC2019[name] for name in ("happiness", "disgust", "repression", "surprise")}
NOT_OFFICIAL = Correction("it is not in the official list of MEGC 2019, though its emotion is", {"label": ""})
CORRECTIONS_MEGC2019 = {"sub04/EP12_01f": NOT_OFFICIAL, "sub05/EP09_05f": NOT_OFFICIAL}


@register(
    "corpus",
    "casme2",
    title="CASME II",
    paper="Yan, Li, Wang, Zhao, Liu, Chen, Fu: CASME II: an improved spontaneous micro-expression database (2014)",
    doi="10.1371/journal.pone.0086041",
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
    """CASME II: 255 clips, 26 subjects, 200 fps; schemes megc2019, own, objective.

    sheet, frames: paths from ``root`` where they are not found or another one is meant; scheme: see corpora.schemes.
    Returns the clip table, sources relative to ``root``. Rows that cannot be used are refused (recorded, not raised).
    """
    layout = LAYOUTS["casme2"]
    known = labels(scheme, classes, corpus=name, adapter="casme2", own=OWN, three=THREE, objective=True)
    rows = sheets.read(find_sheet(root, layout, sheet), COLUMNS, keys=("subject", "name"))
    top = find_frames(root, layout, frames)
    found = {clip_key(*key.split("/")): path for key, path in folders(top, 2).items()}
    objective = _objective_classes(root, layout) if scheme == "objective" else {}

    def annotation(row: sheets.Row) -> Annotation:
        subject, clip = subject_id(row.text("subject")), row.text("name")
        key = clip_key(subject, clip)
        wanted = f"{top.name}/{subject}/{clip}"
        values = told(row, known, objective=objective.get(key, ""))
        return Annotation(subject, clip, row.where, found.get(key), wanted, **values)

    annotations = each(rows, annotation)
    if scheme == "megc2019":
        annotations = corrected(annotations, CORRECTIONS_MEGC2019)
    tell_unused(found, (a.folder for a in annotations), root=root)
    return table(annotations, root=root, name=name, fps=FPS)


def _objective_classes(root: str | Path, layout: Layout) -> dict[tuple[str, str], str]:
    """Objective class by (subject, clip), from the sheet that holds nothing else."""
    try:
        path = find_sheet(root, replace(layout, sheets=("CASME2-ObjectiveClasses*.xlsx",)))
    except BadInput as error:  # 'sheet:' names the other one
        raise BadInput(error.problem.what, "copy it into the root: scheme objective needs it", file=root) from None
    columns = {"subject": ("Subject",), "name": ("Filename",), "class": ("Objective Class", "Objective Classes")}
    rows = sheets.read(path, columns, keys=("subject", "name"))
    return {clip_key(subject_id(row.text("subject")), row.text("name")): row.text("class") for row in rows}
