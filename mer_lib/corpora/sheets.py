"""Sheets as labs receive them: xlsx or csv, a preamble above the header, columns found by name, cells as they come.

:func:`read` gives the rows below the header with their line numbers; what a cell means (a frame's number, a text) is
asked row by row, so that one bad cell loses one clip. Formulas give the values that were stored with them.
"""

from __future__ import annotations

import csv
import math
import re
import unicodedata
import warnings
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

import openpyxl

from mer_lib.problems import BadInput, note

SUFFIXES = (".xlsx", ".xlsm", ".csv")
UNKNOWN = ("", "/", "\\", "-", "–", "na", "n/a", "nan", "none", "null", "?")  # how sheets write an empty cell
_HEADER_WITHIN = 40  # rows
_WIDEST = 64  # columns looked at; a sheet that is formatted to the last column has 16,384
_OLE = b"\xd0\xcf\x11\xe0"  # old Excel files, and new ones inside a password
_NAMED = 6
_LARGEST = 2.0**53  # beyond it a float is no exact count, and no recording is that long


@dataclass(frozen=True)
class Row:
    """A row below the header: ``where`` names file and line, ``cells`` its values by the names that were asked for."""

    where: str
    cells: Mapping[str, object]

    def text(self, column: str) -> str:
        """The cell as stripped text in one Unicode form, "" where it is empty; 12.0 is '12'."""
        return as_text(self.cells.get(column))

    def number(self, column: str, *, unknown: Container[float] = ()) -> float | None:
        """The cell as a number; None where it is empty, written as unknown, or one of ``unknown``. Raises BadInput."""
        text = self.text(column)
        if text.casefold() in UNKNOWN:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or "_" in text:  # Python reads '1_2' as 12
            raise BadInput(f"{column} '{text}' is no number", "correct the cell", file=self.where)
        return None if value in unknown else value

    def frame(self, column: str, *, unknown: Container[float] = ()) -> int | None:
        """The cell as a frame's number, None where unknown. Raises BadInput for anything else, such as a fraction."""
        value = self.number(column, unknown=unknown)
        if value is None:
            return None
        if not 0 <= value <= _LARGEST or not value.is_integer():
            raise BadInput(f"{column} '{self.text(column)}' is no frame number", "correct the cell", file=self.where)
        return int(value)


def as_text(cell: object) -> str:
    """A cell's value as stripped text (NFC), whole numbers without a decimal point, None as ""."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return " ".join(unicodedata.normalize("NFC", str(cell)).split())


def read(
    path: str | Path,
    columns: Mapping[str, Sequence[str]] | Sequence[str],
    *,
    sheet: str | int = 0,
    optional: Container[str] = (),
    keys: Sequence[str] = (),
) -> list[Row]:
    """The rows of a sheet, cells by the names of ``columns``.

    columns: {name: spellings in the header}, compared without case, blanks and signs ('Onset Frame' is 'OnsetFrame');
    or, for a sheet without a header, the names of its columns from the left. sheet: name or position in a workbook.
    optional: names that may be absent from the header (their cells are empty). keys: names that every row has; one that
    lacks any is a remark below the table, and said; empty rows are passed over. Merged cells all hold what the first
    one holds. Raises BadInput for a file that is no sheet, an absent sheet, and a header without what is needed.
    """
    path = Path(path)
    grid = _csv(path) if path.suffix.lower() == ".csv" else _workbook(path, sheet)
    if isinstance(columns, Mapping):
        head, at = _header(grid, columns, optional, path)
    else:
        head, at = -1, {name: i for i, name in enumerate(columns)}
    rows = []
    for line, cells in enumerate(grid[head + 1 :], head + 2):
        found = {name: cells[i] if i < len(cells) else None for name, i in at.items()}
        if not any(as_text(cell) for cell in found.values()):
            continue
        row = Row(f"{path.name} line {line}", found)
        if lacking := [key for key in keys if not row.text(key)]:
            note(f"has no {lacking[0]}: taken for a remark", "fill the cell if it is a clip", file=row.where)
            continue
        rows.append(row)
    if not rows:
        raise BadInput("the sheet has no rows below its header", "get it again from its authors", file=path)
    empty = [name for name in at if not any(row.text(name) for row in rows)]
    if empty and path.suffix.lower() != ".csv":
        _refuse_uncalculated(path, sheet, head, {name: at[name] for name in empty})
    return rows


def sheet_names(path: str | Path) -> list[str]:
    """The names of a workbook's sheets in order. Raises BadInput for a file that is none."""
    return _opened(Path(path)).sheetnames


def near(name: str, known: Sequence[str]) -> str:
    """'did you mean …?' or the names there are, for the end of a message."""
    folded = {_folded(k): k for k in known}
    close = get_close_matches(_folded(name), list(folded), n=1, cutoff=0.6)
    shown = ", ".join(list(known)[:_NAMED]) + (" …" if len(known) > _NAMED else "")
    return f"did you mean '{folded[close[0]]}'?" if close else f"there are: {shown or 'none'}"


