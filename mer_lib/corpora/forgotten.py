"""People who are in no clip table any more: those whom ``mer forget`` has taken out.

The list, ``forgotten.txt``, is versioned with the project, so that whoever pulls it leaves them out as well. It names
nobody: a line is a digest of a subject's id. Like everywhere where ids of several sheets meet, case and leading zeros
are not looked at.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mer_lib.corpora import lists
from mer_lib.problems import BadInput
from mer_lib.whole import write_text

FILE = "forgotten.txt"
HEAD = "# People who are left out of every clip table, a digest a line; `mer forget` writes it (docs/privacy.md).\n"


@dataclass(frozen=True)
class Forgotten:
    """``subject in forgotten`` tells whether a subject's id, ``dataset/subject``, is on the list."""

    digests: frozenset[str] = frozenset()

    def __contains__(self, subject: str) -> bool:
        return bool(self.digests) and digest(subject) in self.digests

    def has_clip(self, clip: str) -> bool:
        """Whether a clip or mesh is of somebody on the list, by its id alone."""
        parts = clip.split("/") if self.digests else []
        return any("/".join(parts[:end]) in self for end in range(2, len(parts) + 1))

    def of(self, subjects: Iterable[str]) -> set[str]:
        """Those of the subjects that are on the list."""
        return {subject for subject in set(subjects) if subject in self}

    def without(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of a table of clips or meshes that are of nobody on the list."""
        return table[~table["subject"].isin(self.of(table["subject"]))].reset_index(drop=True)


def digest(subject: str) -> str:
    """32 hex digits in place of a subject's id."""
    return hashlib.sha256(f"forgotten:{lists.key(unicodedata.normalize('NFC', subject))}".encode()).hexdigest()[:32]


def read(path: str | Path = FILE) -> Forgotten:
    """The list; empty where there is none. Raises BadInput for a line that is no digest: it would let somebody in."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return Forgotten()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot be read ({error})", "restore it: it says who is left out", file=path) from None
    found = {number: line.strip() for number, line in enumerate(lines, 1) if line.strip() and line[0] != "#"}
    for number, line in found.items():
        if not re.fullmatch("[0-9a-f]{32}", line):
            what = f"line {number} is no digest of a subject"
            raise BadInput(what, "take the line out; `mer forget SUBJECT --yes` writes the right one", file=path)
    return Forgotten(frozenset(found.values()))


def add(subject: str, path: str | Path = FILE) -> None:
    """Put a subject on the list; lines stand sorted, so that they tell no order. Raises BadInput as :func:`read`."""
    write_text(HEAD + "".join(f"{line}\n" for line in sorted(read(path).digests | {digest(subject)})), path)
