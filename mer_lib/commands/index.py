"""``mer index``: one data set's table, indexed as the pipeline does, in a few lines and as a file."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from mer_lib import clips, meshes, params, problems, registry
from mer_lib.corpora import forgotten, indexing, parts
from mer_lib.ingest.measure import measure
from mer_lib.problems import BadInput, Problem

SETTINGS = Path("params.yaml")
WHOSE = ("dataset", "subject", "source")
_CACHE = Path(".mer/index")
_MAX_FRAMES = 1000  # as params.yaml has it, where there is none
_SHOWN = 10


@dataclass(frozen=True)
class Place:
    """A corpus and where it lies: ``root`` of its own, ``roots(name)`` of a composite's parts."""

    corpus: params.Corpus
    root: str
    roots: Callable[[str], str]
    max_frames: int = _MAX_FRAMES


@dataclass(frozen=True)
class Indexed:
    """A table of clips or of meshes, and what was wrong with its rows."""

    table: pd.DataFrame
    problems: list[Problem]
    meshes: bool = False

    @property
    def lost(self) -> list[Problem]:
        return [p for p in self.problems if p.severity == "skipped"]

    @property
    def notes(self) -> list[Problem]:
        return [p for p in self.problems if p.severity != "skipped"]


def place(name: str, root: Path | None, options: dict[str, Any]) -> Place:
    """The corpus of that name in params.yaml (where there is one here), or the adapter; ``options`` over its own.

    ``root``: its folder, of a composite the folder that holds those of its parts; else what local.yaml says, or
    data/{name}. Raises BadInput for an unknown name or option.
    """
    limits = {}
    if SETTINGS.exists():
        known = params.load(SETTINGS, {"corpora": [name]}).corpora[0]
        given = {"name": name, **({"adapter": known} if isinstance(known, str) else known), **options}
        settings = params.load(SETTINGS, {"corpora": [given]})
        corpus, limits = settings.corpus(name), {"max_frames": settings.ingest.max_frames}
    else:
        entry, options = registry.get("corpus", name), dict(options)
        corpus = parts.made(name, entry, options.pop("classes", clips.OFFICIAL_CLASSES), options)
    named = {part.name: part for part in (corpus, *parts.parts_of(corpus))}
    elsewhere = params.local_roots("local.yaml", named)

    def folder(part: str) -> str:
        if root is not None:
            return str(root) if part == name else str(root / part)
        return elsewhere.get(part, f"data/{part}")

    return Place(corpus, folder(name), folder, **limits)


