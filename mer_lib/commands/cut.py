"""``mer cut``: the annotated intervals of a data set as recordings of their own, for the adapter ``folder``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from mer_lib import clips
from mer_lib.commands import index as indexing
from mer_lib.commands.index import Place
from mer_lib.corpora import folder
from mer_lib.ingest.images import numbered_images
from mer_lib.ingest.source import open_source
from mer_lib.ingest.writer import write_video
from mer_lib.problems import BadInput, Problem, collect, refuse
from mer_lib.whole import write_csv

_LONGEST = 10**9  # frames: what is cut here is looked at nowhere else
COLUMNS = ("name", "subject", "source", "onset", "apex", "offset", "label", "fps", "emotion", "action_units")


@dataclass(frozen=True)
class Cut:
    """The sheet that was written, and the clips that could not be."""

    sheet: pd.DataFrame
    problems: list[Problem]


def cut_corpus(where: Place, out: str | Path, *, margin: int = 0, kind: str = "micro") -> Cut:
    """Index a corpus and cut it; see :func:`cut`. Intervals may be of any length."""
    found = indexing.index(replace(where, max_frames=_LONGEST))
    if found.meshes:
        raise BadInput(f"'{where.corpus.name}' holds 3-D scans, no clips", "name a data set of recordings")
    with collect() as told, indexing.quiet():
        sheet = cut(found.table, where.roots, out, margin=margin, kind=kind)
    return Cut(sheet, [*found.lost, *told])


def cut(
    table: pd.DataFrame, root_of: Callable[[str], str | Path], out: str | Path, *, margin: int = 0, kind: str = "micro"
) -> pd.DataFrame:
    """Write each clip of a clip table as a recording of its own below ``out``, with ``margin`` frames on either side.

    Frames are copied as they are, with their names; videos become lossless ones. A margin ends where the recording does
    or a frame is missing. ``root_of(dataset)``: where sources lie; ``kind``: micro or macro, never both, because the
    sheet does not tell them apart. ``{out}/clips.csv``, written last, counts positions from each recording's start.
    Returns that sheet. A clip that cannot be read is refused (recorded). Raises BadInput where nothing is to be cut, or
    ``out`` holds anything already: frames of an earlier cut with another margin would shift every position.
    """
    out = Path(out)
    chosen = table[(table["type"] == kind) & (table["kind"] != "features")]
    if chosen.empty:
        raise BadInput(f"no {kind}-expression to cut among {len(table)} clips", "choose --type micro or --type macro")
    empty_folder(out)
    rows = []
    for row in chosen.itertuples(index=False):
        try:
            rows.append(_cut(row, Path(root_of(row.dataset), row.source), out, margin, table["dataset"].nunique() > 1))
        except BadInput as error:
            refuse(error.problem.what, error.problem.remedy, file=error.problem.file, clip=row.clip)
        except OSError as error:
            remedy = "see that it can be read, and that there is room and the right to write"
            refuse(f"cannot be copied ({error.strerror})", remedy, file=error.filename or out, clip=row.clip)
    sheet = pd.DataFrame(rows, columns=list(COLUMNS))
    write_csv(sheet, out / folder.SHEET)
    return sheet


def empty_folder(out: Path) -> None:
    """Make the folder, which may be there if it is empty. Raises BadInput where it holds anything."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        used = next(out.iterdir(), None) is not None
    except OSError as error:
        what, remedy = f"cannot be made or listed ({error.strerror})", "name a folder that you may write to"
        raise BadInput(what, remedy, file=out) from None
    if used:
        raise BadInput("is not empty", "name a new folder, or remove this one", file=out)


def _cut(row: Any, source: Path, out: Path, margin: int, several: bool) -> dict:
    """One clip written; its row of the sheet."""
    first, stop = clips.interval(row)
    dataset, subject, name = row.clip.split("/", 2)
    subject = f"{dataset}.{subject}" if several else subject  # two data sets may have people of one name
    if row.kind == "frames":
        images = numbered_images(source)
        start, end = _around([number for number, _ in images], first, stop, margin)
        target = out / subject / name
        target.mkdir(parents=True, exist_ok=True)
        for _, image in images[start:end]:
            shutil.copyfile(source / image, target / image)
    else:
        video = open_source(source, row.kind)
        start, end = max(0, first - margin), min(video.count, stop + margin)
        target = out / subject / f"{name}.avi"
        write_video(target, video.frames(start, end), video.fps)
    ends = {"onset": first, "apex": row.apex, "offset": stop - 1}
    kept = {column: getattr(row, column) for column in ("label", "fps", "emotion", "action_units")}
    moved = {column: None if pd.isna(at) else int(at) - start for column, at in ends.items()}
    return {"name": target.name, "subject": subject, "source": target.relative_to(out).as_posix(), **moved, **kept}


def _around(numbers: Sequence[int], first: int, stop: int, margin: int) -> tuple[int, int]:
    """Positions [start, end) of the interval with its margin, which no missing number may lie in."""
    step = min((b - a for a, b in pairwise(numbers)), default=1)
    start, end = first, stop
    while start > max(0, first - margin) and numbers[start] - numbers[start - 1] == step:
        start -= 1
    while end < min(len(numbers), stop + margin) and numbers[end] - numbers[end - 1] == step:
        end += 1
    return start, end
