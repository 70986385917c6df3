"""Frames of a video file, decoded by OpenCV (FFmpeg), one at a time and placed by their time stamps.

What a container says of its length cannot be trusted: files are cut short, edit lists hide frames, frame counts are
estimates. So the packets are listed (no decoding, well under a millisecond a megabyte) and the first frame and the
tail are decoded: the frames are the packets whose time lies between the first and the last that decode. Reading checks
each frame's time against that list, so a frame lost in the middle is an error instead of a shift in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from mer_lib.ingest.media import Source, SourceInfo
from mer_lib.problems import BadInput

_TAIL_MS = 200.0  # decoded at the end to find the last frame, and skipped before a frame that is sought
_CLOCK_MS = 1.0  # Matroska rounds times to this


class VideoSource(Source):
    """A video file. Raises BadInput where it is missing, empty, unreadable, without a frame or with one only."""

    def __init__(self, path: Path) -> None:
        first, begin, promised, nominal = _first_frame(path)
        self._times = _frame_times(path, begin)
        gaps = np.diff(self._times)
        mean = 1000.0 / gaps.mean() if len(gaps) else float("nan")
        varies = len(gaps) > 0 and bool(np.ptp(gaps) > _CLOCK_MS + 0.25 * np.median(gaps))
        # The nominal rate has no rounding in it, but only where it agrees with the times is it a rate at all.
        fps = nominal if not varies and abs(nominal / mean - 1) < 0.005 else mean
        super().__init__(path, SourceInfo(float(fps), len(self._times), *first.shape[:2]))
        if varies:
            self.remarks.append((
                f"its frame times vary ({gaps.min():.1f} to {gaps.max():.1f} ms apart); {fps:.2f} fps is their mean",
                "speeds in it are approximate: record with a constant frame rate",
            ))  # fmt: skip
        if promised > self.count:
            self.remarks.append((
                f"the container promises {promised} frames, {self.count} can be read",
                "check that the file was copied whole",
            ))  # fmt: skip

    def _read(self, start: int, stop: int, step: int) -> Iterator[np.ndarray]:
        capture = _open(self.path)
        try:
            at = self._seek(capture, start)
            for position in range(at, stop):
                if not (capture.grab() and abs(capture.get(cv2.CAP_PROP_POS_MSEC) - self._times[position]) < _CLOCK_MS):
                    raise BadInput(
                        f"frame {position} of {self.count} cannot be decoded: the file is damaged there",
                        "copy it again from its origin, or choose an interval without that frame",
                        file=self.path,
                    )
                if position >= start and (position - start) % step == 0:
                    ok, frame = capture.retrieve()
                    if not ok or frame.shape[:2] != (self.height, self.width):
                        raise BadInput(
                            f"frame {position} is not {self.width}×{self.height} pixels as the first one",
                            "re-encode the video with one frame size",
                            file=self.path,
                        )
                    yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        finally:
            capture.release()

    def _seek(self, capture: cv2.VideoCapture, start: int) -> int:
        """Jump near ``start`` where that saves time; returns the position of the frame that comes next.

        The jump aims a little early and is believed only when the frame it lands on carries a known time before
        ``start``; otherwise reading begins at the first frame.
        """
        target = self._times[start] - _TAIL_MS
        if target <= self._times[0] + _TAIL_MS:
            return 0
        if capture.set(cv2.CAP_PROP_POS_MSEC, target) and capture.grab():
            landed = capture.get(cv2.CAP_PROP_POS_MSEC)
            at = int(np.argmin(np.abs(self._times - landed)))
            if at < start and abs(self._times[at] - landed) < _CLOCK_MS:
                return at + 1
        capture.open(str(self.path), cv2.CAP_FFMPEG)
        return 0


def _open(path: Path, *, packets: bool = False) -> cv2.VideoCapture:
    """A capture of ``path``; with ``packets`` grabbing lists them without decoding."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1] if packets else [])
    if not capture.isOpened():
        raise BadInput(
            "cannot be opened as a video: cut short (an mp4 or mov without its end has no index) or none at all",
            "copy it again from its origin, or convert it with ffmpeg",
            file=path,
        )
    return capture


def _first_frame(path: Path) -> tuple[np.ndarray, float, int, float]:
    """The first frame that decodes, its time in ms, and the number and rate of frames that the container claims."""
    if not path.is_file():
        raise BadInput("no such video", "correct the path, or fetch the file", file=path)
    if path.stat().st_size == 0:
        raise BadInput("the video is empty (0 bytes)", "copy it again from its origin", file=path)
    capture = _open(path)
    try:
        ok, frame = capture.read()
        if not ok:
            raise BadInput("no frame of the video can be decoded", "copy it again from its origin", file=path)
        begin, promised, fps = map(capture.get, (cv2.CAP_PROP_POS_MSEC, cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS))
        return frame, begin, int(promised), fps
    finally:
        capture.release()


def _frame_times(path: Path, begin: float) -> np.ndarray:
    """Times (T,) in ms of the frames that decoding gives, in order; the first is at ``begin``.

    Where time stamps are missing, repeated or not those of the frames, all frames are decoded instead.
    """
    listed = np.sort(_grabbed_times(path, packets=True))
    if len(listed) > 1 and np.all(np.diff(listed) > 0):
        tail = _grabbed_times(path, since=listed[-1] - _TAIL_MS)
        decoded = np.append(begin, tail)
        if len(tail) and (np.abs(decoded[:, None] - listed).min(axis=1) < _CLOCK_MS / 2).all():
            return listed[(listed >= begin - _CLOCK_MS / 2) & (listed <= tail[-1] + _CLOCK_MS / 2)]
    return _grabbed_times(path)


def _grabbed_times(path: Path, *, packets: bool = False, since: float = 0.0) -> np.ndarray:
    """Times (T,) in ms of what grabbing gives, packets or frames, from about ``since`` on."""
    capture = _open(path, packets=packets)
    try:
        if since > 0:
            capture.set(cv2.CAP_PROP_POS_MSEC, since)
        times = []
        while capture.grab():
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
        return np.asarray(times)
    finally:
        capture.release()
