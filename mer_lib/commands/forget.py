"""``mer forget``: take a person out of everything that was made here, and keep them out.

What was made of a corpus in which they are goes as a whole: networks were trained on them, shards hold several people,
and all shards behind theirs would be made anew anyway. What else was made from that, the ledger tells. Traces in logs
and caches are found by the id, DVC's objects by what ``dvc.lock`` and ``*.dvc`` said of those folders in any commit.
"""

from __future__ import annotations

import json
import os
import shutil
from base64 import urlsafe_b64decode
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mer_lib import clips, params, presence
from mer_lib.commands import index, provenance, versions
from mer_lib.commands.traces import Trace, files_below
from mer_lib.corpora import forgotten, lists
from mer_lib.corpora.sheets import near
from mer_lib.ledger import Ledger
from mer_lib.problems import BadInput

RESULTS = Path("results")
LOCK = Path(".mer/run.lock")
UNFINISHED = (".mer/finished", ".mer/folds", ".mer/broken", ".dvc/tmp/exps")  # pieces without a name, of whomever
CARRIERS = ("logs", ".mer", ".snakemake", "dvc_plots", ".dvc/tmp")
RECORDS = (Path(".snakemake/metadata"), Path(".snakemake/incomplete"))
ENVIRONMENTS = {"conda", "conda-archive", "singularity"}  # below .snakemake: programs, and many of them
APART = {".git", ".venv", "data", "results", *(carrier.partition("/")[0] for carrier in CARRIERS)}
_SHOWN = 5
_LARGEST = 1 << 26  # bytes of somebody's own file that is looked into: beyond lie recordings


@dataclass(frozen=True)
class Found:
    """Where somebody is. What is to go: ``results``, folders of corpora that have them; ``derived``, what was made from
    those elsewhere; ``traces``, files in logs and caches; ``objects`` of DVC; ``recordings``, their files and folders
    in the data sets, if that is ``asked``.
    What remains: ``sheets``, data sets whose sheets may name them; ``others``, ids that differ in the data set alone;
    ``elsewhere``, other files that name them.
    """

    subject: str
    results: list[Path]
    derived: list[Path]
    traces: list[Path]
    objects: list[Path]
    recordings: list[Path]
    asked: bool
    sheets: list[Path]
    others: list[str]
    elsewhere: list[Path]


def find(name: str, *, recordings: bool = False) -> Found:
    """Everything of a subject, ``dataset/subject``, or the last part alone where it is one person's.

    recordings: they are to go as well, and with them their versions in DVC.

    Raises BadInput where nobody, or more than one, is called so.
    """
    people = _People()
    subject = people.one(name)
    trace = Trace(subject)
    results = _results(trace)
    made, filmed = _made_from({*results, *_missing(subject)}, trace), people.recordings(subject)
    gone = made.union(filmed if recordings else ())
    return Found(
        subject,
        [*results, *(path for path in (Path("logs", folder.name) for folder in results) if path.exists())],
        sorted(path for path in made if path.exists() and not _below(path, results)),
        sorted({*_records(gone), *_entries(gone), *_carriers(trace)}),
        versions.objects(trace, gone),
        filmed,
        recordings,
        people.sheets(subject),
        sorted(other for other in people.known if other != subject and _bare(other) == _bare(subject)),
        [path for path in (*_elsewhere(), *_over_links()) if trace.in_file(path)],
    )


def take_out(name: str, *, recordings: bool = False) -> str:
    """Remove what :func:`find` finds, and tell of it. Raises BadInput where a run is at work; one that starts meanwhile
    waits.
    """
    with presence.alone(LOCK) as alone:
        if not alone:
            raise BadInput("a run is at work in this folder", "wait for its end, or stop it", file=Path.cwd())
        found = find(name, recordings=recordings)
        told = text(found, done=True)  # while it is all there to be told of
        forgotten.add(found.subject)  # first: a run that finds half of them gone must not bring them back
        for path in _in_order(found):
            try:
                _remove(path)
            except OSError as error:
                remedy = "correct the permissions and say it again: it goes on where it was"
                raise BadInput(f"cannot be removed ({error.strerror})", remedy, file=path) from None
    return told


def text(found: Found, *, done: bool) -> str:
    """What is removed, what remains and what to do next, for a terminal."""
    gone = [
        *map(str, (*found.results, *found.derived)),
        *_counted(found.traces, "logs and caches"),
        *_counted(found.objects, "DVC"),
    ]
    gone += map(str, found.recordings if found.asked else ())
    lines = [f"{found.subject}, {'removed' if done else 'would be removed'}:", *_listed(gone)]
    lines += ["remains:", *_listed([*_remains(found), *versions.remains()])]
    if done:
        lines += ["left out from now on, by a line in forgotten.txt; next:", *_listed(_next(found))]
    else:
        lines.append("nothing was removed; to remove it say the same with --yes")
    return "\n".join(lines)


