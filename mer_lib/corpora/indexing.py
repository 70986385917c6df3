"""From a corpus as the user has it to its clip table, which is kept until the folder or the options change."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from mer_lib import clips, provenance, registry
from mer_lib.corpora import forgotten, inside, parts
from mer_lib.corpora.forgotten import Forgotten
from mer_lib.corpora.frames import SUFFIXES, is_folder
from mer_lib.problems import BadInput, Problem, collect, note, unspoken
from mer_lib.whole import write_text


def index(
    corpus: Any,
    root: str,
    cache: str | Path,
    measure: Callable[..., pd.DataFrame],
    roots: Callable[[str], str] | None = None,
    left_out: Forgotten = Forgotten(),  # noqa: B008 (frozen)
    **limits: int,
) -> tuple[pd.DataFrame, list[Problem]]:
    """The clip table of a corpus (params.Corpus: name, adapter, classes, options) and what was wrong with its rows.

    ``measure(table, root, **limits)`` fills in what only the media tell. Rows that cannot be used are left out and told
    as problems; BadInput where no row is left. An adapter whose table follows from its options is asked each time,
    the others' answers are kept in ``cache`` until the folder, the options or the adapter's code change. A composite
    has no root of its own: ``roots`` gives those of its parts by their names, and each is indexed and kept for itself.
    Of the people who are ``left_out`` nothing is in the answer, nor is it kept.
    """
    with unspoken(left_out.has_clip):
        if parts.is_composite(corpus):
            ask = partial(index, cache=cache, measure=measure, left_out=left_out, **limits)
            return parts.index_parts(corpus, roots, ask)
        return _kept(corpus, root, Path(cache), measure, left_out, limits)


def _kept(
    corpus: Any, root: str, cache: Path, measure: Callable[..., pd.DataFrame], left_out: Forgotten, limits: dict
) -> tuple[pd.DataFrame, list[Problem]]:
    """The answer for a corpus with a root, from the cache where it stands there."""
    entry = registry.get("corpus", corpus.adapter)
    options = {name: value for name, value in corpus.options.items() if name in entry.options}
    asked = {"name": corpus.name, "classes": tuple(corpus.classes), **options}
    if entry.meta.get("synthetic"):
        return _ask(entry, root, asked, lambda table, _: table, left_out)
    code = provenance.code_digest(entry.module, inside.__name__, "mer_lib.ingest.measure")
    sheet = _stamp(os.path.join(root, options["sheet"])) if options.get("sheet") else ()  # it may lie elsewhere
    listing = list(_listing(root, every=bool(entry.meta.get("features"))))
    key = provenance.digest([asked, limits, code, sorted(left_out.digests), os.path.abspath(root), sheet, listing])
    kept = cache / corpus.name / key
    if (kept / "clips.csv").exists():  # written last
        found = json.loads((kept / "problems.json").read_text(encoding="utf-8"))
        return clips.load(kept / "clips.csv"), [Problem(**row) for row in found]
    table, problems = _ask(entry, root, asked, partial(measure, **limits), left_out)
    write_text(json.dumps([asdict(p) for p in problems]), kept / "problems.json")
    clips.save(table, kept / "clips.csv")
    return table, problems


def _ask(
    entry: registry.Entry, root: str, asked: dict[str, Any], measure: Callable, left_out: Forgotten
) -> tuple[pd.DataFrame, list]:
    with collect() as found:
        everybody = entry.load()(root, **asked)
        if gone := len(left_out.of(everybody["subject"])):
            what = f"{gone} {'people are' if gone > 1 else 'person is'} left out, who were forgotten"
            note(what, "nothing to do; docs/privacy.md", file=forgotten.FILE)
        table = measure(inside.kept(left_out.without(everybody), root), root)
    problems = [Problem(**{**problem.row(), "stage": "index"}) for problem in found]
    if table.empty:
        told = sorted(problems, key=lambda problem: problem.severity != "skipped")  # a loss says more than a remark
        first = f", the first: {told[0]}" if told else ""
        own = entry.name == "folder"
        remedy = "see docs/own-data.md" if own else f"ask `mer doctor {entry.name} --root {root}`"
        raise BadInput(f"no usable clip in corpus '{asked['name']}'{first}", remedy, file=root)
    return table, problems


def _listing(root: str, *, every: bool = False) -> Iterator[tuple]:
    """What the clip table of a folder can depend on, folder by folder; a linked folder is entered, each folder once.

    Of videos, sheets and whatever else lies there path, size and time. Of pictures their names and the first one's size
    and time: the table tells how many frames there are and whether they can be opened, nothing of what they show (that
    is for the stages that read them), and 200,000 of them are asked for their names in a fraction of the time. With
    ``every`` the pictures are asked as well: published features are compared with their copies.
    """
    todo, entered = [root], set()
    while todo:
        folder = todo.pop()
        if (real := os.path.realpath(folder)) in entered:
            continue
        entered.add(real)
        folders, pictures, files = _entries(folder)
        todo.extend(sorted(folders, reverse=True))
        here = os.path.relpath(folder, root)
        if pictures:
            pictures.sort()
            names = hashlib.sha256("/".join(pictures).encode(errors="surrogateescape")).hexdigest()
            first = min(pictures, key=lambda name: (len(name), name))
            yield here, len(pictures), names, *_stamp(os.path.join(folder, first))
            files += pictures if every else []
        for name in sorted(files):
            yield os.path.join(here, name), *_stamp(os.path.join(folder, name))


def _entries(folder: str) -> tuple[list[str], list[str], list[str]]:
    """(paths of folders, names of pictures, names of other files); nothing where it cannot be listed."""
    folders, pictures, files = [], [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                is_picture = os.path.splitext(entry.name)[1].lower() in SUFFIXES
                if is_picture and not entry.is_dir(follow_symlinks=False):  # following 200,000 links takes time
                    pictures.append(entry.name)
                elif is_folder(entry):
                    folders.append(entry.path)
                else:
                    files.append(entry.name)
    except OSError:
        pass
    return folders, pictures, files


def _stamp(path: str) -> tuple[int, int]:
    """Size and time of a file, 0 where it is gone or leads nowhere."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns
