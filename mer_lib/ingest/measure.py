"""A clip table held against its media: how many frames there are, at what rate, and which clips cannot be read."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from mer_lib import clips as clip_table
from mer_lib.ingest.features import read_picture
from mer_lib.ingest.media import SourceInfo
from mer_lib.ingest.source import probe
from mer_lib.problems import BadInput, refuse


def measure(clips: pd.DataFrame, root: str | Path, *, max_frames: int) -> pd.DataFrame:
    """The clip table with ``frames`` and, where it was empty, ``fps`` filled in from the media below ``root``.

    Clips of kind 'features' have no frames and stay as they are. A clip is refused (recorded, not raised) if its medium
    or its picture of features cannot be read, or if its interval passes the end, has one frame only or, of a
    micro-expression, more than ``max_frames``; a macro-expression may last, and is there for spotting.
    """
    look = cache(lambda source, kind: _probed(Path(root, source), kind))
    rows = []
    for row in clips.itertuples(index=False):
        try:
            if row.kind == "features":
                read_picture(Path(root, row.source))
            else:
                row = _measured(row, look(row.source, row.kind), max_frames)
        except BadInput as error:
            problem = error.problem
            refuse(problem.what, problem.remedy, file=problem.file or Path(root, row.source), clip=row.clip)
            continue
        rows.append(row)
    return clip_table.table(pd.DataFrame(rows, columns=clips.columns))


def _probed(path: Path, kind: str) -> SourceInfo | BadInput:
    try:
        return probe(path, kind)
    except BadInput as error:
        return error


def _measured(row, info: SourceInfo | BadInput, max_frames: int):
    """A row of the table with what its medium tells; raises BadInput where the two do not fit."""
    if isinstance(info, BadInput):
        raise info
    for column in ("onset", "apex", "offset"):
        if not pd.isna(at := getattr(row, column)) and at >= info.frames:
            raise BadInput(
                f"{column} {at} is past the end: its frames are 0 to {info.frames - 1}",
                "correct the sheet (positions count from 0)",
            )
    row = row._replace(frames=info.frames, fps=info.fps if pd.isna(row.fps) else row.fps)
    start, stop = clip_table.interval(row)
    if stop - start < 2:
        raise BadInput(
            f"its interval is frame {start} alone: a micro-expression needs at least two, since it is a movement",
            "correct onset and offset in the sheet, or leave them empty for the whole source",
        )
    if row.type == "micro" and stop - start > max_frames:
        raise BadInput(
            f"its interval of {stop - start} frames is longer than ingest.max_frames ({max_frames})",
            "name its onset and offset more closely, or raise ingest.max_frames",
        )
    return row
