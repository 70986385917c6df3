"""CASME as it is unpacked: a sheet with blank columns, some onsets and offsets of which do not fit the folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from layouts.common import Clip, write_book, write_frames

SHEET = "casme.xlsx"
HEADER = ("Subject", "Filename", "", "OnsetF", "ApexF1", "OffsetF", "AU", "", "Emotion")
QUIRKS = (
    Clip(1, "EP01_5", 10, 18, 30, "repression", "14", range(5, 36)),
    Clip(7, "EP08_10", 2, 8, 14, "happiness", "12", range(100, 150)),  # other frames than the folder's
    Clip(7, "EP03_2", 5, 15, 90, "disgust", "4+9", range(1, 41)),  # an offset past the last frame
    Clip(14, "EP13_2", 52, 57, 40, "tense", "4", range(50, 75)),  # backwards
)


def write(root: Path, rows: Sequence[Clip] = QUIRKS, *, frames: str = "CASME_raw_selected", sheet: str = SHEET) -> None:
    for row in rows:
        write_frames(root / frames / f"sub{int(row.subject):02d}" / row.name, row.frames, "img{}.jpg")
    cells = [(r.subject, r.name, None, r.onset, r.apex, r.offset, r.units, None, r.emotion) for r in rows]
    write_book(root / sheet, HEADER, cells)