# ---- who -------------------------------------------------------------------------------------------------------------


class _People:
    """Who is known here: by the tables of earlier runs, and by the data sets themselves, those left out included."""

    def __init__(self) -> None:
        indexed = index.everybody()
        made = [clips.load(path)[list(index.WHOSE)] for path in sorted(RESULTS.glob("*/clips.csv"))]
        self._indexed, self._all = indexed, pd.concat([indexed, *made]).drop_duplicates()
        self._roots = params.local_roots("local.yaml", {})
        self.known = set(self._all["subject"])

    def one(self, name: str) -> str:
        """The subject of that name. Raises BadInput."""
        out, datasets = forgotten.read(), sorted(set(self._all["dataset"]))
        found = [name] if name in self.known else sorted(s for s in self.known if name == s.partition("/")[2])
        found = found or [s for s in (name, *(f"{dataset}/{name}" for dataset in datasets)) if s in out]
        if len(found) > 1:
            raise BadInput(f"'{name}' may be any of {', '.join(found)}", "name the one")
        if not found:
            raise BadInput(f"nobody is called '{name}' here", near(name, sorted(self.known)))
        return found[0]

    def sheets(self, subject: str) -> list[Path]:
        """The roots of the data sets that know them."""
        rows = self._indexed[self._indexed["subject"] == subject]
        return [root for root in map(self._root, sorted(set(rows["dataset"]))) if root.exists()]

    def recordings(self, subject: str) -> list[Path]:
        """Their files and folders that hold nobody else's and lie in nobody else's, in any data set; as a whole the
        folder that is called as they are. Who is forgotten already has no say.
        """
        theirs = self._all["subject"] == subject
        out = self._all["subject"].isin(forgotten.read().of(self.known - {subject}))
        others = _Taken(where for where, _ in self._places(self._all[~theirs & ~out]))
        found = {_highest(where, root, subject, others) for where, root in self._places(self._all[theirs])}
        return sorted(path for path in found if path and path.exists())

    def _places(self, rows: pd.DataFrame) -> Iterator[tuple[Path, Path]]:
        """(place of a source, root of its data set)."""
        for dataset, source in sorted(set(zip(rows["dataset"], rows["source"], strict=True))):
            root = self._root(dataset)
            yield Path(os.path.normpath(root / source)), root

    def _root(self, dataset: str) -> Path:
        return Path(os.path.normpath(self._roots.get(dataset, f"data/{dataset}")))


class _Taken:
    """``path in taken``: whether it is, holds or lies in one of the places, as it is written or where links lead."""

    def __init__(self, places: Iterable[Path]) -> None:
        self._places = {each for place in places for each in _spellings(place)}
        self._above = {above for place in self._places for above in place.parents}

    def __contains__(self, path: Path) -> bool:
        return any(each in self._above or _below(each, self._places) for each in _spellings(path))


def _spellings(path: Path) -> tuple[Path, Path]:
    return Path(os.path.abspath(path)), path.resolve()


def _highest(source: Path, root: Path, subject: str, others: _Taken) -> Path | None:
    """The highest folder above a source that is called like its subject, else the source; None where it is others'."""
    above = (path for path in reversed(source.parents) if root in path.parents)
    named = [path for path in above if lists.key(path.name) == _bare(subject)]
    return next((path for path in (*named, source) if path not in others), None)


def _bare(subject: str) -> str:
    return lists.key(subject.partition("/")[2])


# ---- where -----------------------------------------------------------------------------------------------------------


def _results(trace: Trace) -> list[Path]:
    """What was made of a corpus that has them, whole."""
    return [folder for folder in sorted(RESULTS.glob("*")) if any(map(trace.in_file, _small_first(folder)))]


def _missing(subject: str) -> list[Path]:
    """The results of their data set where these are not here: not pulled, or removed. They may have had them."""
    folder = RESULTS / subject.partition("/")[0]
    return [] if folder.exists() else [folder]


def _made_from(results: set[Path], trace: Trace) -> set[Path]:
    """Results that go, what an entry of the ledger says was made of them as well, and all that was made from those."""
    named = (Path(entry["path"]) for _, entry in _ledger().entries() if trace.in_text(json.dumps(entry)))
    gone = results.union(path for path in named if path.is_relative_to(RESULTS))
    steps, more = list(_steps()), gone
    while more:
        above = {folder for path in gone for folder in path.parents}
        used = [outs for inputs, outs in steps if any(path in above or _below(path, gone) for path in inputs)]
        more = {path for outs in used for path in outs if not _below(path, gone)}
        gone = gone | more
    return gone


