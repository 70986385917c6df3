"""``mer magnify``: a video in which small movements are large, read and written frame by frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from mer_lib.ingest.source import open_source
from mer_lib.ingest.writer import write_video
from mer_lib.motion import band as bands
from mer_lib.motion.cuts import watched
from mer_lib.motion.magnify import METHODS, eulerian, lagrangian
from mer_lib.problems import BadInput
from mer_lib.registry import suggestion

SHOWN_AT_MOST = 30  # frames a second: a faster video is written to play slower, since nobody sees 200


@dataclass(frozen=True)
class Magnified:
    """What was written: frames, the band in hertz, and the rate that the file plays at."""

    frames: int
    band: tuple[float, float]
    fps: float
    plays_at: float

    def __str__(self) -> str:
        slower = f", {self.fps / self.plays_at:.3g} times slower" if self.plays_at < self.fps else ""
        return f"{self.frames} frames, {self.band[0]:.2g} to {self.band[1]:.3g} Hz, {self.plays_at:g} a second{slower}"


def magnify(
    clip: Path,
    out: Path,
    *,
    factor: float,
    method: str = "eulerian",
    band: tuple[float, float] | None = None,
    interval: tuple[int, int, int] | None = None,
    fps: float | None = None,
    reach: float = 0.25,
) -> Magnified:
    """Write ``clip``, a video or a folder of frames, to ``out`` (.avi, lossless) with its small movements magnified.

    factor, method, reach: see ``mer_lib.motion.magnify``; interval: onset, apex and offset of an expression, that the
    band is chosen for, else it is that of any micro-expression; fps: where the medium does not say, as folders do not.
    Raises BadInput for media and options that cannot be used.
    """
    if method not in METHODS:
        raise BadInput(f"no magnification called '{method}'", suggestion(method, METHODS))
    if out.suffix.lower() != ".avi":
        raise BadInput(f"'{out.name}' is no .avi", "name it so: it is written as lossless video in AVI", file=out)
    if out.resolve() == clip.resolve():
        raise BadInput("it would be written over itself", "name another file", file=out)
    source = open_source(clip, "frames" if clip.is_dir() else "video")
    rate = source.fps if fps is None else fps
    if not (math.isfinite(rate) and rate > 0):
        raise BadInput("frames without a rate", "name it with --fps", file=clip)
    chosen = band or bands.choose(rate, interval)
    common = {"factor": factor, "band": chosen, "fps": rate}
    given = watched(source.frames(), clip)
    if method == "eulerian":
        frames = eulerian(given, reach=reach, **common)
    else:
        frames = lagrangian(given, flow="dis", preset="fine", **common)
    plays_at = min(rate, SHOWN_AT_MOST)
    return Magnified(write_video(out, frames, plays_at), chosen, rate, plays_at)
