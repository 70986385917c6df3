"""From a sheet's rows and the folders they name to a clip table: what all adapters of annotated frames share.

A row whose frames are missing, or do not fit, is refused by its line and the others go on; folders that no row names
are told. Ids repeat where a recording holds several clips: those carry their onset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pandas as pd

from mer_lib import clips as clip_table
from mer_lib.corpora import frames
from mer_lib.corpora.action_units import normal
from mer_lib.corpora.schemes import Labels
from mer_lib.corpora.sheets import Row
from mer_lib.problems import BadInput, note, refuse

_NAMED = 5


@dataclass(frozen=True)
class Annotation:
    """One clip as a sheet tells it. Onset, apex and offset are the numbers in the files' names, None where unknown.

    where: file and line, for messages; folder: of its frames, None where there is none (``wanted`` names the one that
    was looked for); whole: it holds this clip alone, see frames.place. Keyed ``subject/name`` in corrections.
    """

    subject: str
    name: str
    where: str
    folder: Path | None
    wanted: str = ""
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None
    emotion: str = ""
    label: str = ""
    action_units: str = ""
    type: str = "micro"
    flags: tuple[str, ...] = ()
    whole: bool = False

    @property
    def key(self) -> str:
        return f"{self.subject}/{self.name}"


@dataclass(frozen=True)
class Correction:
    """What a sheet has wrong about one clip: the right values by field of :class:`Annotation`, and the reason."""

    reason: str
    values: Mapping[str, object]


def each(rows: Iterable[Row], make: Callable[[Row], Annotation]) -> list[Annotation]:
    """``make(row)`` of every row; a row that raises BadInput is refused."""
    made = []
    for row in rows:
        try:
            made.append(make(row))
        except BadInput as error:
            refuse(error.problem.what, error.problem.remedy, file=error.problem.file or row.where)
    return made


def told(row: Row, known: Labels, *, objective: str = "", unknown: Container[float] = ()) -> dict[str, object]:
    """Onset, apex, offset, emotion, label and action units of a row whose columns carry these names.

    unknown: numbers that stand for no frame. Raises BadInput for a cell that holds no frame's number.
    """
    emotion = row.text("emotion")
    return {
        **{column: row.frame(column, unknown=unknown) for column in ("onset", "apex", "offset")},
        "emotion": emotion,
        "label": known.of(emotion, objective, where=row.where),
        "action_units": normal(row.text("action_units"), where=row.where),
    }


def corrected(annotations: Iterable[Annotation], corrections: Mapping[str, Correction]) -> list[Annotation]:
    """Annotations with the corrections of their keys, noted with the reason where one changes a value."""
    result = []
    for given in annotations:
        if (correction := corrections.get(given.key)) is not None:
            right = replace(given, **correction.values)
            if right != given:
                given = replace(right, flags=(*right.flags, "corrected"))
                note(f"{given.key} is corrected: {correction.reason}", "nothing to do", file=given.where)
        result.append(given)
    return result


def table(annotations: Sequence[Annotation], *, root: str | Path, name: str, fps: float) -> pd.DataFrame:
    """The clip table of a data set called ``name``; sources are relative to ``root``, frames are counted from 0.

    Rows that cannot be used are refused (recorded, not raised).
    """
    listing = cache(_listed)
    several = {key for key, count in Counter(a.key.casefold() for a in _distinct(annotations)).items() if count > 1}
    seen: dict[str, Annotation] = {}
    rows = []
    for given in annotations:
        clip = f"{name}/{given.key}"
        try:
            placed = _placed(given, listing)
            source = _source(given.folder, root)
            if given.key.casefold() in several:
                clip = f"{clip}@{placed.onset or 0}"
            if (first := seen.get(clip.casefold())) is not None:
                same = replace(given, where=first.where) == first
                what = "the row repeats" if same else "the clip stands already in"
                raise BadInput(f"{what} {first.where}", "drop it, or give it its own name or onset")
        except BadInput as error:
            refuse(error.problem.what, error.problem.remedy, file=error.problem.file or given.where, clip=clip)
            continue
        for remark in placed.remarks:
            note(remark, "nothing to do, or correct the sheet", file=given.where, clip=clip)
        seen[clip.casefold()] = given
        rows.append(_row(given, placed, clip, source, name))
    found = pd.DataFrame(rows, columns=[c for c in clip_table.COLUMNS if c != "fps"])
    return clip_table.table(found.assign(fps=float(fps)))


def tell_unused(found: Mapping[str, Path], used: Iterable[Path | None], *, root: str | Path) -> None:
    """Note the folders of frames that no row names."""
    taken = set(used)
    if left := [path for path in found.values() if path not in taken]:
        shown = ", ".join(path.relative_to(root).as_posix() for path in left[:_NAMED])
        more = " …" if len(left) > _NAMED else ""
        many = f"{len(left)} folders of frames have" if len(left) > 1 else "1 folder of frames has"
        note(f"{many} no row in the sheet: {shown}{more}", "nothing to do, unless a row is missing", file=root)


def _distinct(annotations: Sequence[Annotation]) -> Collection[Annotation]:
    """Without rows that stand twice: those share one clip and do not make it two."""
    return {replace(given, where="") for given in annotations}


def _listed(folder: Path):
    """The folder's numbers, or why there are none, so that a folder of many clips is listed once."""
    try:
        return frames.numbers(folder)
    except BadInput as error:
        return error


def _placed(given: Annotation, listing: Callable) -> frames.Placed:
    if given.folder is None:
        raise BadInput(f"no frames: there is no folder {given.wanted or given.key}", "unpack it, or drop the row")
    numbers = listing(given.folder)
    if isinstance(numbers, BadInput):
        raise numbers
    return frames.place(numbers, given.onset, given.apex, given.offset, whole=given.whole)


def _source(folder: Path, root: str | Path) -> str:
    """The path from the root. Raises BadInput for one that is no text, as wrongly unpacked archives leave it."""
    source = folder.relative_to(root).as_posix()
    try:
        source.encode()
    except UnicodeEncodeError:
        what = f"the path {source} is no UTF-8 text"
        raise BadInput(what, "rename the folder, or unpack it with the right encoding") from None
    return source


def _row(given: Annotation, placed: frames.Placed, clip: str, source: str, name: str) -> dict:
    return {
        "clip": clip,
        "dataset": name,
        "subject": f"{name}/{given.subject}",
        "name": given.name,
        "source": source,
        "kind": "frames",
        "type": given.type,
        "onset": placed.onset,
        "apex": placed.apex,
        "offset": placed.offset,
        "emotion": given.emotion,
        "label": given.label,
        "action_units": given.action_units,
        "flags": "; ".join((*given.flags, *placed.flags)),
    }
