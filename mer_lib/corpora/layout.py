"""What a data set looks like on disk, and where it is below a root that may be a level too high or too low.

A :class:`Layout` is data: the names of the sheet, of the folder of frames, and of the folders inside that one, by which
it is recognised whatever it is called. Each adapter's module holds its own in ``LAYOUTS``, by adapter; ``mer doctor``
shows them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from fnmatch import fnmatch
from pathlib import Path

from mer_lib.corpora.frames import subfolders
from mer_lib.corpora.inside import leaves
from mer_lib.problems import BadInput, note

_SHEETS = (".xlsx", ".xlsm", ".xls", ".csv")
_DEPTH = 4  # levels below the root that are looked into
_SHOWN = 5


@dataclass(frozen=True)
class Layout:
    """title: of the data set; tree: what to unpack where, for people; docs: its page.

    sheets: patterns of the sheet's file name, the best first; none: the set has no sheet.
    frames: patterns of the path of the folder of frames, the best first ('HS' or 'SMIC_all_cropped/HS').
    inside: regular expression of the folders in it (subjects, mostly), which tells it from others.
    named: whether it has to be called so, because its neighbours hold such folders too.
    """

    title: str
    sheets: tuple[str, ...]
    frames: tuple[str, ...]
    inside: str
    tree: str
    docs: str
    named: bool = False


def find_sheet(root: str | Path, layout: Layout, given: str = "") -> Path:
    """The sheet below ``root``, or the ``given`` one (a path from the root, or an absolute one).

    Of several the best named is taken, with a note. Raises BadInput that says what was looked for and what is there.
    """
    root = _there(root)
    if given:
        if os.path.isfile(path := root / given):
            return path
        raise BadInput("no such sheet", "correct 'sheet:', a path from the root or an absolute one", file=path)
    files = sorted({path for folder in _inside(root, layout) for path in _sheets(folder)}, key=_shallow)
    found = [p for pattern in layout.sheets for p in files if _alike(p.name, pattern) and p.suffix.lower() != ".xls"]
    if not found:
        raise _no_sheet(root, layout, files)
    others = [p.relative_to(root).as_posix() for p in dict.fromkeys(found) if p != found[0]]
    if others:
        what = f"{found[0].relative_to(root).as_posix()} is read, {', '.join(others)} is not"
        note(what, f"to read another, name it: sheet: '{others[0]}'", file=root)
    return found[0]


def find_frames(root: str | Path, layout: Layout, given: str = "") -> Path:
    """The folder of frames below ``root`` (or the root itself), or the ``given`` one, a path from the root.

    Of several the best named is taken, with a note. Raises BadInput that says what was looked for and what is there.
    """
    root = _there(root)
    if given:
        if leaves(root, given):
            what = "lies outside the root, from which the table names its sources"
            raise BadInput(what, "link it below the root, or give a root above both", file=given)
        if _holds(root / given, layout):
            return root / given
        what = f"no folders like {layout.inside} in it" if os.path.isdir(root / given) else "no such folder"
        raise BadInput(what, "correct 'frames:', a path from the root", file=root / given)
    found = [f for f in _inside(root, layout) if _holds(f, layout) and (_pattern(f, layout) or not layout.named)]
    found.sort(key=lambda folder: _rank(root, folder, layout))
    if not found:
        raise _no_frames(root, layout)
    best, pattern = found[0], _pattern(found[0], layout)
    others = [f.relative_to(root).as_posix() for f in found[1:]]
    if others:
        what = f"the frames are taken from {_name(best, root)}, not from {', '.join(others[:_SHOWN])}"
        note(what, f"to take others, name them: frames: '{others[0]}'", file=root)
    if pattern and (extra := len(best.relative_to(root).parts) - pattern.count("/") - 1) > 0:
        above = root.joinpath(*best.relative_to(root).parts[:extra])
        note(f"the root is {extra} level{'s' * (extra > 1)} too high: the data are in {above}", "it works as it is",
             file=root)  # fmt: skip
    return best


def of_modality(layout: Layout, modality: str) -> Layout:
    """The layout of HS (high speed) as that of another camera, by the names of its sheet and folders."""
    given = {"sheets": layout.sheets, "frames": layout.frames}
    return replace(layout, **{key: tuple(p.replace("HS", modality) for p in names) for key, names in given.items()})


def _there(root: str | Path) -> Path:
    root = Path(root)
    if not os.path.isdir(root):
        remedy = "set the corpus's root in local.yaml, link it under data/, or give --root"
        raise BadInput("no such folder", remedy, file=root)
    if _locked(root):
        raise _closed(root)
    return root


def _locked(folder: Path) -> bool:
    """Tried, since what os.access says is not so on every network disk."""
    try:
        with os.scandir(folder):
            return False
    except OSError:
        return True


def _closed(folder: Path) -> BadInput:
    return BadInput("the folder cannot be opened (permission denied)", "ask its owner for the right to read it",
                    file=folder)  # fmt: skip


def _inside(root: Path, layout: Layout) -> Iterator[Path]:
    """The root and the folders below it, each once, not those of the frames."""
    todo, seen = [(root, 0)], set()
    for folder, depth in todo:
        if (real := os.path.realpath(folder)) in seen:
            continue
        seen.add(real)
        yield folder
        if depth < _DEPTH:
            names = (name for name in subfolders(folder) if not re.fullmatch(layout.inside, name, re.IGNORECASE))
            todo.extend((folder / name, depth + 1) for name in names)


def _holds(folder: Path, layout: Layout) -> bool:
    return any(re.fullmatch(layout.inside, name, re.IGNORECASE) for name in subfolders(folder))


def _sheets(folder: Path) -> Iterator[Path]:
    """The spreadsheets of a folder that may be listed, without the locks of those that are open in Excel."""
    if _locked(folder):
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.lower().endswith(_SHEETS) and not entry.name.startswith(("~$", ".")):
                yield folder / entry.name


def _shallow(path: Path) -> tuple[int, str]:
    return len(path.parts), path.name.lower()


def _alike(name: str, pattern: str) -> bool:
    return fnmatch(name.lower(), pattern.lower())


def _pattern(folder: Path, layout: Layout) -> str:
    """The first of the layout's patterns that the end of the path is like, or ""."""
    for pattern in layout.frames:
        tail = "/".join(folder.resolve().parts[-pattern.count("/") - 1 :])
        if _alike(tail, pattern) or _alike("/".join(folder.parts[-pattern.count("/") - 1 :]), pattern):
            return pattern
    return ""


