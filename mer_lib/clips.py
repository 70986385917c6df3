"""The clip table: one row a clip, the same columns for every data set (docs/contract.md).

Indices are 0-based positions in the source and empty where unknown; a clip without a label goes through every stage
up to the features and is never scored. Ids are the keys everywhere: ``dataset/subject/name``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from mer_lib.problems import BadInput
from mer_lib.whole import write_csv

TEXT = ("clip", "dataset", "subject", "name", "source", "kind", "type", "emotion", "label", "action_units", "flags")
INDEX = ("frames", "onset", "apex", "offset")
COLUMNS = (
    "clip", "dataset", "subject", "name", "source", "kind", "type", "fps", *INDEX, "emotion", "label", "action_units",
    "flags",
)  # fmt: skip
KINDS = ("video", "frames", "features")
TYPES = ("micro", "macro")
OFFICIAL_CLASSES = ("negative", "positive", "surprise")
MOST_SHARDS = 2_000  # of a corpus: each is some five jobs, of which Snakemake plans 250 a second


def table(rows: pd.DataFrame | list[dict]) -> pd.DataFrame:
    """A checked clip table from rows that may lack columns: text becomes "", numbers become <NA>."""
    given = pd.DataFrame(rows)
    columns = {}
    for name in COLUMNS:
        values = given[name] if name in given else pd.Series([None] * len(given), index=given.index)
        if name in TEXT:
            columns[name] = values.astype(object).where(values.notna(), "").astype(str)
        elif name in INDEX:
            columns[name] = _numbers(name, values).astype("Int64")
        else:
            columns[name] = _numbers(name, values).astype("Float64")
    return check(pd.DataFrame(columns).reset_index(drop=True))


def _numbers(name: str, values: pd.Series) -> pd.Series:
    try:
        return pd.to_numeric(values)
    except (ValueError, TypeError) as error:
        raise BadInput(f"the column {name} holds what is no number ({error})", "correct the sheet") from None


def check(clips: pd.DataFrame) -> pd.DataFrame:
    """The table itself, if it is one; raises BadInput naming the first clip that breaks the contract."""
    if missing := [name for name in COLUMNS if name not in clips]:
        raise BadInput(f"the clip table lacks the columns {', '.join(missing)}", "see docs/contract.md")
    _refuse(clips, clips["clip"].duplicated(), "the id stands twice", "give the second clip another name or onset")
    _refuse(clips, ~clips["kind"].isin(KINDS), "kind is none of " + ", ".join(KINDS), "correct the adapter")
    _refuse(clips, ~clips["type"].isin(TYPES), "type is neither micro nor macro", "correct the adapter")
    for column, owner in (("subject", "dataset"), ("clip", "subject")):
        carries = [value.startswith(f"{head}/") for value, head in zip(clips[column], clips[owner], strict=True)]
        lacking = ~pd.Series(carries, index=clips.index, dtype=bool)
        _refuse(clips, lacking, f"the {column} id does not carry its {owner}", "ids are dataset/subject/name")
    ordered = [("onset", "apex"), ("apex", "offset"), ("onset", "offset")]
    for first, second in ordered:
        _refuse(clips, (clips[first] > clips[second]).fillna(False), f"{first} after {second}", "correct the sheet")
    last = clips[["onset", "apex", "offset"]].max(axis=1)
    outside = ((last >= clips["frames"]) | (clips[["onset", "apex", "offset"]].min(axis=1) < 0)).fillna(False)
    _refuse(clips, outside, "its interval leaves the frames of its source", "correct the sheet")
    return clips


def _refuse(clips: pd.DataFrame, bad: pd.Series, what: str, remedy: str) -> None:
    if bad.any():
        raise BadInput(what, remedy, clip=str(clips.loc[bad, "clip"].iloc[0]))


def save(clips: pd.DataFrame, path: str | Path) -> None:
    """Write a checked table; the file appears whole or not at all."""
    write_csv(check(clips)[list(COLUMNS)], path)


def load(path: str | Path) -> pd.DataFrame:
    """Read and check a table that :func:`save` wrote."""
    empty = {name: [""] for name in (*INDEX, "fps")}
    try:
        raw = pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False, na_values=empty)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise BadInput(f"no clip table: {error}", "delete it and run again", file=path) from None
    return table(raw)


def digest(clips: pd.DataFrame) -> str:
    """A short name of the rows' content: what a shard of them is recomputed for."""
    return hashlib.sha256(clips.to_csv(index=False).encode()).hexdigest()[:16]


def records(clips: pd.DataFrame) -> list[dict]:
    """Rows as plain values (None where unknown), as they travel to a job."""
    return clips.astype(object).where(clips.notna(), None).to_dict("records")


def shards(clips: pd.DataFrame, size: int) -> dict[str, pd.DataFrame]:
    """The table cut into runs of ``size`` rows, named '0000', '0001', …, in the order of the table.

    The runs of a long table are twice as long, or four times, …, so that there are at most MOST_SHARDS.
    """
    while len(clips) > size * MOST_SHARDS:
        size *= 2
    return {f"{i:04d}": clips.iloc[at : at + size] for i, at in enumerate(range(0, len(clips), size))}


def interval(clip) -> tuple[int, int]:
    """First frame and one past the last of a row's micro-expression; the whole source where unknown."""
    first = 0 if pd.isna(clip.onset) else int(clip.onset)
    stop = int(clip.frames) if pd.isna(clip.offset) else int(clip.offset) + 1
    return first, stop
