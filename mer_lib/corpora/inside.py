"""Names and paths that come from sheets, archives and folders of others: none leads out of its data set.

Sources are opened below the data set's root; ids name folders and files where clips are cut or exported. So every
table is held to this once, whichever adapter made it (``indexing``). Links are followed: labs link their disks into a
data set, and who may place a link there may place a copy.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from mer_lib.problems import BadInput, printable, refuse


def leaves(root: str | Path, path: str | Path) -> bool:
    """Whether a path, counted from ``root`` or absolute, leads out of it."""
    return not Path(os.path.abspath(Path(root, path))).is_relative_to(os.path.abspath(root))


def check_name(text: str, what: str) -> None:
    """Raises BadInput unless ``text`` can be one part of an id, and so the name of a file."""
    if text in ("", ".", "..") or "/" in text or "\\" in text:
        raise BadInput(f"{what} '{printable(text)}' is no name", f"name {what}s without slashes")
    if printable(text) != text:
        raise BadInput(f"{what} '{printable(text)}' holds a control character", "rename it in the sheet and on disk")


def kept(table: pd.DataFrame, root: str | Path) -> pd.DataFrame:
    """The rows of a clip table whose ids are made of names and whose sources lie below ``root``; others are refused
    (recorded).
    """
    good = []
    for row in table[["clip", "dataset", "subject", "source"]].itertuples(index=False):
        try:
            check_name(row.subject.removeprefix(f"{row.dataset}/"), "subject")
            check_name(row.clip.removeprefix(f"{row.subject}/"), "clip")
            if leaves(root, row.source):
                raise BadInput(
                    f"'{printable(row.source)}' leaves the corpus's folder", "put or link the media inside it"
                )
        except BadInput as error:
            refuse(error.problem.what, error.problem.remedy, clip=row.clip)
            good.append(False)
        else:
            good.append(True)
    return table[good].reset_index(drop=True)