def _rank(root: Path, folder: Path, layout: Layout) -> tuple[int, int, str]:
    pattern = _pattern(folder, layout)
    order = layout.frames.index(pattern) if pattern else len(layout.frames)
    return order, len(folder.relative_to(root).parts), folder.name


def _name(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix() if folder != root else "the root itself"


def _no_sheet(root: Path, layout: Layout, files: list[Path]) -> BadInput:
    wanted = " or ".join(layout.sheets)
    for path in files:
        stems = [pattern.rsplit(".", 1)[0] for pattern in layout.sheets]
        if path.suffix.lower() == ".xls" and any(_alike(path.stem, stem) for stem in stems):
            return BadInput("is an old Excel file (xls)", "open it and save it as xlsx", file=path)
    for levels, above in enumerate(list(root.resolve().parents)[:2], 1):
        for path in _sheets(above):
            if any(_alike(path.name, pattern) for pattern in layout.sheets):
                what = f"the root is {levels} level{'s' * (levels > 1)} too low: the sheet {path.name} lies in {above}"
                return BadInput(what, f"use {above} as the root", file=root)
    close = sorted(files, key=lambda p: -max(_likeness(p.name, pattern) for pattern in layout.sheets))
    there = ", ".join(p.relative_to(root).as_posix() for p in close[:_SHOWN]) or "no sheet at all"
    remedy = f"copy it into the root, or name it with sheet: (see {layout.docs})"
    return BadInput(f"no sheet {wanted} (found: {there})", remedy, file=root)


def _no_frames(root: Path, layout: Layout) -> BadInput:
    if (locked := next(filter(_locked, _inside(root, layout)), None)) is not None:
        return _closed(locked)
    resolved = root.resolve()
    for levels, folder in enumerate((resolved, resolved.parent), 1):
        if re.fullmatch(layout.inside, folder.name, re.IGNORECASE):
            where = "" if levels == 1 else "inside "
            what = f"the root is too low: it is {where}the folder '{folder.name}' of the frames"
            above = folder.parent  # of a set whose subjects lie in a folder of their own, one below the root
            above = above.parent if layout.named or above.name in layout.frames else above
            return BadInput(what, f"use {above} as the root", file=root)
    names = subfolders(root)
    close = sorted(names, key=lambda name: -max(_likeness(name, pattern) for pattern in layout.frames))
    there = ", ".join(close[:_SHOWN]) + (" …" if len(names) > _SHOWN else "") or "no folder"
    what = f"no folder of frames {' or '.join(layout.frames)} (found: {there})"
    return BadInput(what, f"unpack the frames there (see {layout.docs})", file=root)


def _likeness(name: str, pattern: str) -> float:
    return SequenceMatcher(None, name.lower(), pattern.replace("*", "").lower()).ratio()
