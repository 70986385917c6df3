"""Features that others have published as pictures, as the arrays that our own descriptors would have written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mer_lib.problems import BadInput

SIDE = 28


def read_features(root: str | Path, rows: Iterable[Any]) -> np.ndarray:
    """The published 28×28 inputs of clips: what the descriptor flow28 gives of them.

    rows: rows of the clip table (``source`` names the picture below ``root``). Returns (N, 28, 28, 3) float32, channels
    u, v, strain (red, green and blue of the picture), each scaled to 0–255 by its authors over the clip and stored in
    8 bits: what flow28 gives with ``scaling='image'``, up to the rounding. Raises BadInput for a file that is no such
    picture.
    """
    pictures = [read_picture(Path(root, row.source)) for row in rows]
    return np.stack(pictures) if pictures else np.empty((0, SIDE, SIDE, 3), np.float32)


def read_picture(file: Path) -> np.ndarray:
    """One of them, (28, 28, 3) float32: red, green, blue of the file. Raises BadInput where it is none."""
    try:
        stored = np.fromfile(file, np.uint8)
    except OSError as error:
        raise BadInput(
            f"the picture cannot be read ({error.strerror})", "unpack the archive again", file=file
        ) from None
    picture = cv2.imdecode(stored, cv2.IMREAD_UNCHANGED) if len(stored) else None
    if picture is None:
        raise BadInput("is no picture or broken", "unpack the archive again", file=file)
    if picture.shape != (SIDE, SIDE, 3) or picture.dtype != np.uint8:
        size = "×".join(map(str, picture.shape))
        what = f"is no published feature: {size} of {picture.dtype}, where {SIDE}×{SIDE}×3 of uint8 belong"
        raise BadInput(what, "unpack the archive again", file=file)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.float32)
