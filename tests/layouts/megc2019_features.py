"""The published inputs of the MEGC 2019 composite as they are unpacked, in both forms, with pictures of our own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from mer_lib.clips import OFFICIAL_CLASSES
from mer_lib.corpora import lists

CLIPS = lists.official(OFFICIAL_CLASSES)
NAMES = [f"{row.subject}_{row.clip}" for row in CLIPS.itertuples()]
NUMBERS = [OFFICIAL_CLASSES.index(label) for label in CLIPS["label"]]
SUBJECTS = list(dict.fromkeys(CLIPS["subject"]))


def picture(at: int) -> np.ndarray:
    """(28, 28, 3) uint8: u, v and strain of clip ``at``, each stretched to 0–255; every class is another."""
    rng = np.random.default_rng(at)
    rows, columns = np.mgrid[:28, :28] / 27
    centre = 0.25 + 0.25 * NUMBERS[at] + rng.normal(0, 0.05, 2)
    bump = np.exp(-((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2) / 0.02)
    fields = bump[..., None] * np.array([1.0, -1.0, 0.5]) + rng.normal(0, 0.1, (28, 28, 3))
    low, high = fields.min(axis=(0, 1)), fields.max(axis=(0, 1))
    return np.round(255 * (fields - low) / (high - low)).astype(np.uint8)


@cache
def encoded(at: int) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(picture(at), cv2.COLOR_RGB2BGR))[1].tobytes()


def write_flat(root: Path, blank: str = " ") -> Path:
    """{name}.png, 442 of them; ``blank`` stands before the dot."""
    root.mkdir(parents=True, exist_ok=True)
    for at, name in enumerate(NAMES):
        (root / f"{name}{blank}.png").write_bytes(encoded(at))
    return root


def write_loso(root: Path, subjects=None) -> Path:
    """{held-out}/{u_train,u_test}/{0,1,2}/{name} .png, all clips for each of ``subjects`` (default: all 68); the folder
    of a class that is empty is absent."""
    for held_out in SUBJECTS if subjects is None else subjects:
        made = set()
        for at, (name, subject) in enumerate(zip(NAMES, CLIPS["subject"], strict=True)):
            folder = root / held_out / ("u_test" if subject == held_out else "u_train") / str(NUMBERS[at])
            if folder not in made:
                folder.mkdir(parents=True, exist_ok=True)
                made.add(folder)
            (folder / f"{name} .png").write_bytes(encoded(at))
    return root
