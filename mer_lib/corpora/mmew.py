"""MMEW: 300 micro-expressions at 90 fps, frames in folders by emotion or by person, annotations in one xlsx."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mer_lib.corpora import sheets
from mer_lib.corpora.annotated import Annotation, each, table, tell_unused, told
from mer_lib.corpora.frames import folders
from mer_lib.corpora.layout import Layout, find_frames, find_sheet
from mer_lib.corpora.schemes import canonical, labels
from mer_lib.problems import note
from mer_lib.registry import register

FPS = 90
LAYOUTS = {
    "mmew": Layout(
        title="MMEW",
        sheets=("MMEW_Micro_Exp.xlsx", "MMEW_Micro_Exp*.xlsx", "MMEW_Micro_Exp*.csv"),
        frames=("Micro_Expression", "Micro*"),
        inside=r"anger|disgust|fear|happiness|others?|repression|sadness|surprise|S\d+",
        tree="""\
mmew/
  MMEW_Micro_Exp.xlsx
  Micro_Expression/
    happiness/                          or S01/happiness/
      S01-01-001/
        1.jpg …
""",
        docs="docs/data-sets/mmew.md",
        named=True,  # Macro_Expression has folders of emotions too
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
_CLIP = re.compile(r"(S\d+)-\d+-\d+", re.IGNORECASE)  # person, emotion, sample
OWN = ("happiness", "anger", "surprise", "disgust", "fear", "sadness", "others")


@register(
    "corpus",
    "mmew",
    title="MMEW",
    paper="Ben, Ren, Zhang, Wang, Kpalma, Meng, Liu: Video-based facial micro-expression analysis: a survey (2021)",
    doi="10.1109/TPAMI.2021.3067464",
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
    """MMEW: 300 clips, 90 fps; schemes megc2019 and own.

    The subject is the first part of the clip's name. Each folder holds one clip: where an offset passes its end, its
    last frame takes the offset's place, with a note and a flag. sheet, frames: paths from ``root`` where they are not
    found or another one is meant; scheme: see corpora.schemes. Returns the clip table, sources relative to ``root``.
    Rows that cannot be used are refused (recorded, not raised).
    """
    layout = LAYOUTS["mmew"]
    known = labels(scheme, classes, corpus=name, adapter="mmew", own=OWN)
    rows = sheets.read(find_sheet(root, layout, sheet), COLUMNS, keys=("name",), optional=("subject", "action_units"))
    top = find_frames(root, layout, frames)
    found = {path.name.casefold(): path for depth in (2, 3) for path in folders(top, depth).values()
             if _CLIP.match(path.name)}  # fmt: skip

    def annotation(row: sheets.Row) -> Annotation:
        clip = row.text("name")
        folder = found.get(clip.casefold())
        emotion = row.text("emotion")
        if folder is not None and canonical(folder.parent.name) != canonical(emotion):
            note(f"{clip} is {emotion} here, but lies in the folder '{folder.parent.name}'", "the sheet is followed",
                 file=row.where)  # fmt: skip
        wanted = f"{top.name}/{emotion}/{clip}"
        values = told(row, known, unknown=(0,))
        return Annotation(_subject(clip, row), clip, row.where, folder, wanted, whole=True, **values)

    annotations = each(rows, annotation)
    tell_unused(found, (a.folder for a in annotations), root=root)
    return table(annotations, root=root, name=name, fps=FPS)


def _subject(clip: str, row: sheets.Row) -> str:
    """'S01' of 'S01-01-001'; names that are built otherwise leave it to the sheet's column."""
    told = _CLIP.match(clip)
    return told[1].upper() if told else row.text("subject") or "unknown"
