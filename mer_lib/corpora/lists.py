"""Lists of clips with their classes, and the key by which a list's row and a data set's own row are found to be one.

A list decides which clips take part and what they are called; emotions decide nothing. The official list of the MEGC
2019 composite is packaged: ``data/megc2019_3class.csv``, 442 clips of 68 subjects, as published by the organisers of
the second Facial Micro-Expressions Grand Challenge (See, Yap, Li, Hong, Wang: MEGC 2019, IEEE FG 2019). Its lines are
kept as they were published: no header, SAMM's subjects without their zeros, classes as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pandas as pd

from mer_lib.clips import OFFICIAL_CLASSES
from mer_lib.problems import BadInput

COLUMNS = ("dataset", "subject", "clip", "class")
OFFICIAL = Path(__file__).parent / "data/megc2019_3class.csv"
_UNPADDED = re.compile(r"\d+")


def key(*parts: object) -> str:
    """What is left of a name when case, outer blanks and leading zeros are not looked at: 's03_ne_03' is 's3_ne_03',
    '006' is '6'."""
    return "/".join(_UNPADDED.sub(lambda digits: str(int(digits[0])), str(part).strip().casefold()) for part in parts)


def read(path: str | Path, classes: Sequence[str]) -> pd.DataFrame:
    """A list of clips: dataset, subject, clip, label (class name), key; one row a clip, in the order of the file.

    The file is CSV with those four columns, in any order under a header, or in this order without one. A class is one
    of ``classes``, or a number that counts them from 0. Raises BadInput with the line that cannot be used.
    """
    path = Path(path)
    rows = _cells(path)
    head = [str(cell).casefold() for cell in rows.iloc[0]]
    if set(COLUMNS) <= set(head):
        rows = rows.iloc[1:].set_axis(head, axis=1)[list(COLUMNS)]
    elif rows.shape[1] == len(COLUMNS) and not set(COLUMNS) & set(head):
        rows = rows.set_axis(list(COLUMNS), axis=1)
    else:
        raise BadInput(
            f"no list of clips: its first line is '{','.join(head)}'", f"head it {','.join(COLUMNS)}", file=path
        )
    found = rows.assign(key=[key(*row) for row in rows[["dataset", "subject", "clip"]].itertuples(index=False)])
    if (again := found["key"].duplicated()).any():
        line = found.index[again][0]
        raise BadInput(
            f"line {line + 1}: the clip {found['key'][line]} stands twice", "keep one of the lines", file=path
        )
    found["label"] = [_class(cell, classes, path, line + 1) for line, cell in found["class"].items()]
    return found.drop(columns="class").reset_index(drop=True)


def official(classes: Sequence[str]) -> pd.DataFrame:
    """The official list of the MEGC 2019 composite, as :func:`read` gives it; ids of SAMM padded as its folders are.

    Raises BadInput where ``classes`` lacks one of negative, positive, surprise.
    """
    if lacking := [name for name in OFFICIAL_CLASSES if name not in classes]:
        raise BadInput(
            f"the official list has the class '{lacking[0]}'", "add it to the corpus's classes", file=OFFICIAL
        )
    found = read(OFFICIAL, OFFICIAL_CLASSES)
    found["subject"] = found["subject"].where(found["dataset"] != "samm", found["subject"].str.zfill(3))
    return found


def _cells(path: Path) -> pd.DataFrame:
    """Every cell as stripped text; the index is the line counted from 0."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        cells = pd.read_csv(StringIO(text), header=None, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        remedy = f"give a CSV file headed {','.join(COLUMNS)}"
        raise BadInput(f"the list cannot be read ({' '.join(str(error).split())})", remedy, file=path) from None
    cells = cells.apply(lambda column: column.str.strip())
    cells = cells[(cells != "").any(axis=1)]
    if cells.empty:
        raise BadInput("the list is empty", f"give a CSV file headed {','.join(COLUMNS)}", file=path)
    return cells


def _class(cell: str, classes: Sequence[str], path: Path, line: int) -> str:
    named = {str(name).casefold(): str(name) for name in classes}
    if cell.casefold() in named:
        return named[cell.casefold()]
    if cell.isdecimal() and int(cell) < len(classes):
        return str(classes[int(cell)])
    numbers = ", ".join(f"{i} {name}" for i, name in enumerate(classes))
    raise BadInput(f"line {line}: class '{cell}' is unknown", f"write a name or number of: {numbers}", file=path)
