"""Folders of numbered frames, listed without opening or sorting a file: which numbers there are, and where a number is.

Sheets name frames by the number in their file's name; the pipeline counts positions from 0 in the order of those
numbers. A frame that is not in the folder has no position. Where onset or offset is such a frame, the nearest one
inside the interval takes its place if it is near: coders differ by more. Farther off, the clip would silently be
another movement, so it is refused. An apex is never moved: it is dropped, and spotted later.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mer_lib.problems import BadInput

SUFFIXES = frozenset((".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"))
MOVED_AT_MOST = 0.1  # share of the interval by which onset or offset may be moved to a frame that is there
NO_APEX = "no apex"
_NUMBER = re.compile(r"(\d+)\D*$")


@dataclass(frozen=True)
class Placed:
    """An interval as 0-based positions (None where unknown), what to say in ``flags``, and what a note has to tell."""

    onset: int | None
    apex: int | None
    offset: int | None
    flags: tuple[str, ...]
    remarks: tuple[str, ...]


def numbers(folder: str | Path) -> np.ndarray:
    """(T,) int64 numbers of the frames of a folder, ascending; a frame's position is that of its number.

    The number is the last integer of the name; names without one and hidden files do not count, as when the frames are
    read. Raises BadInput where there are none, or two files have one number.
    """
    found = array("q")
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                stem, dot, suffix = entry.name.rpartition(".")
                is_image = dot and f".{suffix.lower()}" in SUFFIXES and entry.name[0] != "."
                if is_image and (match := _NUMBER.search(stem)):
                    found.append(int(match[1]))
    except OverflowError:
        what = f"the number of {entry.name} is too large for a frame's"
        raise BadInput(what, "rename the file, or move it elsewhere", file=folder) from None
    except OSError as error:
        raise BadInput(f"the folder cannot be listed ({error.strerror})", "fetch or link it", file=folder) from None
    if not found:
        raise BadInput("no numbered images in the folder", "unpack the frames again", file=folder)
    listed = np.sort(np.frombuffer(found, np.int64))
    if (twice := listed[1:][np.diff(listed) == 0]).size:
        raise BadInput(f"two files for frame {twice[0]}", "keep one sequence of frames in a folder", file=folder)
    return listed


def place(
    numbers: np.ndarray, onset: int | None, apex: int | None, offset: int | None, *, whole: bool = False
) -> Placed:
    """Where the frames with these numbers stand among ``numbers`` (T,), ascending; None stays None.

    whole: the folder holds this clip alone, so an end that does not fit may take the folder's own. Raises BadInput
    where the interval runs backwards, or an end is not there and nothing near is (or no frame at all, with ``whole``).
    """
    backwards = onset is not None and offset is not None and offset < onset
    if backwards and not whole:
        raise BadInput(f"offset {offset} comes before onset {onset}", "correct the sheet")
    if whole and (backwards or _apart(numbers, onset, offset)):
        return _whole(numbers, onset, apex, offset)
    known = [at for at in (onset, offset) if at is not None]
    slack = max(1, round(MOVED_AT_MOST * (known[-1] - known[0] + 1))) if known else 0
    first = _end(numbers, "onset", onset, None if whole else slack)
    last = _end(numbers, "offset", offset, None if whole else slack)
    if first is not None and last is not None and last <= first:
        what = f"one frame at most of {onset} to {offset} is there: {span(numbers)}"
        raise BadInput(what, "fetch the missing frames")
    flags, remarks = [], []
    for which, number, at in (("onset", onset, first), ("offset", offset, last)):
        if at is not None and numbers[at] != number:
            flags.append(f"{which} moved")
            remarks.append(f"{which} is frame {number}, which is not there: frame {numbers[at]} is taken")
    peak = None
    if apex is not None and (why := _no_place(numbers, onset, apex, offset)):
        remarks.append(f"{why}, so it is spotted instead")
    elif apex is not None:
        peak = int(np.searchsorted(numbers, apex))
    if peak is None:
        flags.append(NO_APEX)
    return Placed(first, peak, last, tuple(flags), tuple(remarks))


def _end(numbers: np.ndarray, which: str, number: int | None, slack: int | None) -> int | None:
    """Position of the first frame from an onset on, or the last one up to an offset, at most ``slack`` away."""
    if number is None:
        return None
    if which == "onset":
        at = int(np.searchsorted(numbers, number))
    else:
        at = int(np.searchsorted(numbers, number, "right")) - 1
    if not 0 <= at < len(numbers) or (slack is not None and abs(int(numbers[at]) - number) > slack):
        raise BadInput(f"{which} is frame {number}, which is not there: {span(numbers)}", "fetch the missing frames")
    return at


def _apart(numbers: np.ndarray, onset: int | None, offset: int | None) -> bool:
    """Whether one frame of the interval is there at most."""
    first = 0 if onset is None else int(np.searchsorted(numbers, onset))
    stop = len(numbers) if offset is None else int(np.searchsorted(numbers, offset, "right"))
    return stop - first < 2


def _whole(numbers: np.ndarray, onset: int | None, apex: int | None, offset: int | None) -> Placed:
    """The whole folder. The apex keeps its place if the folder is as long as the interval, its frames counted anew; it
    keeps its number if that is there."""
    what = f"frames {onset} to {offset} are not there, {span(numbers)}: the whole folder is taken"
    if None not in (onset, apex, offset) and len(numbers) == offset - onset + 1 and onset <= apex <= offset:
        return Placed(0, apex - onset, len(numbers) - 1, ("frames counted anew",), (what,))
    there = apex is not None and not _no_place(numbers, None, apex, None)
    peak = int(np.searchsorted(numbers, apex)) if there else None
    flags = ("onset moved", "offset moved", *(() if there else (NO_APEX,)))
    return Placed(0, peak, len(numbers) - 1, flags, (what,))


def span(numbers: np.ndarray) -> str:
    """What is there, in words."""
    holes = int(numbers[-1] - numbers[0] + 1 - len(numbers))
    missing = f", {holes} missing between them" if holes else ""
    return f"the folder holds frames {numbers[0]} to {numbers[-1]}{missing}"


def _no_place(numbers: np.ndarray, onset: int | None, apex: int, offset: int | None) -> str:
    """Why an apex cannot stand, or ""."""
    if (onset is not None and apex < onset) or (offset is not None and apex > offset):
        return f"apex {apex} lies outside {onset if onset is not None else '…'} to {offset or '…'}"
    at = int(np.searchsorted(numbers, apex))
    if at == len(numbers) or numbers[at] != apex:
        return f"apex is frame {apex}, which is not there"
    return ""


def folders(top: str | Path, depth: int) -> dict[str, Path]:
    """The folders ``depth`` levels below ``top`` by their path from it in lower case, with '/'. Links are followed,
    hidden folders are not; a link that leads back up ends at the depth."""
    found: dict[str, Path] = {}
    for path, key in _below(Path(top), "", depth):
        found.setdefault(key, path)
    return found


def _below(top: Path, key: str, depth: int) -> Iterator[tuple[Path, str]]:
    for name in subfolders(top):
        inner = f"{key}/{name.lower()}" if key else name.lower()
        if depth == 1:
            yield top / name, inner
        else:
            yield from _below(top / name, inner, depth - 1)


def subfolders(folder: str | Path) -> list[str]:
    """The names of the folders in a folder, in order; none where it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.name[0] != "." and is_folder(entry))
    except OSError:
        return []


def names(folder: str | Path) -> list[str]:
    """What lies in a folder, in order; nothing where it is absent. Raises BadInput where it cannot be listed."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        what, remedy = f"the folder cannot be listed ({error.strerror})", "ask its owner for the right to read it"
        raise BadInput(what, remedy, file=folder) from None


def is_folder(entry: os.DirEntry) -> bool:
    """Whether it is a folder or a link to one; a link that leads to itself or to where nobody may look is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False
