"""``mer doctor CORPUS``: what of a data set is there, what is missing, and what its folder should look like."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mer_lib import problems, registry
from mer_lib.commands import index as indexing
from mer_lib.commands.doctor import Verdict
from mer_lib.commands.index import Indexed, Place
from mer_lib.corpora import parts
from mer_lib.corpora.frames import subfolders
from mer_lib.corpora.layout import Layout, find_frames, find_sheet, of_modality
from mer_lib.problems import BadInput

_SHOWN = 20


@dataclass(frozen=True)
class Examined:
    """The lines of one corpus; ``tree`` is what its folder should look like, where something is amiss; ``found`` its
    table, where it has one."""

    name: str
    verdicts: list[Verdict]
    tree: str = ""
    found: Indexed | None = None

    @property
    def ok(self) -> bool:
        return all(verdict.ok for verdict in self.verdicts)

    def below(self) -> str:
        """What the lines refer to: the clips lost and the notes, and the tree."""
        told = (*self.found.lost, *self.found.notes) if self.found else ()
        lines = [f"  {'lost' if p.severity == 'skipped' else 'note'}  {p}" for p in told[:_SHOWN]]
        if len(told) > _SHOWN:
            lines.append(f"  … and {len(told) - _SHOWN} more: mer index {self.name} --all")
        if self.tree:
            lines += ["", "It should look like this:", "", self.tree.rstrip()]
        return "".join(f"{line}\n" for line in lines)


def examine(where: Place) -> Iterator[Examined]:
    """A corpus; of a composite each of its parts first, then what they give together."""
    for part in parts.parts_of(where.corpus):
        yield _examined(replace(where, corpus=part, root=where.roots(part.name)))
    yield _examined(where)


def _examined(where: Place) -> Examined:
    verdicts, found = [], None
    layout = layout_of(where)
    for name, check in _checks(where, layout):
        try:
            with problems.collect(), indexing.quiet():
                verdicts.append(Verdict(name, True, check()))
        except BadInput as error:
            verdicts.append(Verdict(name, False, _in_words(error), error.problem.remedy))
    if all(verdict.ok for verdict in verdicts):
        try:
            found = indexing.index(where)
            verdicts.append(_verdict(found))
        except BadInput as error:
            verdicts.append(Verdict("table", False, _in_words(error), error.problem.remedy))
    amiss = layout is not None and not all(verdict.ok for verdict in verdicts)
    return Examined(where.corpus.name, verdicts, layout.tree if amiss else "", found)


def layout_of(where: Place) -> Layout | None:
    """What the adapter looks for; None where it says so itself (own recordings, composites)."""
    entry = registry.get("corpus", where.corpus.adapter)
    layout = getattr(importlib.import_module(entry.module), "LAYOUTS", {}).get(entry.name)
    modality = where.corpus.options.get("modality")
    return of_modality(layout, modality.upper()) if layout and modality else layout


def _checks(where: Place, layout: Layout | None) -> list[tuple[str, Callable[[], str]]]:
    if layout is None:
        return []
    options, root = where.corpus.options, Path(where.root)
    checks = [("folder", lambda: _folder(root))]
    if layout.sheets:
        checks.append(("sheet", lambda: _below(root, find_sheet(root, layout, options.get("sheet", "")))))
    checks.append(("frames", lambda: _frames(root, find_frames(root, layout, options.get("frames", "")))))
    return checks


def _folder(root: Path) -> str:
    if not os.path.isdir(root):
        raise BadInput(f"no folder {root}", "link it there, or give --root")
    names = subfolders(root)
    return f"{root.resolve()} ({len(names)} folders: {', '.join(names[:5])}{' …' if len(names) > 5 else ''})"


def _frames(root: Path, top: Path) -> str:
    return f"{_below(root, top)} ({len(subfolders(top))} folders in it)"


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _verdict(found: Indexed) -> Verdict:
    rows = len(found.table)
    if not found.lost:
        return Verdict("table", True, f"all {rows} rows can be used")
    return Verdict("table", False, f"{rows} rows can be used, {len(found.lost)} cannot", "see below why")


def _in_words(error: BadInput) -> str:
    """The file is named too: a verdict has no place of its own for it."""
    problem = error.problem
    return f"{problem.file}: {problem.what}" if problem.file else problem.what
