"""The ledger: for each output of a run, what made it and which bytes were written.

An entry stands in a folder of its own (``.mer/made``), never beside the output, so that no table or store carries
anything its readers did not ask for. It serves two questions. *Are these the bytes that were written?* A job checks its
inputs before it reads them: a file that was cut short or has a flipped bit is named and moved aside, and the next run
makes it anew. *What made this?* Each entry names its inputs, so an output can be followed to its sources.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mer_lib.problems import BadInput
from mer_lib.provenance import files_below, versions
from mer_lib.whole import write_text


class Ledger:
    """The entries of one working folder, below ``folder``. Paths are as the rules write them, relative to it."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def enter(
        self, outputs: Iterable[str | Path], *, rule: str, params: Mapping[str, Any], inputs: Iterable[str | Path]
    ) -> None:
        """Note what was just made: by which rule, under which params, from which inputs (with their digests)."""
        made = {
            "rule": rule,
            "params": params,
            "inputs": {str(path): self._digest_of(path) for path in inputs},
            "versions": versions(),
        }
        for path in map(Path, outputs):
            entry = {"path": str(path), "digest": content(path), **made}
            write_text(json.dumps(entry, default=str), self._place(path))

    def entry(self, path: str | Path) -> dict[str, Any] | None:
        """What is known of an output; None for a source, or for what another machine made."""
        try:
            return json.loads(self._place(path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def entries(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """(file of the entry, entry) of every output."""
        for place in sorted(self._folder.glob("*/*.json")):
            try:
                yield place, json.loads(place.read_text(encoding="utf-8"))
            except ValueError:  # half an entry says nothing
                continue

    def check(
        self,
        paths: Iterable[str | Path],
        known: Callable[[Path], bool] = lambda path: False,
        broken: Callable[[Path], None] = lambda path: None,
    ) -> None:
        """Refuse inputs that are gone, and those whose bytes are not those that were written; what is there instead is
        moved to ``broken`` beside the entries' folder: somebody may have put it there.

        ``known``: whether a file with other bytes is a version that git or DVC has put there, which is no damage;
        ``broken`` is told of one that is damaged, before it is moved. Raises BadInput.
        """
        for path in map(Path, paths):
            try:
                aside = self._refused(path, known, broken)
            except FileNotFoundError:  # removed under the run, or moved aside by another job just now
                raise BadInput(
                    "is not there any more", "run again: what a rule makes is made anew", file=path
                ) from None
            if aside:
                told = f"its bytes are not those that were written, so it was moved to {aside}"
                raise BadInput(told, "run again: it is made anew", file=path)

    def _refused(self, path: Path, known: Callable[[Path], bool], broken: Callable[[Path], None]) -> Path | None:
        """Where a broken file was moved to; None for one that is whole, or nobody knows."""
        path.stat()
        entry = self.entry(path)
        if entry is None or content(path) == entry["digest"]:
            return None
        if known(path):
            self._place(path).unlink(missing_ok=True)
            return None
        broken(path)
        aside = self._folder.with_name("broken") / path
        aside.parent.mkdir(parents=True, exist_ok=True)
        taken = aside.with_name(f".{aside.name}.{os.getpid()}")
        shutil.move(path, taken)  # of two jobs that read it one comes first
        shutil.rmtree(aside, ignore_errors=True)
        aside.unlink(missing_ok=True)
        taken.rename(aside)
        return aside

    def _place(self, path: str | Path) -> Path:
        name = hashlib.sha256(os.path.normpath(path).encode()).hexdigest()[:32]
        return self._folder / name[:2] / f"{name}.json"

    def _digest_of(self, path: str | Path) -> str | None:
        entry = self.entry(path)
        return entry["digest"] if entry else None


def content(path: str | Path) -> str:
    """32 hex digits of the bytes of a file, or of the names and bytes of all files of a folder."""
    path = Path(path)
    total = hashlib.sha256()
    for file in files_below(path):
        if path.is_dir():
            if file.name.startswith(".snakemake"):
                continue
            total.update(f"{file.relative_to(path)}|".encode())
        with open(file, "rb") as opened:
            total.update(hashlib.file_digest(opened, "sha256").digest())
    return total.hexdigest()[:32]
