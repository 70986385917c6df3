"""The parts of a composite: which corpora they are, and each one's clips by its own adapter, root and cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
from pydantic import ValidationError

from mer_lib import registry
from mer_lib.corpora import lists
from mer_lib.params import Corpus
from mer_lib.problems import BadInput, Problem, collect

Answer = tuple[pd.DataFrame, list[Problem]]
NO_PARTS = ("composite", "synthetic", "meshes")  # facts of adapters that give no clips of recordings at a root


def is_composite(corpus: Corpus) -> bool:
    """Whether a corpus has no folder of its own."""
    return bool(registry.get("corpus", corpus.adapter).meta.get("composite"))


def parts_of(corpus: Corpus) -> list[Corpus]:
    """The corpora that a composite is made of; none of any other. Raises BadInput for a part that cannot be one.

    A part is a name of an adapter, or {name, adapter, …} with the adapter's options, as under ``corpora``.
    """
    if not is_composite(corpus):
        return []
    if not (given := corpus.options.get("parts")):
        raise _bad(corpus, "names no parts", "write parts: [casme2, samm]")
    found = [_part(one, corpus) for one in given]
    names = [part.name for part in found]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise _bad(corpus, f"names the part '{doubled[0]}' twice", "keep one of the two")
    filmed: dict[str, Corpus] = {}
    for part in found:  # under two names a person would be trained on and tested, and no guard could tell
        people = registry.get("corpus", part.adapter).meta.get("people", part.adapter)
        if part.adapter != "folder" and (other := filmed.setdefault(people, part)) is not part:
            raise _bad(corpus, f"has the same people in '{other.name}' and '{part.name}'", "keep one of the two")
    return found


def _part(given: Any, corpus: Corpus) -> Corpus:
    given = dict(given) if isinstance(given, Mapping) else {"name": given}
    name, classes = given.pop("name", None), given.pop("classes", corpus.classes)
    if not isinstance(name, str):
        raise _bad(corpus, f"has a part without a name: {name!r}", "write {name: mine, adapter: folder}")
    entry = registry.get("corpus", given.pop("adapter", name))
    if any(entry.meta.get(fact) for fact in NO_PARTS):
        raise _bad(corpus, f"cannot have '{entry.name}' as a part", "name data sets of recordings")
    return made(name, entry, classes, given)


def made(name: str, entry: registry.Entry, classes: Any, options: Mapping[str, Any]) -> Corpus:
    """A corpus whose options are complete. Raises BadInput for what none can have, such as a single class."""
    try:
        return Corpus(name=name, adapter=entry.name, classes=classes, options=entry.complete(options))
    except ValidationError as error:
        first = error.errors()[0]
        what = f"corpora.{name}: {'.'.join(map(str, first['loc']))}: {first['msg']} (got {first['input']!r})"
        raise BadInput(what, "write two or more names, such as classes: [negative, positive]") from None


def _bad(corpus: Corpus, what: str, remedy: str) -> BadInput:
    return BadInput(f"corpora: composite '{corpus.name}' {what}", remedy, file="params.yaml")


def index_parts(corpus: Corpus, root_of: Callable[[str], str], index: Callable[[Corpus, str], Answer]) -> Answer:
    """The clip table of a composite and what was wrong with its clips.

    ``root_of(name)``: the folder of a part; ``index(part, root)``: its table and problems, or BadInput where it cannot
    be indexed at all, which ends nothing here: the others go on. Of a part's problems those stay that concern the
    composite's clips. Raises BadInput where no part can be indexed.
    """
    entry = registry.get("corpus", corpus.adapter)
    tables, told, failed = {}, [], []
    for part in parts_of(corpus):
        try:
            tables[part.name], problems = index(part, root_of(part.name))
            told += problems
        except BadInput as error:
            failed.append(error.problem)
    if not tables:
        first = ": ".join(filter(None, (failed[0].file, failed[0].what)))
        raise BadInput(f"no part of '{corpus.name}' can be indexed; {first}", failed[0].remedy)
    options = {name: value for name, value in corpus.options.items() if name in entry.options}
    with collect() as found:
        table = entry.load()(tables, name=corpus.name, classes=tuple(corpus.classes), **options)
    if table.empty:
        raise BadInput(f"no usable clip in '{corpus.name}'", "index each of its parts alone: mer index")
    # Why a part failed is a remark here: that its clips are lost the composite has said.
    failed = [replace(problem, severity="warning", stage="index") for problem in failed]
    return table, failed + _merged(table, [replace(problem, stage="index") for problem in found], told)


def _merged(table: pd.DataFrame, found: list[Problem], told: list[Problem]) -> list[Problem]:
    """A clip that its own data set lost is told once, with the reason from there; clips outside are nobody's loss."""
    here = {_key(clip) for clip in table["clip"]} | {_key(problem.clip) for problem in found if problem.clip}
    # A row that could not be read names no clip: it may be the reason why one is absent, and is a remark here.
    told = [p if p.clip else replace(p, severity="warning") for p in told if not p.clip or _key(p.clip) in here]
    lost = {_key(p.clip) for p in told if p.clip and p.severity == "skipped"}
    return [p for p in found if not p.clip or _key(p.clip) not in lost] + told


def _key(clip: str) -> str:
    return lists.key(clip.partition("@")[0])
