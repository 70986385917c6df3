"""SAMM Long Videos: 343 macro- and 159 micro-movements in 147 videos at 200 fps, for spotting; one row an interval.

The sheet has action units and no emotions, so no clip has a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mer_lib.corpora import sheets
from mer_lib.corpora.action_units import normal
from mer_lib.corpora.annotated import Annotation, Correction, corrected, each, table, tell_unused
from mer_lib.corpora.frames import folders
from mer_lib.corpora.intervals import bounded, type_of
from mer_lib.corpora.layout import Layout, find_frames, find_sheet
from mer_lib.problems import BadInput
from mer_lib.registry import register

FPS = 200
SHEET = "FACS_Movement_Only"
LAYOUTS = {
    "samm_long": Layout(
        title="SAMM Long Videos",
        sheets=("SAMM_LongVideos_V3*.xlsx", "SAMM_LongVideos_V2*.xlsx", "SAMM_LongVideos_V1*.xlsx", "SAMM*Long*.xlsx"),
        frames=("SAMM_longvideos", "*longvideos*"),
        inside=r"\d{3}_\d",
        tree="""\
samm_long/
  SAMM_LongVideos_V3_Release.xlsx        or V2, V1
  SAMM_longvideos/
    006_1/
      006_1_0001.jpg …
""",
        docs="docs/data-sets/samm_long.md",
    )
}
COLUMNS = {
    "subject": ("Subject",),
    "name": ("Filename",),
    "onset": ("Onset", "Onset Frame"),
    "apex": ("Apex", "Apex Frame"),
    "offset": ("Offset", "Offset Frame"),
    "type": ("Type",),
    "action_units": ("Action Units",),
}
ENDS_EARLIER = "the video ends before the offset of the sheet"
CORRECTIONS = {
    "020/020_6_5": Correction(ENDS_EARLIER, {"offset": 5001}),
    "036/036_7_4": Correction(ENDS_EARLIER, {"offset": 8201}),
}
_UNKNOWN = (0, -1)  # an end or an apex that is not annotated


@register(
    "corpus",
    "samm_long",
    people="samm",
    title="SAMM Long Videos",
    paper="Yap, Kendrick, Yap: SAMM Long Videos: a spontaneous facial micro- and macro-expressions dataset (2020)",
    doi="10.1109/FG47880.2020.00029",
)
def index(root: str | Path, *, name: str, classes: Sequence[str], sheet: str = "", frames: str = "") -> pd.DataFrame:
    """SAMM Long Videos: 343 macro- and 159 micro-movements in 147 videos, 200 fps; no labels.

    sheet, frames: paths from ``root`` where they are not found or another one is meant; ``classes`` are not used.
    Returns the clip table, one row an interval, ``source`` the folder of its video. Rows that cannot be used are
    refused (recorded, not raised).
    """
    layout = LAYOUTS["samm_long"]
    rows = sheets.read(find_sheet(root, layout, sheet), COLUMNS, sheet=SHEET, keys=("name", "onset"))
    found = folders(find_frames(root, layout, frames), 1)

    def annotation(row: sheets.Row) -> Annotation:
        movement = row.text("name")
        video = "_".join(movement.split("_")[:2])
        onset, apex, offset = (_whole(row, column) for column in ("onset", "apex", "offset"))
        onset, offset, flags = bounded(onset, apex, offset, row.where)
        return Annotation(
            movement.split("_")[0].zfill(3),
            movement,
            row.where,
            found.get(video.lower()),
            wanted=video,
            onset=onset,
            apex=apex,
            offset=offset,
            action_units=normal(row.text("action_units"), where=row.where),
            type=type_of(row),
            flags=flags,
        )

    annotations = corrected(each(rows, annotation), CORRECTIONS)
    tell_unused(found, (a.folder for a in annotations), root=root)
    return table(annotations, root=root, name=name, fps=FPS)


def _whole(row: sheets.Row, column: str) -> int | None:
    """A frame's number; the sheet has fractions, of which the nearest frame is meant."""
    value = row.number(column, unknown=_UNKNOWN)
    if value is not None and value < 0:
        raise BadInput(f"{column} '{row.text(column)}' is no frame number", "correct the cell", file=row.where)
    return None if value is None else round(value)
