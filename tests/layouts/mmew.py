"""MMEW as it is unpacked: folders by emotion, the subject in the clip's name, macro-expressions beside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from layouts.common import Clip, write_book, write_frames

SHEET = "MMEW_Micro_Exp.xlsx"
HEADER = (
    "Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion", "remarks"
)  # fmt: skip
QUIRKS = (
    Clip(1, "S01-01-001", 15, 25, 40, "happiness", "AU6+AU12", range(1, 51)),
    Clip(1, "S01-04-002", 3, 20, 70, "disgust", "4", range(1, 41)),  # an offset past the last frame
    Clip(2, "S02-07-001", 3, None, None, "others", "AU4, AU7", range(1, 41)),  # neither apex nor offset
)


def write(root: Path, rows: Sequence[Clip] = QUIRKS, *, sheet: str = SHEET, by_person: bool = False) -> None:
    """by_person: folders of people above those of emotions, as the authors' page describes them."""
    for row in rows:
        top = root / "Micro_Expression" / row.name[:3] if by_person else root / "Micro_Expression"
        write_frames(top / row.emotion / row.name, row.frames, "{}.jpg")
        write_frames(root / "Macro_Expression" / row.name[:3] / row.emotion, range(1, 3), "{}.jpg")
    cells = [(r.subject, r.name, r.onset, r.apex, r.offset, r.units, r.emotion, "") for r in rows]
    write_book(root / sheet, HEADER, cells)
