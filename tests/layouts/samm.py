"""SAMM as it is unpacked: thirteen lines above the header, durations by formula, numbers of four or five digits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from layouts.common import Clip, chosen, write_book, write_frames

SHEET = "SAMM_Micro_FACS_Codes_v2.xlsx"
HEADER = (
    "Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
    "Action Units", "Estimated Emotion", "Objective Classes", "Notes",
)  # fmt: skip
PREAMBLE = (
    "Spontaneous Actions and Micro-Movements (SAMM) Dataset", "", "Micro-facial movements coded with FACS", "",
    "Frames: 200 a second", "Inducement Code: order of the video shown", "Duration: of the movement, in frames",
    "Micro: whether it is a micro-movement", "", "Objective Classes: by action units alone", "", "Coders: 3", "",
)  # fmt: skip
EMOTIONS = {"negative": "Anger", "positive": "Happiness", "surprise": "Surprise"}
FOUR_DIGITS = ("013_1_12", "013_1_8", "017_3_2", "026_1_1", "026_1_2", "035_7_2")
QUIRKS = (
    Clip("006", "006_1_2", 5562, 5588, 5632, "Anger", "4+7", range(5555, 5641), ("IV",)),
    Clip("013", "013_1_12", 7, 20, 36, "Happiness", "(R6 or R12)+R15", range(1, 41), ("I",)),
    Clip("017", "017_3_2", 7, 20, 36, "Contempt", "L12 or L14", range(1, 41), (1,)),
    Clip(26, "026_1_1", 7, 20, 36, "Surprise", "10A/B", range(1, 41), ("II",)),  # '026' became a number
    Clip("035", "035_7_2", 7, -1, 36, "Other", 14, range(1, 41), ("VII",)),
)


def write(
    root: Path,
    rows: Sequence[Clip] | None = None,
    *,
    subjects: int | None = 4,
    clips: int | None = 3,
    size: int = 0,
    frames: str = "SAMM",
    sheet: str = SHEET,
) -> list[Clip]:
    """The sheet and the frames below ``root``, of ``rows`` or else of some clips of the official list.

    size: pixels of an acting face, 0 for pictures that only have to be there. Returns the rows.
    """
    rows = official_rows(subjects, clips) if rows is None else list(rows)
    for row in rows:
        subject = str(row.subject).zfill(3)
        digits = 4 if row.name in FOUR_DIGITS else 5
        label = next((label for label, emotion in EMOTIONS.items() if emotion == row.emotion), "negative")
        name = subject + "_{:0" + str(digits) + "d}.jpg"
        at = (row.onset, max(row.apex, row.onset), row.offset)
        write_frames(root / frames / subject / row.name, row.frames, name, size=size, label=label, at=at)
    write_sheet(root / sheet, rows)
    return rows


def official_rows(subjects: int | None, clips: int | None) -> list[Clip]:
    """Rows as the sheet would hold them: the list's subjects are not zero-padded, the sheet's are."""
    rows = []
    for i, (subject, clip, label) in enumerate(chosen("samm", subjects, clips)):
        first = (20 if clip in FOUR_DIGITS else 5000) + 31 * i
        rows.append(
            Clip(subject.zfill(3), clip, first + 2, first + 17, first + 32, EMOTIONS[label], "4+7",
                 range(first, first + 36), ("III",))
        )  # fmt: skip
    return rows


def write_sheet(path: Path, rows: Sequence[Clip], *, page: str = "MICRO_ONLY", preamble=PREAMBLE) -> Path:
    cells = []
    for line, row in enumerate(rows, len(preamble) + 2):
        duration = (f"=F{line}-D{line}+1", row.offset - row.onset + 1 if isinstance(row.offset, int) else 0)
        objective = row.extra[0] if row.extra else ""
        cells.append((row.subject, row.name, 1, row.onset, row.apex, row.offset, duration, "Micro", row.units,
                      row.emotion, objective, ""))  # fmt: skip
    return write_book(path, HEADER, cells, page=page, preamble=preamble, others=("Notes",))
