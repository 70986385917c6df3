"""From a corpus as the user has it to its clip table, which is kept until the folder or the options change."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from mer_lib import clips, provenance, registry
from mer_lib.problems import BadInput, Problem, collect
from mer_lib.whole import write_text


def index(
    corpus: Any, root: str, cache: str | Path, measure: Callable[..., pd.DataFrame], **limits: int
) -> tuple[pd.DataFrame, list[Problem]]:
    """The clip table of a corpus (params.Corpus: name, adapter, classes, options) and what was wrong with its rows.

    ``measure(table, root, **limits)`` fills in what only the media tell. Rows that cannot be used are left out and told
    as problems; BadInput where no row is left. An adapter whose table follows from its options is asked each time,
    the others' answers are kept in ``cache`` until the folder, the options or the adapter's code change.
    """
    entry = registry.get("corpus", corpus.adapter)
    options = {name: value for name, value in corpus.options.items() if name in entry.options}
    asked = {"name": corpus.name, "classes": tuple(corpus.classes), **options}
    if entry.meta.get("synthetic"):
        return _ask(entry, root, asked, lambda table, _: table)
    code = provenance.code_digest(entry.module, "mer_lib.ingest.measure")
    key = provenance.digest([asked, limits, code, os.path.abspath(root), list(_listing(root))])
    kept = Path(cache, corpus.name, key)
    if (kept / "clips.csv").exists():  # written last
        found = json.loads((kept / "problems.json").read_text(encoding="utf-8"))
        return clips.load(kept / "clips.csv"), [Problem(**row) for row in found]
    table, problems = _ask(entry, root, asked, partial(measure, **limits))
    write_text(json.dumps([asdict(p) for p in problems]), kept / "problems.json")
    clips.save(table, kept / "clips.csv")
    return table, problems


def _ask(entry: registry.Entry, root: str, asked: dict[str, Any], measure: Callable) -> tuple[pd.DataFrame, list]:
    with collect() as found:
        table = measure(entry.load()(root, **asked), root)
    problems = [Problem(p.what, p.remedy, p.clip, p.file, p.severity, "index") for p in found]
    if table.empty:
        first = f", the first: {problems[0]}" if problems else ""
        raise BadInput(f"no usable clip in corpus '{asked['name']}'{first}", "see docs/own-data.md", file=root)
    return table, problems


def _listing(root: str) -> Iterator[tuple[str, int, int]]:
    """Path, size and time of every file below ``root``, in order; a linked folder is entered, each folder once."""
    entered = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        if (real := os.path.realpath(folder)) in entered:
            folders.clear()
            continue
        entered.add(real)
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            try:
                found = os.stat(path)
            except OSError:
                continue
            yield os.path.relpath(path, root), found.st_size, found.st_mtime_ns
