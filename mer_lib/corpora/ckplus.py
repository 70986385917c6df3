"""CK+: 593 posed expressions of 123 people, from the first frame (neutral) to the last (the apex); macro-expressions.

There is no sheet. 327 sequences have an emotion, a number in a file of its own, ``Emotion/S005/001/…_emotion.txt``;
many have action units, pairs of unit and intensity, ``FACS/S005/001/…_facs.txt``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mer_lib.corpora.annotated import Annotation, table
from mer_lib.corpora.frames import folders, names, numbers, subfolders
from mer_lib.corpora.layout import Layout, find_frames
from mer_lib.corpora.schemes import labels
from mer_lib.problems import BadInput, note, refuse
from mer_lib.registry import register

FPS = 30
LAYOUTS = {
    "ckplus": Layout(
        title="CK+",
        sheets=(),
        frames=("cohn-kanade-images",),
        inside=r"S\d{3}",
        tree="""\
ckplus/
  cohn-kanade-images/
    S005/
      001/
        S005_001_00000001.png …
  Emotion/
    S005/
      001/
        S005_001_00000011_emotion.txt
  FACS/                                  optional: action units
    S005/
      001/
        S005_001_00000011_facs.txt
""",
        docs="docs/data-sets/ckplus.md",
    )
}
EMOTIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
OWN = EMOTIONS[1:]
_DEPTH = 3  # levels below the root in which the archives' folders are looked for
_INTENSITY = ("", "A", "B", "C", "D", "E")  # 0 says that the coder gave none


@register(
    "corpus",
    "ckplus",
    title="CK+",
    paper="Lucey, Cohn, Kanade, Saragih, Ambadar, Matthews: The extended Cohn-Kanade dataset (CK+) (2010)",
    doi="10.1109/CVPRW.2010.5543262",
)
def index(
    root: str | Path, *, name: str, classes: Sequence[str], frames: str = "", scheme: str = "megc2019"
) -> pd.DataFrame:
    """CK+: 593 posed macro-expressions of 123 subjects, 327 with an emotion, 30 fps; schemes megc2019, own.

    frames: path from ``root`` where the pictures are not found; scheme: see corpora.schemes. Returns the clip table,
    onset at the first frame, apex and offset at the last. Sequences that cannot be used are refused (recorded).
    """
    known = labels(scheme, classes, corpus=name, adapter="ckplus", own=OWN)
    top = (None if frames else _named(Path(root), "cohn-kanade-images")) or find_frames(root, LAYOUTS["ckplus"], frames)
    emotions, facs = _named(Path(root), "Emotion"), _named(Path(root), "FACS")
    right = Path(os.path.abspath(root)).parent
    if emotions is None and top == Path(root) and os.path.isdir(right / "Emotion"):
        raise BadInput("the root is 1 level too low: Emotion lies beside it", f"use {right} as the root", file=root)
    if emotions is None:
        note("no folder Emotion, so no clip has a label", "unpack Emotion_labels.zip beside the pictures", file=root)
    annotations = []
    for folder in folders(top, 2).values():
        subject, sequence = folder.parent.name, folder.name
        try:
            there = numbers(folder)
            emotion = _emotion(emotions / subject / sequence) if emotions else ""
        except BadInput as error:
            refuse(
                error.problem.what,
                error.problem.remedy,
                file=error.problem.file or folder,
                clip=f"{name}/{subject}/{sequence}",
            )
            continue
        first, last = int(there[0]), int(there[-1])
        annotations.append(
            Annotation(
                subject,
                sequence,
                str(folder),
                folder,
                onset=first,
                apex=last,
                offset=last,
                emotion=emotion,
                label=known.of(emotion, where=str(folder)) if emotion != "neutral" else "",
                action_units=_action_units(facs / subject / sequence) if facs else "",
                type="macro",
            )
        )
    return table(annotations, root=root, name=name, fps=FPS)


def _named(root: Path, name: str) -> Path | None:
    """The folder of that name below ``root``, in any case, the nearest first; it may be the root itself."""
    level = [root]
    for _ in range(_DEPTH + 1):
        for folder in level:
            if folder.name.casefold() == name.casefold():
                return folder
        level = [f / inner for f in level for inner in subfolders(f) if not re.fullmatch(r"S\d{3}|\d{3}", inner)]
    return None


def _emotion(folder: Path) -> str:
    """The emotion of a sequence; "" where its folder is absent or empty. Raises BadInput for a file that is none."""
    files = _texts(folder, "_emotion.txt")
    if not files:
        return ""
    found = _numbers(files[0])
    if len(found) != 1 or found[0] not in range(len(EMOTIONS)):
        what = f"holds {len(found)} numbers, where one from 0 to {len(EMOTIONS) - 1} belongs"
        if len(found) == 1:
            what = f"holds {found[0]:g}, where a number from 0 to {len(EMOTIONS) - 1} belongs"
        raise BadInput(what, "copy it again from its origin", file=files[0])
    return EMOTIONS[int(found[0])]


def _action_units(folder: Path) -> str:
    """Such as '1C+2B+25', from lines of unit and intensity; "" where there are none or they cannot be read."""
    file = folder
    try:
        files = _texts(folder, "_facs.txt")
        file = next(iter(files), folder)
        found = _numbers(files[0]) if files else []
        pairs = list(zip(found[::2], found[1::2], strict=True))
        return "+".join(f"{int(unit)}{_INTENSITY[int(strength)]}" for unit, strength in pairs)
    except (BadInput, ValueError, IndexError) as error:
        note(f"action units cannot be read ({error})", "copy the file again from its origin", file=file)
        return ""


def _texts(folder: Path, ending: str) -> list[Path]:
    """The files of a folder with that ending, none where it is absent. Raises BadInput where it cannot be listed."""
    return [folder / name for name in names(folder) if name.lower().endswith(ending) and not name.startswith(".")]


def _numbers(file: Path) -> list[float]:
    try:
        return [float(word) for word in file.read_text(encoding="utf-8").split()]
    except (OSError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise BadInput(f"holds no numbers ({error})", "copy it again from its origin", file=file) from None