def _steps() -> Iterator[tuple[list[Path], list[Path]]]:
    """(inputs, outputs) of what was made: here as the ledger tells; elsewhere, before a pull, as dvc.lock does."""
    for _, entry in _ledger().entries():
        yield [Path(path) for path in entry["inputs"]], [Path(entry["path"])]
    for stage in provenance.dvc_stages(Path()).values():
        inputs, outputs = ([Path(each["path"]) for each in stage.get(kind, [])] for kind in ("deps", "outs"))
        yield inputs, outputs


def _ledger() -> Ledger:
    return Ledger(provenance.LEDGER)


def _small_first(folder: Path) -> list[Path]:
    """The clip table, which tells at once, stands before the stores."""
    return sorted(files_below(folder), key=lambda path: path.lstat().st_size)


def _below(path: Path, folders: Collection[Path]) -> bool:
    return any(each in folders for each in (path, *path.parents))


def _entries(gone: set[Path]) -> Iterator[Path]:
    """The ledger's entries of what goes."""
    return (place for place, entry in _ledger().entries() if _below(Path(entry["path"]), gone))


def _records(gone: set[Path]) -> Iterator[Path]:
    """Snakemake's records of what goes; a record is named by its output in base64, in pieces where that is long."""
    for folder in RECORDS:
        for record in files_below(folder, linked=False):
            name = "".join(part.removeprefix("@") for part in record.relative_to(folder).parts)
            try:
                output = Path(urlsafe_b64decode(name).decode())
            except ValueError:  # some other file
                continue
            if _below(output, gone):
                yield record


def _carriers(trace: Trace) -> Iterator[Path]:
    """Unfinished pieces, which nobody can tell apart, and files in logs and caches that name them."""
    yield from (path for folder in UNFINISHED for path in files_below(Path(folder), linked=False))
    yield from filter(trace.in_file, _carried(linked=False))


def _carried(*, linked: bool) -> Iterator[Path]:
    below = (path for folder in CARRIERS for path in files_below(Path(folder), linked=linked))
    return (path for path in below if path.parts[1] not in ENVIRONMENTS)


def _over_links() -> Iterator[Path]:
    """Files to which links below logs and caches lead: not ours to remove."""
    ours = set(_carried(linked=False))
    return (path for path in _carried(linked=True) if path not in ours)


def _elsewhere() -> Iterator[Path]:
    """The other files of this folder, which are somebody's own."""
    for path in sorted(Path().iterdir()):
        if path.name not in APART and path.name != forgotten.FILE:
            yield from (file for file in files_below(path) if file.lstat().st_size <= _LARGEST)


def _in_order(found: Found) -> Iterator[Path]:
    """What is to go; what leads to the rest stays until that is gone, so that the same words go on after an error: the
    ledger leads to what was made elsewhere, the corpora's folders to all, and in these the clip table.
    """
    yield from (*found.objects, *found.derived)
    yield from sorted(found.traces, key=lambda path: path.is_relative_to(provenance.LEDGER))
    yield from found.recordings if found.asked else ()
    for folder in (path for path in found.results if path.is_dir() and not path.is_symlink()):
        yield from (path for path in folder.iterdir() if path.name != "clips.csv")
    yield from found.results


def _remove(path: Path) -> None:
    """A file, a folder, or a link: where links lead, there and below a folder, may be other people's."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


# ---- what is told ----------------------------------------------------------------------------------------------------


def _listed(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines] or ["  nothing"]


def _counted(paths: list[Path], what: str) -> list[str]:
    return [f"{len(paths)} file{'s' * (len(paths) > 1)} of {what}"] if paths else []


def _remains(found: Found) -> Iterator[str]:
    if not found.asked:
        yield from (f"{path}: their recordings; --recordings removes them, too" for path in found.recordings)
    links = [*filter(Path.is_dir, _links((*found.results, *found.derived))), *_links(found.recordings)]
    yield from (f"{link.resolve()}: what the link {link} leads to, which stays" for link in links[:_SHOWN])
    if len(links) > _SHOWN:
        yield f"what {len(links) - _SHOWN} more links lead to, such as {links[_SHOWN]}"
    yield from (f"{root}: where a sheet names them; it is passed over, correct it by hand" for root in found.sheets)
    yield from (f"{other}: forget them as well if that is the same person" for other in found.others)
    if found.elsewhere:
        shown = ", ".join(map(str, found.elsewhere[:_SHOWN])) + (" …" if len(found.elsewhere) > _SHOWN else "")
        yield f"{len(found.elsewhere)} other file{'s' * (len(found.elsewhere) > 1)} with the id: {shown}"
    yield "copies outside this folder: exported views and tables, reports that were sent, backups"


def _links(paths: Iterable[Path]) -> Iterator[Path]:
    return (link for path in paths for link in (path, *path.rglob("*")) if link.is_symlink())


def _next(found: Found) -> Iterator[str]:
    yield "snakemake --cores 8 all    makes everything again, without them"
    yield from versions.next_steps(found.recordings if found.asked else [])
