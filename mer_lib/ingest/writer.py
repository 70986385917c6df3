"""Video and images written without loss: PNG, and FFV1, the one codec of OpenCV that gives every bit back, in AVI:
Matroska files carry a random number, so that the same frames would not be the same bytes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mer_lib.problems import BadInput
from mer_lib.whole import replacing


def write_video(path: str | Path, frames: Iterable[np.ndarray], fps: float) -> int:
    """Write (H, W, 3) uint8 RGB frames to ``path`` (.avi), lossless; returns how many.

    The file appears under its name only when it is whole. Raises BadInput if there is nothing to write or no leave to,
    OSError where the disk is full.
    """
    with replacing(path) as part:
        writer, count = None, 0
        try:
            for frame in frames:
                writer = writer or _open(part, frame, fps)
                writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
                count += 1
        finally:
            if writer is not None:
                writer.release()
        if not count:
            raise BadInput("no frames to write", "give at least one", file=path)
        if not _holds(part, count):  # OpenCV says nothing when a write fails
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    return count


def write_images(folder: str | Path, frames: Mapping[int, np.ndarray]) -> None:
    """Write (H, W, 3) uint8 RGB frames below ``folder`` as PNG files of their numbers, each whole or not at all."""
    for number, frame in frames.items():
        with replacing(Path(folder) / f"{number:06d}.png") as part:
            Image.fromarray(frame).save(part, "PNG")


def _open(path: Path, frame: np.ndarray, fps: float) -> cv2.VideoWriter:
    height, width = frame.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), fps, (width, height))
    if not writer.isOpened():
        raise BadInput("cannot be written as FFV1 video", "make the folder writable", file=path.parent)
    return writer


def _holds(path: Path, count: int) -> bool:
    capture = cv2.VideoCapture(str(path))
    try:
        return round(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == count
    finally:
        capture.release()
