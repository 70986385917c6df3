"""What every source of frames can do, whatever it is stored as: tell its size and give frames, range by range."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mer_lib.problems import BadInput


@dataclass(frozen=True)
class SourceInfo:
    """Frames a second (nan where the medium does not say), number of frames, and their height and width in pixels."""

    fps: float
    frames: int
    height: int
    width: int


class Source(ABC):
    """A video or a folder of images as frames (H, W, 3) uint8 RGB, counted from 0; nothing is kept in memory."""

    def __init__(self, path: Path, info: SourceInfo) -> None:
        if info.frames < 2:
            raise one_frame(path)
        self.path = path
        self.info = info
        self.remarks: list[tuple[str, str]] = []  # (what, remedy): worth telling, loses nothing

    @property
    def fps(self) -> float:
        return self.info.fps

    @property
    def count(self) -> int:
        return self.info.frames

    @property
    def height(self) -> int:
        return self.info.height

    @property
    def width(self) -> int:
        return self.info.width

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[np.ndarray]:
        """Frames ``start``, ``start + step``, … before ``stop`` (default: the end), each (H, W, 3) uint8 RGB.

        Raises BadInput where the range leaves the source, before the first frame is read, and where a frame in the
        range cannot be read or is missing.
        """
        stop = self.count if stop is None else stop
        if not 0 <= start < stop <= self.count:
            raise BadInput(
                f"frames {start} to {stop - 1} were asked for, but it holds frames 0 to {self.count - 1}",
                "correct onset and offset in the sheet: they are 0-based positions",
                file=self.path,
            )
        return self._read(start, stop, step)

    @abstractmethod
    def _read(self, start: int, stop: int, step: int) -> Iterator[np.ndarray]:
        """The frames of a range that is known to lie inside."""


def one_frame(path: Path) -> BadInput:
    """Why a single picture is no clip."""
    return BadInput(
        "one frame: a micro-expression needs at least two, since it is a movement",
        "give a video or a folder of its frames",
        file=path,
    )
