"""CAS(ME)² as it is unpacked: a workbook without a header and with its naming rules, frames of long videos."""

from __future__ import annotations

from pathlib import Path

import xlsxwriter

from layouts.common import write_frames

SHEET = "CAS(ME)^2code_final(Updated).xlsx"
# subject, video and expression, onset, apex, offset, action units, emotion, type, self-report
ROWS = (
    (1, "disgust1_1", 10, 14, 20, "4+7", "negative", "macro-expression", "disgust"),
    (1, "disgust1_2", 25, 28, 0, 12, "others", "micro-expression", "disgust"),  # offset 0: none
    (1, "anger1_1", 5, 9, 12, "4", "negative", "micro-expression", "anger"),
    (5, "happy1_1", 3, 8, 18, "6+12", "positive", "macro-expression", "happiness"),
    (7, "happy1_1", 6, 9, 13, "12", "positive", "micro-expression", "happiness"),  # of s23, whose folder lies in s19
    (7, "happy2_2", 9, 4, 15, "R2+15", "surprise", "micro-expression", "surprise"),  # apex before the onset
    (7, "happy2_3", 20, 18, 11, "12", "positive", "macro-expression", "happiness"),  # backwards
    (7, "anger2_1", 5, 8, 12, "4", "negative", "micro-expression", "anger"),  # no frames
)
FOLDERS = (
    "s15/15_0101disgustingteeth",
    "s15/15_0401girlcrashing",
    "s19/23_0502funnyerrors",
    "s21/21_0502funnyerrors",
    "s23/23_0503unnyfarting",
    "s23/23_0102eatingworms",  # a video without an expression
)
RULE1 = tuple((f"s{n}", str(n), i) for i, n in enumerate((15, 16, *range(19, 28), *range(29, 39), 40), 1))
RULE2 = (
    ("0101", "disgust1"), ("0102", "disgust2"), ("0401", "anger1"), ("0402", "anger2"), ("0502", "happy1"),
    ("0503", "happy2"), ("0505", "happy3"), ("0507", "happy4"), ("0508", "happy5"),
)  # fmt: skip


def write(root: Path, rows=ROWS, *, frames: str = "rawpic", rules: bool = True, sheet: str = SHEET) -> Path:
    """The sheet and 30 frames a video, numbered from 1, below ``root``."""
    for folder in FOLDERS:
        write_frames(root / frames / folder, range(1, 31), "img{:03d}.jpg")
    write_sheet(root / sheet, rows, rules=rules)
    return root


def write_sheet(path: Path, rows=ROWS, *, rules: bool = True) -> Path:
    """The workbook: annotations without a header; then, unless told otherwise, the two naming rules."""
    pages = {"CASFEcode_final": rows, **({"naming rule1": RULE1, "naming rule2": RULE2} if rules else {})}
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(path) as book:
        for name, cells in pages.items():
            page = book.add_worksheet(name)
            for line, row in enumerate(cells):
                page.write_row(line, 0, row)
    return path