def options(given: Sequence[str]) -> dict[str, Any]:
    """{name: value} of words like 'scheme=own' and 'classes=[happiness, disgust]', values as in YAML."""
    found = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals:
            raise BadInput(f"option '{word}' has no value", "write name=value, such as scheme=own")
        try:
            found[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise BadInput(f"option '{word}' cannot be read", "write it as in params.yaml: scheme=own") from None
    return found


def index(where: Place) -> Indexed:
    """The table, the media looked at. Beside a params.yaml the pipeline's own cache is used.

    Raises BadInput where there is nothing to index.
    """
    entry, left_out = registry.get("corpus", where.corpus.adapter), forgotten.read()
    with quiet():
        if entry.meta.get("meshes"):
            with problems.unspoken(left_out.has_clip), problems.collect() as found:
                table = entry.load()(where.root, name=where.corpus.name, classes=where.corpus.classes,
                                     **where.corpus.options)  # fmt: skip
            return Indexed(left_out.without(table), list(found), meshes=True)
        with _cache() as cache:
            limits = {"roots": where.roots, "left_out": left_out, "max_frames": where.max_frames}
            return Indexed(*indexing.index(where.corpus, where.root, cache, measure, **limits))


def everybody() -> pd.DataFrame:
    """Whose sources there are (the columns WHOSE) in the data sets that params.yaml names, nobody left out; data sets
    that are not there have none. Raises BadInput where there is no params.yaml.
    """
    settings = params.load(SETTINGS)
    chosen = [settings.auxiliary_corpus(), *settings.all_corpora()]
    named = {part.name: part for corpus in chosen for part in (corpus, *parts.parts_of(corpus))}
    named |= {name: place(name, None, {}).corpus for name in settings.scans.sets}
    roots, found = params.local_roots("local.yaml", named), [pd.DataFrame(columns=list(WHOSE))]
    for corpus in named.values():
        if parts.is_composite(corpus):
            continue
        entry, root = registry.get("corpus", corpus.adapter), roots.get(corpus.name, f"data/{corpus.name}")
        asked = {name: value for name, value in corpus.options.items() if name in entry.options}
        with quiet(), problems.collect(), suppress(BadInput):
            table = entry.load()(root, name=corpus.name, classes=tuple(corpus.classes), **asked)
            found.append(table[list(WHOSE)].drop_duplicates())
    return pd.concat(found, ignore_index=True)


def save(found: Indexed, path: Path) -> None:
    """Write the table. Raises BadInput where that cannot be."""
    if path.is_dir():
        raise BadInput("is a folder", "name a file with --out", file=path)
    try:
        (meshes if found.meshes else clips).save(found.table, path)
    except OSError as error:
        raise BadInput(f"cannot be written ({error.strerror})", "name another file with --out", file=path) from None
    except UnicodeEncodeError:
        raise BadInput("a path in the table is no UTF-8 text", "rename the folder it lies in", file=path) from None


def text(found: Indexed, where: Place, *, everything: bool = False) -> str:
    """What there is: clips, subjects, classes, rate, length, apexes; then what was lost and what was noted."""
    head = _meshes_text(found.table) if found.meshes else _clips_text(found.table)
    at = "" if parts.is_composite(where.corpus) else f" at {where.root}"
    lines = [f"{where.corpus.name}{at}: {head[0]}", *head[1:]]
    for word, told in (("lost", found.lost), ("noted", found.notes)):
        shown = told if everything else told[:_SHOWN]
        lines += [f"{word} {len(told)}" + (":" if told else ""), *(f"  {problem}" for problem in shown)]
        if len(shown) < len(told):
            lines.append(f"  … and {len(told) - len(shown)} more: --all")
    return "\n".join(lines)


def _meshes_text(table: pd.DataFrame) -> list[str]:
    return [f"{_many(len(table), 'mesh', 'meshes')}, {_many(table['subject'].nunique(), 'subject')}, "
            f"{_many(table['expression'].nunique(), 'expression')}"]  # fmt: skip


def _clips_text(table: pd.DataFrame) -> list[str]:
    rates = sorted({f"{rate:g}" for rate in table["fps"].dropna()}, key=float)
    kinds = table["type"].value_counts()
    types = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) if len(kinds) > 1 else ""
    parts_ = [_many(len(table), "clip") + (f" ({types})" if types else ""),
              _many(table["subject"].nunique(), "subject"), f"{' and '.join(rates) or 'unknown'} fps"]  # fmt: skip
    lines = [", ".join(parts_)]
    lines.append(f"  {'class':14} {'clips':>6} {'subjects':>9}")
    order = [*params.class_names(tuple(sorted(set(table["label"]) - {""}))), ""]
    for label in order:
        rows = table[table["label"] == label]
        if len(rows):
            lines.append(f"  {label or '(no label)':14} {len(rows):6d} {rows['subject'].nunique():9d}")
    starts = table["onset"].fillna(0)
    length = (table["offset"].fillna(table["frames"] - 1) - starts + 1).dropna()
    if len(length):
        lines.append(f"frames a clip: {length.min()} to {length.max()}, median {length.median():g}")
    if lacking := int(table["apex"].isna().sum()):
        lines.append(f"apexes: {lacking} of {len(table)} are not annotated and will be spotted")
    return lines


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"


@contextmanager
def _cache() -> Iterator[Path]:
    """The pipeline's own beside its params.yaml; elsewhere nothing is left behind."""
    if SETTINGS.exists():
        yield _CACHE
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


@contextmanager
def quiet() -> Iterator[None]:
    """Problems are shown once, in order, below the table: not as they come as well."""
    before = problems.log.level
    problems.log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        problems.log.setLevel(before)


def default_out(where: Place) -> Path:
    """Not the pipeline's own file: a table of other options there would pass for its input."""
    entry = registry.get("corpus", where.corpus.adapter)
    return Path(f"{where.corpus.name}-{'meshes' if entry.meta.get('meshes') else 'clips'}.csv")
