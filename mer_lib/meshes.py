"""The table of meshes: one row a 3-D scan, the same columns for every set of scans (docs/contract.md)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mer_lib.problems import BadInput
from mer_lib.whole import write_csv

COLUMNS = ("mesh", "dataset", "subject", "expression", "source")


def table(rows: pd.DataFrame | list[dict]) -> pd.DataFrame:
    """A checked table from rows that hold all columns."""
    return check(pd.DataFrame(rows, columns=list(COLUMNS)).fillna("").astype(str).reset_index(drop=True))


def check(meshes: pd.DataFrame) -> pd.DataFrame:
    """The table itself, if it is one; raises BadInput naming the first mesh that breaks the contract."""
    if missing := [name for name in COLUMNS if name not in meshes]:
        raise BadInput(f"the table of meshes lacks the columns {', '.join(missing)}", "see docs/contract.md")
    for column, owner in (("subject", "dataset"), ("mesh", "subject")):
        carries = [value.startswith(f"{head}/") for value, head in zip(meshes[column], meshes[owner], strict=True)]
        _refuse(meshes, ~pd.Series(carries, dtype=bool), f"the {column} id does not carry its {owner}")
    _refuse(meshes, meshes["mesh"].duplicated(), "the id stands twice")
    _refuse(meshes, meshes["source"] == "", "it has no source")
    return meshes


def _refuse(meshes: pd.DataFrame, bad: pd.Series, what: str) -> None:
    if bad.any():
        raise BadInput(what, "ids are dataset/subject/name", clip=str(meshes.loc[bad, "mesh"].iloc[0]))


def save(meshes: pd.DataFrame, path: str | Path) -> None:
    """Write a checked table; the file appears whole or not at all."""
    write_csv(check(meshes)[list(COLUMNS)], path)


def load(path: str | Path) -> pd.DataFrame:
    """Read and check a table that :func:`save` wrote."""
    try:
        return table(pd.read_csv(path, dtype=str, keep_default_na=False))
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise BadInput(f"no table of meshes: {error}", "delete it and index again", file=path) from None
