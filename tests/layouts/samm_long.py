"""SAMM Long Videos as they are unpacked: a preamble of nine lines, formulas, fractions and ends that nobody saw."""

from __future__ import annotations

from pathlib import Path

import xlsxwriter

from layouts.common import write_frames

SHEET = "SAMM_LongVideos_V2_Release.xlsx"
HEADER = (
    "Subject", "Filename", "Inducement Code", "Onset", "Apex", "Offset", "Duration", "Type", "Action Units", "Notes",
)  # fmt: skip
PREAMBLE = (
    "SAMM Long Videos Dataset",
    "",
    "Subject: the number of the participant",
    "",
    "",
    "Apex of -1: not annotated",
)
# subject, file name, code, onset, apex, offset, type, action units
ROWS = (
    (6, "006_1_1", 1, 5, 10, 20, "Macro", "R12A"),
    (6, "006_1_2", 1, 12.4, 14.6, 19.5, "Micro - 1/2", "L12 or L14"),  # fractions
    (6, "006_3_1", 3, 4, -1, 15, "Macro", "4"),  # no apex
    (20, "020_6_5", 6, 4990, 4995, 5476, "Macro", "14"),  # the video ends at 5001
    (36, "036_7_4", 7, 8190, 8195, 8298, "Macro", "(R6 or R12)+R15"),  # and this one at 8201
    (35, "035_7_1", 7, 0, 6, 14, "Micro - 1/2", "10A/B"),  # no onset
    (35, "035_7_2", 7, 0, -1, 14, "Macro", "12"),  # neither onset nor apex
    (37, "037_3_1", 3, 5, 8, 12, "Macro", "1+2"),  # no such video
)
VIDEOS = {
    "006_1": (range(1, 31), "{:04d}"),
    "006_3": (range(1, 31), "{:04d}"),
    "020_6": (range(4985, 5002), "{:04d}"),
    "035_7": (range(1, 31), "{:05d}"),
    "036_7": (range(8185, 8202), "{:04d}"),
    "009_2": (range(1, 4), "{:04d}"),  # without a movement
}


def write(root: Path, rows=ROWS, *, sheet: str = SHEET) -> Path:
    for video, (numbers, digits) in VIDEOS.items():
        write_frames(root / "SAMM_longvideos" / video, numbers, f"{video}_{digits}.jpg")
    write_sheet(root / sheet, rows)
    return root


def write_sheet(path: Path, rows=ROWS, *, header=HEADER, name: str = "FACS_Movement_Only") -> Path:
    """A workbook of two pages; Duration is a formula with the value that a spreadsheet would have stored."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet(name)
        for line, text in enumerate(PREAMBLE):
            page.write(line, 0, text)
        page.write_row(9, 0, header)
        for line, (*before, kind, units) in enumerate(rows, 10):
            page.write_row(line, 0, before)
            page.write_formula(line, 6, f"=F{line + 1}-D{line + 1}+1", None, before[5] - before[3] + 1)
            page.write_row(line, 7, (kind, units, ""))
        book.add_worksheet("FACS_All")
    return path
