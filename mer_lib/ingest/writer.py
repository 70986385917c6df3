"""Video written without loss: FFV1 in Matroska, the one codec of OpenCV's that gives every bit back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from mer_lib.problems import BadInput
from mer_lib.whole import replacing


def write_video(path: str | Path, frames: Iterable[np.ndarray], fps: float) -> int:
    """Write (H, W, 3) uint8 RGB frames to ``path`` (.mkv), lossless; returns how many.

    The file appears under its name only when it is whole. Raises BadInput if nothing could be written.
    """
    with replacing(path) as part:
        writer, count = None, 0
        try:
            for frame in frames:
                if writer is None:
                    height, width = frame.shape[:2]
                    writer = cv2.VideoWriter(str(part), cv2.VideoWriter_fourcc(*"FFV1"), fps, (width, height))
                    if not writer.isOpened():
                        raise BadInput(
                            "cannot be written as FFV1 video", "check that the folder is writable", file=path
                        )
                writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
                count += 1
        finally:
            if writer is not None:
                writer.release()
        if not count:
            raise BadInput("no frames to write", "give at least one", file=path)
    return count
