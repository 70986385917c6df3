"""CAS(ME)³ part A as it is unpacked: every cell is text, a subject's video holds several intervals."""

from __future__ import annotations

from pathlib import Path

import xlsxwriter

from layouts.common import write_frames

SHEET = "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx"
HEADER = ("Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion")
ROWS = (
    ("spNO.1", "b", "16", "20", "29", "4", "III", "disgust"),
    ("spNO.1", "j", "3", "8", "12", "24", "VII", "happy"),
    ("spNO.1", "j", "15", "17", "22", "26+25", "II", "surprise"),  # the name repeats
    ("spNO.2", "a", "4", "7", "9", "12", "I", "others"),
    ("spNO.2", "c", "8", "6", "14", "R14", "VII", "Others"),  # apex before the onset
    ("spNO.216", "d", "3647", "2668", "2694", "7", "VII", "disgust"),  # a slip: 2647
    ("spNO.216", "e", "0", "0", "25", "R1+R2", "II", "surprise"),  # there is no frame 0
    ("spNO.138", "c", "721", "728", "739", "7", "VII", "surprise"),  # frames that many copies lack
)
VIDEOS = {
    "spNO.1/b": range(1, 31),
    "spNO.1/j": range(1, 31),
    "spNO.2/a": range(1, 31),
    "spNO.2/c": range(1, 31),
    "spNO.216/d": range(2640, 2701),
    "spNO.216/e": range(1, 31),
}


def write(root: Path, rows=ROWS, *, cut: bool = False) -> Path:
    """The sheet and the frames, as whole videos with depth beside the colour, or ``cut`` to the intervals."""
    write_sheet(root / SHEET, rows)
    if cut:
        for subject, video, onset, _, offset, *_ in rows:
            if f"{subject}/{video}" in VIDEOS and int(onset) <= int(offset):
                folder = root / "Part_A_ME_clip/frame" / f"{subject}_{video}_{onset}"
                write_frames(folder, range(max(1, int(onset)), int(offset) + 1), "{}.jpg")
        return root
    for video, numbers in VIDEOS.items():
        write_frames(root / "part_A" / video / "color", numbers, "{}.jpg")
        write_frames(root / "part_A" / video / "depth", numbers[:2], "{}.png")
    return root


def write_sheet(path: Path, rows=ROWS, *, name: str = "label", header=HEADER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet(name)
        for line, row in enumerate((header, *rows)):
            for column, cell in enumerate(row):
                page.write_string(line, column, str(cell))
    return path
