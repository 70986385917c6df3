"""What the generators share: acted clips of the embedded faces, clips of the official list, and workbooks."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import xlsxwriter

from mer_lib.corpora import synthetic
from mer_lib.render.scene import Renderer
from mer_lib.synth.corpus import film, plan
from mer_lib.synth.filming import make_studio

CLASSES = ("negative", "positive", "surprise")
OFFICIAL = Path(__file__).parent.parent / "data" / "megc2019" / "combined_3class_gt.csv"
_TINY = (12, 16)  # height and width of pictures that only have to be there


@dataclass(frozen=True)
class Clip:
    """A row of a sheet as it is written there, and the numbers of the frames that lie in its folder."""

    subject: object
    name: str
    onset: object
    apex: object
    offset: object
    emotion: str
    units: object = "4+L10"
    frames: range | tuple[int, ...] = range(1, 41)
    extra: tuple = ()


@cache
def official(dataset: str) -> tuple[tuple[str, str, str], ...]:
    """(subject, clip, class) of the official list of MEGC 2019, in its order."""
    with OFFICIAL.open() as file:
        rows = [row for row in csv.reader(file) if row[0] == dataset]
    return tuple((subject, clip, CLASSES[int(label)]) for _, subject, clip, label in rows)


def chosen(dataset: str, subjects: int | None, clips: int | None) -> list[tuple[str, str, str]]:
    """Some of them: the subjects with most classes, of each its first clips, the classes in turn; None: all."""
    by_subject = [list(rows) for _, rows in groupby(official(dataset), key=lambda row: row[0])]
    by_subject.sort(key=lambda rows: -len({label for *_, label in rows}))
    picked = []
    for rows in by_subject[:subjects]:
        ranks = {row: sum(other[2] == row[2] for other in rows[:i]) for i, row in enumerate(rows)}
        picked += sorted(rows, key=lambda row: (ranks[row], row[1]))[:clips]
    return picked


def write_frames(
    folder: Path,
    numbers: Iterable[int],
    name: str,
    *,
    size: int = 0,
    label: str = "negative",
    at: tuple[int, int, int] = (1, 20, 40),
) -> None:
    """Frames with these numbers in a folder.

    size 0: tiny pictures whose grey value is their number (to 250), for indexing. Otherwise a rendered face of ``size``
    pixels that acts: ``at`` are the numbers of onset, apex and offset, ``label`` is what it shows. From 96 pixels on
    the detector finds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    suffix = Path(name).suffix
    shade = zlib.crc32(f"{folder.parent.name}/{folder.name}".encode()) % 23 - 11  # no clip is another one's twin
    for number in numbers:
        if size:
            stored = _encode(np.clip(acted(label, size, number, at).astype(int) + shade, 0, 255), suffix)
        else:
            stored = _tiny(number % 251, suffix)
        (folder / name.format(number)).write_bytes(stored)


@cache
def _tiny(value: int, suffix: str) -> bytes:
    return _encode(np.full((*_TINY, 3), value), suffix)


def _encode(picture: np.ndarray, suffix: str) -> bytes:
    return cv2.imencode(suffix, np.ascontiguousarray(picture.astype(np.uint8)[..., ::-1]))[1].tobytes()


def acted(label: str, size: int, number: int, at: tuple[int, int, int]) -> np.ndarray:
    """(size, size, 3) RGB: what an acted clip shows at ``number`` when its own moments are moved to ``at``."""
    pictures, moments = _take(label, size)
    where = np.interp(number, at, moments, left=moments[0], right=moments[2])
    return pictures[round(float(where))]


@cache
def _take(label: str, size: int) -> tuple[tuple[np.ndarray, ...], tuple[int, int, int]]:
    """Frames of the embedded corpus's strongest kind of clip of a class, with its onset, apex and offset."""
    table = synthetic.index("", name="layouts", classes=CLASSES, subjects=6, clips=3, fps=100)
    row = next(table[table["label"] == label].itertuples(index=False))
    studio = make_studio(row.subject, size=size)
    with Renderer(studio.camera, studio.person.surface) as renderer:
        pictures = tuple(film(plan(row, studio, strength=(2.5, 3.0)), studio, renderer))
    return pictures, (int(row.onset), int(row.apex), int(row.offset))


def write_book(
    path: Path,
    header: Sequence[str],
    rows: Iterable[Sequence],
    *,
    page: str = "Sheet1",
    preamble: Sequence[str] = (),
    below: Sequence[Sequence] = (),
    others: Sequence[str] = (),
) -> Path:
    """A workbook as Excel writes it. A cell ('=FORMULA', value) is a formula with its cached value; ``preamble`` are
    lines above the header, ``below`` rows under the table, ``others`` further sheets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet(page)
        for line, text in enumerate(preamble):
            sheet.write(line, 0, text)
        for line, cells in enumerate((header, *rows, *below), len(preamble)):
            for column, cell in enumerate(cells):
                if isinstance(cell, tuple):
                    sheet.write_formula(line, column, cell[0], value=cell[1])
                elif cell not in (None, ""):
                    sheet.write(line, column, cell)
        for name in others:
            book.add_worksheet(name)
    return path
