"""Cuts inside a clip: neighbouring frames that show two different scenes, between which flow means nothing.

A cut changes the picture everywhere and at once. A blink or a saccade changes little of it, head motion changes it over
several frames, a lamp changes it evenly, noise does not survive the averaging: each of the four is a condition below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from mer_lib.problems import note

_CELLS = 16  # a side: noise averages out over a cell, an eye covers few of them
_EVEN = 75  # per cent of the cells that a change of light is told by; the others may do what they like
_FITS = 4
_CHANGE = 0.06  # of the picture's contrast (its standard deviation): less is no other scene
_ABRUPT = 6.0  # times the usual change around it …
_AROUND = 3  # … in so many pairs of frames before and after


def cuts(frames: np.ndarray) -> np.ndarray:
    """Positions of the frames that begin another scene.

    frames: (T, H, W, 3) or (T, H, W) uint8. Returns (K,) int, each between 1 and T − 1, in order; none is usual. Two
    shots of one face, aligned alike, may differ too little to be told from a twitch.
    """
    if len(frames) < 2:
        return np.zeros(0, int)
    cells = np.stack([_cells(frame) for frame in frames])
    return _abrupt(_change(cells[:-1], cells[1:]))


def watched(frames: Iterable[np.ndarray], file: str | Path) -> Iterator[np.ndarray]:
    """The frames of a file as they come; after the last one a note tells the cuts. Kept is a number a frame."""
    before, change = None, []
    for frame in frames:
        cells = _cells(frame)[None]
        if before is not None:
            change.append(_change(before, cells))
        before = cells
        yield frame
    if change:
        tell(_abrupt(np.concatenate(change)), since="the first", file=file)


def tell(at: np.ndarray, *, since: str, file: str | Path = "") -> None:
    """A note that names the cuts, if there are any, by the frames ``since`` one."""
    if len(at):
        remedy = "cut the clip there: flow across a cut means nothing"
        note(f"another scene begins at frame {', '.join(map(str, at))} from {since}", remedy, file=file)


def _abrupt(change: np.ndarray) -> np.ndarray:
    """(K,) positions of the frames before which the change (T − 1,) is that of a cut."""
    around = np.pad(change, _AROUND, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(around, 2 * _AROUND + 1)
    # The median of the window, itself included: fast movement lasts, a single foreign frame makes two changes only.
    return 1 + np.flatnonzero((change > _CHANGE) & (change > _ABRUPT * _usual(around)))


def _cells(frame: np.ndarray) -> np.ndarray:
    """(256,) float32: the mean grey level of each cell."""
    small = cv2.resize(frame, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small.reshape(_CELLS * _CELLS, -1).mean(axis=1)


def _change(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """(K,) how much the second pictures (K, 256) are other scenes than the first ones."""
    return np.maximum(_unlike(one, two), _unlike(two, one))


def _unlike(given: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(K,) how far each of the other pictures is from any brightness and contrast of the given one, (K, 256) each.

    The median distance of cells from the line that fits most of them, over the other picture's contrast.
    """
    # From the contrast as it is: a fit to all cells could be led astray by an eye that opens.
    distance = np.abs(other - given - np.median(other - given, axis=1, keepdims=True))
    for _ in range(_FITS):
        kept = (distance <= np.percentile(distance, _EVEN, axis=1, keepdims=True)).astype(np.float32)
        share = kept / kept.sum(axis=1, keepdims=True)
        centre, aim = (share * given).sum(axis=1, keepdims=True), (share * other).sum(axis=1, keepdims=True)
        spread = np.maximum((share * (given - centre) ** 2).sum(axis=1, keepdims=True), 1.0)
        slope = (share * (given - centre) * (other - aim)).sum(axis=1, keepdims=True) / spread
        distance = np.abs(other - aim - slope * (given - centre))
    return np.median(distance, axis=1) / np.maximum(other.std(axis=1), 1.0)


def _usual(around: np.ndarray) -> np.ndarray:
    """(K,) median of each window (K, 7), 0 where there are too few neighbours to tell what is usual."""
    known = np.isfinite(around).sum(axis=1) > _AROUND
    return np.where(known, np.nanmedian(around, axis=1), 0.0)
