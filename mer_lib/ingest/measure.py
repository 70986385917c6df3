"""A clip table held against its media: how many frames there are, at what rate, and which clips cannot be read."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from mer_lib import clips as clip_table
from mer_lib.ingest.media import SourceInfo
from mer_lib.ingest.source import probe
from mer_lib.problems import BadInput, refuse


def measure(clips: pd.DataFrame, root: str | Path, *, max_frames: int) -> pd.DataFrame:
    """The clip table with ``frames`` and, where it was empty, ``fps`` filled in from the media below ``root``.

    Clips of kind 'features' have no media and stay as they are. A clip is refused (recorded, not raised) if its medium
    cannot be read, if its interval passes the end, or if it names no interval and is longer than ``max_frames``.
    """
    look = cache(lambda source, kind: _probed(Path(root, source), kind))
    rows = []
    for row in clips.to_dict("records"):
        if row["kind"] != "features":
            info = look(row["source"], row["kind"])
            if (problem := _misfit(row, info, max_frames)) is not None:
                refuse(problem.what, problem.remedy, file=problem.file or Path(root, row["source"]), clip=row["clip"])
                continue
            row |= {"frames": info.frames, "fps": info.fps if pd.isna(row["fps"]) else row["fps"]}
        rows.append(row)
    return clip_table.table(pd.DataFrame(rows, columns=clips.columns))


def _probed(path: Path, kind: str) -> SourceInfo | BadInput:
    try:
        return probe(path, kind)
    except BadInput as error:
        return error


def _misfit(row: dict, info: SourceInfo | BadInput, max_frames: int):
    """The problem of a clip with its medium, or None."""
    if isinstance(info, BadInput):
        return info.problem
    for column in ("onset", "apex", "offset"):
        if not pd.isna(row[column]) and row[column] >= info.frames:
            return BadInput(
                f"{column} {row[column]} is past the end: its frames are 0 to {info.frames - 1}",
                "correct the sheet (positions count from 0)",
            ).problem
    if (pd.isna(row["onset"]) or pd.isna(row["offset"])) and info.frames > max_frames:
        return BadInput(
            f"{info.frames} frames and no onset and offset", f"name them, or raise ingest.max_frames ({max_frames})"
        ).problem
    return None
