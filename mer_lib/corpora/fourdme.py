"""4DME: spontaneous micro-expressions in several modalities, of which the grey videos at 60 fps are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mer_lib.corpora import sheets
from mer_lib.corpora.annotated import Annotation, each, table, tell_unused, told
from mer_lib.corpora.frames import folders
from mer_lib.corpora.layout import Layout, find_frames, find_sheet
from mer_lib.corpora.schemes import MEGC2019, THREE, labels
from mer_lib.registry import register

FPS = 60
LAYOUTS = {
    "4dme": Layout(
        title="4DME",
        sheets=("4DME_Labelling_Micro*.xlsx", "4DME*Micro*.xlsx", "4DME*Micro*.csv"),
        frames=("gray_micro", "gray_micro*"),
        inside=r"S\d+(_.*)?",
        tree="""\
4dme/
  4DME_Labelling_Micro_release v1.xlsx
  gray_micro/
    S01/
      S01_01_001/                       the fold_name of the sheet
        1.jpg …
""",
        docs="docs/data-sets/4dme.md",
    )
}
COLUMNS = {
    "subject": ("sub_ID",),
    "name": ("fold_name", "video_number"),
    "onset": ("Onset",),
    "apex": ("Apex",),
    "offset": ("Offset",),
    "action_units": ("AUs",),
    "emotion": ("Emotion",),
}
OWN = ("positive", "negative", "surprise", "repression", "others")


@register(
    "corpus",
    "4dme",
    title="4DME",
    paper="Li, Cheng, Li, Behzad, Shen, Zafeiriou, Pantic, Zhao: 4DME: a spontaneous 4D dataset (2022)",
    doi="10.1109/TAFFC.2022.3182342",
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
    """4DME: micro-expressions of the grey videos, 60 fps; schemes megc2019 and own.

    A person filmed twice ('S13_1st', 'S13_2nd', 'S49_2') is one subject. A clip with two emotions has no label. Each
    folder holds one clip. sheet, frames: paths from ``root`` where they are not found or another one is meant; scheme:
    see corpora.schemes. Returns the clip table, sources relative to ``root``. Rows that cannot be used are refused
    (recorded, not raised).
    """
    layout = LAYOUTS["4dme"]
    known = labels(scheme, classes, corpus=name, adapter="4dme", own=OWN, three={**MEGC2019, **THREE})
    given = sheets.read(find_sheet(root, layout, sheet), COLUMNS, keys=("subject", "name"), optional=("action_units",))
    top = find_frames(root, layout, frames)
    found = folders(top, 2) or folders(top, 1)  # subject/fold_name, in an earlier release subject_fold_name

    def annotation(row: sheets.Row) -> Annotation:
        filmed, clip, emotion = row.text("subject"), row.text("name"), row.text("emotion")
        folder = found.get(f"{filmed}/{clip}".lower()) or found.get(f"{filmed}_{clip}".lower())
        several = len(re.findall(r"\w+", re.sub(r"\band\b", " ", emotion))) > 1
        if several:
            row = sheets.Row(row.where, {**row.cells, "emotion": ""})
        values = {**told(row, known), "emotion": emotion, "flags": ("several emotions",) if several else ()}
        wanted = f"{top.name}/{filmed}/{clip}"
        return Annotation(_subject(filmed), clip, row.where, folder, wanted, whole=True, **values)

    annotations = each(map(_without_quotes, given), annotation)
    tell_unused(found, (a.folder for a in annotations), root=root)
    return table(annotations, root=root, name=name, fps=FPS)


def _without_quotes(row: sheets.Row) -> sheets.Row:
    """An earlier release was written with its texts in single quotes."""
    return sheets.Row(row.where, {column: sheets.as_text(cell).strip("'") for column, cell in row.cells.items()})


def _subject(filmed: str) -> str:
    """'S13' of 'S13_2nd' and 'S49_2': a person filmed twice is one subject, or both sides of a fold would hold them."""
    return filmed.split("_")[0]
