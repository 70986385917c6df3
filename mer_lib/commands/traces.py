"""Whether a file names a person: their id in any spelling that the project's files use."""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from mer_lib.problems import BadInput
from mer_lib.store import Store

# What ends an id: `-` and `.` go on with it, but for the dot of a file's extension and of a sentence.
_AFTER = r"[^\w.-]|$"
_END = rf"{_AFTER}|(?:\.(?=\w*[A-Za-z])\w+)*\.?(?!/)(?:{_AFTER})"
_HDF5 = b"\x89HDF\r\n\x1a\n"


class Trace:
    """The id of a subject as a whole: it stands in the ids of their clips, not in those of `mine/annabel`,
    `mine/anna-lena` or `mine/anna.2`.
    """

    def __init__(self, subject: str) -> None:
        as_json = json.dumps(subject)[1:-1]
        spellings = {
            subject,  # CSV, logs, paths
            subject.replace('"', '""'),  # CSV again
            escape(subject),  # the report
            escape(subject).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),  # as its templates write it
            as_json,
            json.dumps(subject, ensure_ascii=False)[1:-1],
            json.dumps(repr(subject))[2:-2],  # Snakemake's records hold reprs as JSON
        }
        either = "|".join(re.escape(spelling) for spelling in sorted(spellings))
        self._pattern = re.compile(rf"(?<![\w.-])(?:{either})(?={_END})".encode(errors="surrogateescape"))

    def in_text(self, text: str) -> bool:
        """Whether a text names them."""
        return self._pattern.search(text.encode(errors="surrogateescape")) is not None

    def in_file(self, path: Path) -> bool:
        """Whether a file's path or content names them; a store is asked through its reader, where it is whole."""
        if self.in_text(path.as_posix()):
            return True
        try:
            with path.open("rb") as file:
                if file.read(len(_HDF5)) == _HDF5 and (told := self._in_store(path)) is not None:
                    return told
                if not os.fstat(file.fileno()).st_size:
                    return False
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    return self._pattern.search(content) is not None
        except FileNotFoundError:  # a link that leads nowhere
            return False
        except OSError as error:
            raise BadInput(f"cannot be read ({error.strerror})", "correct the permissions", file=path) from None

    def _in_store(self, path: Path) -> bool | None:
        """None for a file that is no whole store."""
        try:
            with Store(path) as store:
                told = [*store.clips, *map(str, store.problems), json.dumps(store.header.params)]
        except BadInput:
            return None
        return any(map(self.in_text, told))


def files_below(path: Path, *, linked: bool = True) -> Iterator[Path]:
    """A file itself, or all files below a folder; links to folders below it are followed if ``linked``, each folder
    once.
    """
    if not path.is_dir():
        yield from [path] if path.is_file() or path.is_symlink() else []
        return
    seen = set()
    for folder, folders, files in os.walk(path, followlinks=linked):
        if (real := os.path.realpath(folder)) in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(folder, file) for file in files)
