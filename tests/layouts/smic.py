"""SMIC as it is unpacked: the cropped clips by class without a sheet, and the longer recordings of SMIC-E with one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from layouts.common import Clip, chosen, write_book, write_frames

CROPPED = "SMIC_all_cropped"
LONG = "SMIC-E_raw image/HS_long"
HEADER = (
    "Subject", "Filename", "", "OnsetF", "OffsetF", "Onset2F", "Offset2F", "", "FirstF", "LastF", "TotalMF1",
    "TotalMF2", "TotalVL", "Emotion",
)  # fmt: skip
# The row's extra: a second onset and offset.
QUIRKS = (
    Clip(3, "s3_ne_03", 17581100, None, 17581130, "negative", frames=range(17581039, 17581160)),
    Clip(3, "s03_po_04", 120, None, 150, "positive", frames=range(100, 241), extra=(180, 210)),  # two onsets
    Clip(18, "s18_sur_03", 120, None, 150, "negative", frames=range(100, 171)),  # surprise elsewhere
    Clip(20, "s20_sur_01", 120, None, 150, "surprise", frames=range(100, 171)),
)


def write(
    root: Path, *, subjects: int | None = 4, clips: int | None = 3, size: int = 0, modality: str = "HS"
) -> list[tuple[str, str, str]]:
    """The cropped clips of some of the official list's: (subject, clip, class). size: as in the other generators."""
    rows = chosen("smic", subjects, clips)
    for i, (subject, clip, label) in enumerate(rows):
        short = f"s{int(subject[1:])}"
        folder = root / CROPPED / modality / short / "micro" / label / f"{short}{clip[len(subject) :]}"
        first = 1000 * i + 7
        numbers = range(first, first + 24)
        write_frames(folder, numbers, "reg_image{}.bmp", size=size, label=label, at=(first, first + 11, first + 23))
        rest = folder.parent.parent.parent / "non_micro" / folder.name.replace(clip[4:6], "non")
        write_frames(rest, range(1, 4), "reg_image{}.bmp")
    return rows


def write_extended(
    root: Path,
    rows: Sequence[Clip] = QUIRKS,
    *,
    top: str = f"{LONG}/SMIC-HS-E",
    sheet: str = f"{LONG}/SMIC-HS-E_annotation.xlsx",
    header: Sequence[str] = HEADER,
) -> list[Clip]:
    """SMIC-E: OffsetF is a formula, rows are followed by blank ones and a remark."""
    for row in rows:
        write_frames(root / top / f"s{int(row.subject):02d}" / row.name, row.frames, "image{:06d}.jpg")
    cells = []
    for line, row in enumerate(rows, 2):
        second = row.extra or (None, None)
        cells.append((row.subject, row.name, None, row.onset, (f"=D{line}+{row.offset - row.onset}", row.offset),
                      *second, None, row.frames[0], row.frames[-1], None, None, len(row.frames),
                      row.emotion))  # fmt: skip
    below = (
        (),
        (),
        (
            "",
            "MF: frames of the micro-expression",
        ),
    )
    write_book(root / sheet, header, cells, page="HS", below=below, others=("README",))
    return list(rows)
