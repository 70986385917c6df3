"""What went wrong with a clip, said once and carried to the end.

A clip that cannot be used raises :class:`BadInput`; something worth telling that loses nothing is a :func:`note`.
Whoever works through many clips collects both (see ``store.write_shard``), goes on with the others, and the run's
summary, ``problems.csv`` and the report show them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
COLUMNS = ("stage", "clip", "file", "severity", "what", "remedy")
AUXILIARY = "auxiliary "  # before the stage where a clip was lost that trains beside the corpus's own


@dataclass(frozen=True)
class Problem:
    """One line for the user. ``severity`` is 'skipped' (the clip is lost from here on) or 'warning' (it goes on)."""

    what: str
    remedy: str
    clip: str = ""
    file: str = ""
    severity: str = "warning"
    stage: str = ""

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.clip and f"clip {self.clip}", self.file) if part)
        return printable(" ".join(f"{where}{': ' if where else ''}{self.what}; {self.remedy}".split()))

    def row(self) -> dict[str, str]:
        """The problem as a row of problems.csv."""
        return {name: printable(asdict(self)[name]) for name in COLUMNS}


def printable(text: str) -> str:
    """The text with what a terminal or a table cannot hold written out: line ends, escapes, bytes that are no text."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class BadInput(ValueError):
    """An input that cannot be used: what is wrong and what to do about it, in one line."""

    def __init__(self, what: str, remedy: str, *, file: str | Path = "", clip: str = "") -> None:
        self.problem = Problem(what, remedy, clip=clip, file=str(file), severity="skipped")
        super().__init__(str(self.problem))

    def __reduce__(self):
        return _rebuild, (self.problem,)

    def of_clip(self, clip: str, stage: str) -> Problem:
        """The problem with the clip and the stage filled in where the place that raised it did not know them."""
        return replace(self.problem, clip=self.problem.clip or clip, stage=stage)


class BadPackage(RuntimeError):
    """A part of mer_lib itself is damaged or missing, in one line. No clip's fault: nothing goes on without it."""


def _rebuild(problem: Problem) -> BadInput:
    return BadInput(problem.what, problem.remedy, file=problem.file, clip=problem.clip)


_found: ContextVar[list[Problem] | None] = ContextVar("found", default=None)
_unspoken: ContextVar[Callable[[str], bool]] = ContextVar("unspoken", default=lambda clip: False)


def note(what: str, remedy: str, *, file: str | Path = "", clip: str = "") -> None:
    """Say something that loses nothing: logged, and kept by the collector in force, if there is one."""
    _record(Problem(what, remedy, clip=clip, file=str(file)))


def refuse(what: str, remedy: str, *, file: str | Path = "", clip: str = "") -> None:
    """Drop one clip of many before there is anything to raise from: a row of a sheet, say."""
    _record(Problem(what, remedy, clip=clip, file=str(file), severity="skipped"))


def _record(problem: Problem) -> None:
    if is_unspoken(problem.clip):
        return
    log.warning("%s", problem)
    if (found := _found.get()) is not None:
        found.append(problem)


@contextmanager
def collect() -> Iterator[list[Problem]]:
    """Gather the notes made inside the block."""
    found: list[Problem] = []
    token = _found.set(found)
    try:
        yield found
    finally:
        _found.reset(token)


@contextmanager
def unspoken(concerns: Callable[[str], bool]) -> Iterator[None]:
    """Inside the block nothing is said or kept of the clips whose id ``concerns`` answers for: a person who was taken
    out must not come back by name as a problem.
    """
    token = _unspoken.set(concerns)
    try:
        yield
    finally:
        _unspoken.reset(token)


def is_unspoken(clip: str) -> bool:
    """Whether nothing may be said of a clip here."""
    return _unspoken.get()(clip)


def auxiliary(found: pd.DataFrame) -> pd.Series:
    """Which rows of problems.csv are about auxiliary clips: lost, they train no network, and no figure misses them."""
    return found["stage"].str.startswith(AUXILIARY)


def summarise(found: pd.DataFrame, *, clips: int, page: str) -> str:
    """The run's last word: how many clips there were, which were lost and why, where the report is.

    ``found``: problems.csv; ``clips``: rows of the clip table. Rows lost at indexing are not in it, though a clip of
    the same id may be.
    """
    own, beside = found[~auxiliary(found)], found[auxiliary(found)]
    lost = own[own["severity"] == "skipped"]
    at_index = lost["stage"] == "index"
    later, notes = lost.loc[~at_index, "clip"].nunique(), len(own) - len(lost)
    fewer = beside.loc[beside["severity"] == "skipped", "clip"].nunique()
    head = (
        f"{clips + at_index.sum()} clips: {clips - later} went through, {at_index.sum() + later} lost, {notes} notes; "
        f"{f'{fewer} auxiliary clips lost; ' if fewer else ''}report: {page}\n"
    )
    return head + losses(found)


def losses(found: pd.DataFrame) -> str:
    """A line a lost clip."""
    lost = found[found["severity"] == "skipped"].itertuples()
    return "".join(f"  lost at {p.stage}: {Problem(p.what, p.remedy, p.clip, p.file)}\n" for p in lost)