def _header(
    grid: list[list], columns: Mapping[str, Sequence[str]], optional: Container[str], path: Path
) -> tuple[int, dict[str, int]]:
    """(row index of the header, column index by name): the row near the top that holds most of the names."""
    wanted = {name: {_folded(spelling) for spelling in (name, *spellings)} for name, spellings in columns.items()}
    best, at, score = -1, {}, 0
    for index, cells in enumerate(grid[:_HEADER_WITHIN]):
        heads = [_folded(as_text(cell)) for cell in cells]
        found = {name: i for name, known in wanted.items() for i in _first(heads, known)}
        if len(found) > score:
            best, at, score = index, found, len(found)
    missing = [name for name in columns if name not in at and name not in optional]
    if missing:
        spelling = columns[missing[0]][0] if columns[missing[0]] else missing[0]
        what = f"no column '{spelling}' in the first {_HEADER_WITHIN} rows"
        heads, remedy = [], "get the sheet again from its authors, or put its header back"
        if score >= 2:  # this is the header, one of its columns has another name
            heads = [as_text(cell) for i, cell in enumerate(grid[best]) if as_text(cell) and i not in at.values()]
            what = f"no column '{spelling}' in the header (line {best + 1})"
        raise BadInput(what, f"{near(spelling, heads)}; name it '{spelling}'" if heads else remedy, file=path)
    return best, at


def _first(heads: list[str], known: set[str]) -> Iterator[int]:
    return islice((i for i, head in enumerate(heads) if head in known), 1)


def _folded(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _csv(path: Path) -> list[list]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", "correct the path", file=path) from None
    except UnicodeDecodeError:
        raise BadInput("is no UTF-8 text", "save it as UTF-8, or as xlsx", file=path) from None
    lines = text.splitlines()
    counts = {mark: sum(line.count(mark) for line in lines[:_HEADER_WITHIN]) for mark in ",;\t"}
    try:
        return list(csv.reader(lines, delimiter=max(counts, key=counts.__getitem__)))
    except csv.Error as error:
        raise BadInput(f"is no CSV file ({error})", "save it again as CSV, or as xlsx", file=path) from None


def _workbook(path: Path, sheet: str | int) -> list[list]:
    page = _page(_opened(path), sheet, path)
    grid = [list(cells) for cells in page.iter_rows(values_only=True, max_col=min(page.max_column, _WIDEST))]
    _fill_merged(grid, page.merged_cells.ranges)
    return grid


def _page(book: openpyxl.Workbook, sheet: str | int, path: Path):
    names = book.sheetnames
    if isinstance(sheet, int):
        found = names[sheet] if sheet < len(names) else None
    else:
        found = next((name for name in names if _folded(name) == _folded(sheet)), None)
    if found is None or not hasattr(book[found], "iter_rows"):  # a sheet that is a chart has no rows
        remedy = f"{near(str(sheet), names)}; rename it, or get the file again"
        raise BadInput(f"no sheet '{sheet}' in the workbook", remedy, file=path)
    return book[found]


def _refuse_uncalculated(path: Path, sheet: str | int, head: int, columns: Mapping[str, int]) -> None:
    """A program that writes formulas without their values leaves a column that looks empty."""
    page = _page(_opened(path, formulas=True), sheet, path)
    for name, column in columns.items():
        for (cell,) in page.iter_rows(min_row=head + 2, min_col=column + 1, max_col=column + 1, values_only=True):
            if str(cell).startswith("="):
                remedy = "open it in a spreadsheet program and save it"
                raise BadInput(f"column {name} holds formulas without values", remedy, file=path)


def _fill_merged(grid: list[list], ranges) -> None:
    for merged in ranges:
        if merged.max_col <= _WIDEST:
            value = grid[merged.min_row - 1][merged.min_col - 1]
            for row in grid[merged.min_row - 1 : merged.max_row]:
                row[merged.min_col - 1 : merged.max_col] = [value] * (merged.max_col - merged.min_col + 1)


def _opened(path: Path, *, formulas: bool = False) -> openpyxl.Workbook:
    """The workbook, with the values of its formulas or the formulas; every way to be none has its own line."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
            if start == _OLE:
                secret = "EncryptedPackage".encode("utf-16-le") in file.read()
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", "correct the path", file=path) from None
    if not start:
        raise BadInput("is empty (0 bytes)", "copy it again from its origin", file=path)
    if start == _OLE and secret:
        raise BadInput("is protected by a password", "open it, save it without the password", file=path)
    if start == _OLE:
        raise BadInput("is an old Excel file (xls)", "open it and save it as xlsx", file=path)
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.filterwarnings("ignore", module="openpyxl")  # of drawings and rules that are not read anyway
            return openpyxl.load_workbook(file, data_only=not formulas)
    except Exception as error:  # a damaged file fails in zlib, in the XML or in openpyxl, each in ways of its own
        what = "is no xlsx file" if start[:2] != b"PK" else "is a broken xlsx file"
        told = " ".join(str(error).split())[:80]
        raise BadInput(f"{what} ({told})", "copy it again from its origin, or save it as xlsx", file=path) from None
