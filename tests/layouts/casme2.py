"""CASME II as it is unpacked: unpadded frame numbers, blank columns, action units that are text or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from layouts.common import Clip, chosen, write_book, write_frames

SHEET = "CASME2-coding-20140508.xlsx"
OBJECTIVE = "CASME2-ObjectiveClasses.xlsx"
HEADER = ("Subject", "Filename", "", "OnsetFrame", "ApexFrame", "OffsetFrame", "", "Action Units", "Estimated Emotion")
EMOTIONS = {"negative": "disgust", "positive": "happiness", "surprise": "surprise"}
QUIRKS = (
    Clip("01", "EP02_01f", 46, 59, 86, "happiness", 12, range(40, 91)),
    Clip("01", "EP19_05f", 5, 12, 20, "disgust", "4+L10", range(1, 31)),
    Clip(4, "EP12_01f", 3, "/", 30, "disgust", "R2+15", range(1, 41)),  # a number for the subject, no apex
    Clip("05", "EP09_05f", 3, 10, 30, "disgust", "4"),
    Clip("05", "EP12_03f", 3, 10, 30, "surprise", "1+2"),
    Clip("26", "EP03_02", 3, 10, 30, "repression", "15+17"),
    Clip("26", "EP07_37", 3, 10, 30, "sadness", "1"),
    Clip("26", "EP18_44", 3, 10, 30, "others", "4"),
)


def write(
    root: Path,
    rows: Sequence[Clip] | None = None,
    *,
    subjects: int | None = 4,
    clips: int | None = 3,
    size: int = 0,
    frames: str = "CASME2_RAW_selected",
    sheet: str = SHEET,
) -> list[Clip]:
    """The sheet and the frames below ``root``, of ``rows`` or else of some clips of the official list.

    size: pixels of an acting face, 0 for pictures that only have to be there. Returns the rows.
    """
    rows = official_rows(subjects, clips) if rows is None else list(rows)
    name = "reg_img{}.jpg" if "crop" in frames.lower() else "img{}.jpg"
    for row in rows:
        folder = root / frames / f"sub{int(row.subject):02d}" / row.name
        label = next((label for label, emotion in EMOTIONS.items() if emotion == row.emotion), "negative")
        apex = row.apex if isinstance(row.apex, int) else (row.onset + row.offset) // 2
        write_frames(folder, row.frames, name, size=size, label=label, at=(row.onset, apex, row.offset))
    write_sheet(root / sheet, rows)
    return rows


def official_rows(subjects: int | None, clips: int | None) -> list[Clip]:
    """Rows as the sheet would hold them, 36 frames each whose numbers start where the recording was cut."""
    rows = []
    for i, (subject, clip, label) in enumerate(chosen("casme2", subjects, clips)):
        first = 1 + 7 * i % 140
        rows.append(
            Clip(subject.removeprefix("sub"), clip, first + 2, first + 17, first + 32, EMOTIONS[label],
                 frames=range(first, first + 36))
        )  # fmt: skip
    return rows


def write_sheet(path: Path, rows: Sequence[Clip], **options) -> Path:
    cells = [(r.subject, r.name, None, r.onset, r.apex, r.offset, None, r.units, r.emotion) for r in rows]
    return write_book(path, HEADER, cells, **options)


def write_objective(path: Path, rows: Sequence[Clip], classes: Sequence) -> Path:
    cells = [(r.subject, r.name, given) for r, given in zip(rows, classes, strict=True)]
    return write_book(path, ("Subject", "Filename", "Objective Class"), cells)
