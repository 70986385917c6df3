"""4DME as it is unpacked: people filmed twice, several emotions in a cell, marked action units, quotes in a release."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from layouts.common import Clip, write_book, write_frames

SHEET = "4DME_Labelling_Micro_release v1.xlsx"
HEADER = ("sub_ID", "fold_name", "Emotion", "Onset", "Apex", "Offset", "AUs")
QUIRKS = (
    Clip("S01", "S01_01_001", 5, 12, 20, "Positive", "AU6+AU12(k)", range(1, 41)),
    Clip("S13_1st", "S13_03_001", 5, 12, 20, "Negative", "AU4", range(1, 41)),
    Clip("S13_2nd", "S13_04_002", 5, 12, 20, "Surprise", "AU1+AU2", range(1, 41)),  # the same person again
    Clip("S49_2", "S49_01_001", 2480, 2490, 2499, "Repression", "AU14", range(1, 21)),  # frames counted anew
    Clip("S50", "S50_01_001", 5, 12, 20, "Positive & Surprise", "AU12", range(1, 41)),
)


def write(root: Path, rows: Sequence[Clip] = QUIRKS, *, quoted: bool = False, sheet: str = SHEET) -> None:
    """quoted: as an earlier release, whose texts stand in quotes and whose folders lie side by side."""
    for row in rows:
        place = f"{row.subject}_{row.name}" if quoted else f"{row.subject}/{row.name}"
        write_frames(root / "gray_micro" / place, row.frames, "{}.jpg")
    cells = [(r.subject, r.name, r.emotion, r.onset, r.apex, r.offset, r.units) for r in rows]
    header: Sequence[str] = HEADER
    if quoted:
        header = ("sub_ID'", "video_number'", *HEADER[2:])
        cells = [tuple(f"'{cell}'" if isinstance(cell, str) else cell for cell in row) for row in cells]
    write_book(root / sheet, header, cells)
