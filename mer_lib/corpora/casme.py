"""CASME: 195 micro-expressions of 19 people at 60 fps, frames as numbered pictures, annotations in one xlsx."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mer_lib.corpora import sheets
from mer_lib.corpora.annotated import Annotation, each, table, tell_unused, told
from mer_lib.corpora.frames import folders
from mer_lib.corpora.layout import Layout, find_frames, find_sheet
from mer_lib.corpora.schemes import labels
from mer_lib.registry import register

FPS = 60
LAYOUTS = {
    "casme": Layout(
        title="CASME",
        sheets=("casme.xlsx", "casme*.xlsx", "casme*.csv"),
        frames=("CASME_raw_selected", "CASME*raw*", "Cropped*"),
        inside=r"sub\d+",
        tree="""\
casme/
  casme.xlsx
  CASME_raw_selected/                   or Cropped/
    sub01/
      EP01_5/
        img1.jpg …
""",
        docs="docs/data-sets/casme.md",
    )
}
COLUMNS = {
    "subject": ("Subject",),
    "name": ("Filename",),
    "onset": ("OnsetF",),
    "apex": ("ApexF1", "ApexF"),
    "offset": ("OffsetF",),
    "action_units": ("AU", "AUs", "Action Units"),
    "emotion": ("Emotion",),
}
OWN = ("tense", "disgust", "repression", "surprise", "happiness", "fear", "sadness", "contempt")


@register(
    "corpus",
    "casme",
    title="CASME",
    paper="Yan, Wu, Liu, Wang, Fu: CASME database: spontaneous micro-expressions from neutralized faces (2013)",
    doi="10.1109/FG.2013.6553799",
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
    """CASME: 195 clips, 19 subjects, 60 fps; schemes megc2019 ('tense' has no class in it) and own.

    Some onsets and offsets are wrong against the folders. Each folder holds one clip, so its own first or last frame
    takes their place, with a note and a flag. sheet, frames: paths from ``root`` where they are not found or another
    one is meant; scheme: see corpora.schemes. Returns the clip table, sources relative to ``root``. Rows that cannot be
    used are refused (recorded, not raised).
    """
    layout = LAYOUTS["casme"]
    known = labels(scheme, classes, corpus=name, adapter="casme", own=OWN)
    path = find_sheet(root, layout, sheet)
    rows = sheets.read(path, COLUMNS, optional=("apex", "action_units"), keys=("subject", "name"))
    top = find_frames(root, layout, frames)
    found = {clip_key(*key.split("/")): path for key, path in folders(top, 2).items()}

    def annotation(row: sheets.Row) -> Annotation:
        subject, clip = subject_id(row.text("subject")), row.text("name")
        folder = found.get(clip_key(subject, clip))
        wanted = f"{top.name}/{subject}/{clip}"
        return Annotation(subject, clip, row.where, folder, wanted, whole=True, **told(row, known, unknown=(0,)))

    annotations = each(rows, annotation)
    tell_unused(found, (a.folder for a in annotations), root=root)
    return table(annotations, root=root, name=name, fps=FPS)


def subject_id(text: str) -> str:
    """'sub01' from 1, '01' or 'sub01'."""
    number = re.fullmatch(r"(?:sub)?(\d+)", text, re.IGNORECASE)
    return f"sub{int(number[1]):02d}" if number else text


def clip_key(subject: str, clip: str) -> tuple[str, str]:
    """What a row and a folder have in common, in any case and padding."""
    return subject_id(subject).casefold(), clip.casefold()
