"""The versions that DVC keeps of what was made: which of its objects belong to given paths, in any commit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from mer_lib.commands.traces import Trace, files_below

FOLDER, DATA = Path(".dvc"), "data"
_RECORDS = ("dvc.lock", "*.dvc")


def objects(trace: Trace, gone: Iterable[Path]) -> list[Path]:
    """The files of DVC's cache that belong to the paths ``gone``, and any others that name the person.

    Which belong is told by ``dvc.lock``, ``*.dvc`` and DVC's run cache, as they are and as any commit has them. What
    something else needs as well stays, unless it names the person; recordings and sheets of others are not looked into.
    Of a cache outside this project's folder of DVC nobody here knows what others need: nothing of it goes.
    """
    if not FOLDER.is_dir() or not _ours(cache := _cache()):
        return []
    gone = list(gone)
    runs = {path: _outputs(Path(), path.read_text(encoding="utf-8")) for path in files_below(cache / "runs")}
    known = {out for found in (*runs.values(), *_recorded()) for out in found}
    theirs: set[str] = set()
    others: set[str] = set()
    media: set[str] = set()
    for out, digest in known:
        for path, each in ((out, digest), *_members(cache, out, digest)):
            (theirs if _touches(path, gone) else media if path.is_relative_to(DATA) else others).add(each)
    found = {place for digest in theirs - others - media if (place := _place(cache, digest)).exists()}
    found |= {path for path, outs in runs.items() if any(_touches(out, gone) for out, _ in outs)}
    apart = found | {_place(cache, digest) for digest in media}
    held = (path for path in files_below(cache, linked=False) if path not in apart)
    return sorted(found.union(filter(trace.in_file, held)))


def remains() -> Iterator[str]:
    """Where copies of what was removed may be that nothing here can reach."""
    if Path(".git").exists():
        yield "git's history: figures of earlier commits count their clips; rewriting it is for you to decide"
    if not FOLDER.is_dir():
        return
    if not _ours(cache := _cache()):
        drop = "`dvc gc --workspace --projects` with the folders of all that use it drops all but the versions of now"
        yield f"DVC's cache {cache}, which other projects may use: nothing of it is removed; after the next run {drop}"
    for line in _dvc("remote", "list").splitlines():
        name, place = line.removesuffix("(default)").split(maxsplit=1)
        drop = f"dvc push --remote {name} && dvc gc --workspace --cloud --remote {name}"
        yield f"DVC's remote {name} ({place.strip()}); after the next run `{drop}` drops all but the versions of now"


def next_steps(recordings: Iterable[Path]) -> Iterator[str]:
    """What brings DVC and git up to date once all is made again."""
    for tracked in sorted(Path("data").glob("*.dvc")):
        if any(path.is_relative_to(tracked.with_suffix("")) for path in recordings):
            yield f"dvc add {tracked.with_suffix('')}"
    if Path("dvc.lock").exists():
        yield "dvc repro    in place of snakemake, where the results are DVC's"
    if Path(".git").exists():
        yield "git add --update && git commit    forgotten.txt keeps them out wherever it is pulled"


def _cache() -> Path:
    return Path(_dvc("cache", "dir").strip() or FOLDER / "cache")


def _ours(cache: Path) -> bool:
    """Whether a cache, with what it links to, lies in this project's own folder of DVC."""
    parts = (cache, cache / "files/md5", cache / "runs")
    return all(part.resolve().is_relative_to(Path.cwd() / FOLDER) for part in parts)


def _dvc(*words: str) -> str:
    """What DVC says, nothing where it cannot (a folder without git)."""
    return subprocess.run([sys.executable, "-m", "dvc", *words], capture_output=True, text=True).stdout


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, errors="replace").stdout


def _recorded() -> Iterator[set[tuple[Path, str]]]:
    """The outputs in each version of each record: those of the working folder, and those of every commit."""
    for path in (Path("dvc.lock"), *sorted(Path().glob("*/*.dvc")), *sorted(Path().glob("*.dvc"))):
        if path.is_file():
            yield _outputs(path.parent, path.read_text(encoding="utf-8"))
    for line in _git("rev-list", "--all", "--reflog", "--objects", "--", *_RECORDS).splitlines():
        blob, _, name = line.partition(" ")
        if name == "dvc.lock" or name.endswith(".dvc"):
            yield _outputs(Path(name).parent, _git("cat-file", "blob", blob))


def _outputs(folder: Path, record: str) -> set[tuple[Path, str]]:
    """(path, digest) of the outputs in a record, whose paths count from its folder."""
    try:
        told = yaml.safe_load(record)
        stages = told["stages"].values() if "stages" in told else [told]
        return {(folder / out["path"], out["md5"]) for stage in stages for out in stage["outs"] if "md5" in out}
    except (yaml.YAMLError, TypeError, KeyError, AttributeError):  # a version that was no record
        return set()


def _members(cache: Path, folder: Path, digest: str) -> list[tuple[Path, str]]:
    """(path, digest) of the files of a folder that DVC keeps."""
    place = _place(cache, digest)
    if not digest.endswith(".dir") or not place.exists():
        return []
    return [(folder / each["relpath"], each["md5"]) for each in json.loads(place.read_text(encoding="utf-8"))]


def _place(cache: Path, digest: str) -> Path:
    return cache / "files/md5" / digest[:2] / digest[2:]


def _touches(path: Path, gone: list[Path]) -> bool:
    """Whether a path goes, or holds something that goes: the list of a folder's files names theirs."""
    return any(path.is_relative_to(each) or each.is_relative_to(path) for each in gone)
