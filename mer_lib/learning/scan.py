"""One look at all features, a block of rows at a time: what the guard and the finished parts need to know of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from mer_lib.learning import marks
from mer_lib.learning.rows import Features, blocks, spread, vectors

GREYS = 16  # fewer distinct levels and two rows may agree by nature once they are rounded to 8 bits
FEW = 64  # columns; rows of fewer that are counts, flags or shares of a few events agree by nature, rounded or not


@dataclass(frozen=True, eq=False)
class Scan:
    """content: digest of all values; fingerprints: (N,) uint64 (see Samples); columns: (N, up to 256) float32, evenly
    spread: scaling and projection mark every column alike, so that some tell as much as all; bounds: of each column
    within each class.
    """

    content: str
    fingerprints: np.ndarray
    columns: np.ndarray
    bounds: marks.Bounds


def scan(x: Features, labels: np.ndarray) -> Scan:
    """Go through the features (N, ...) once; ``labels`` (N,) text, "" where unknown."""
    content, bounds, seen, some = hashlib.blake2b(digest_size=16), marks.Bounds(labels[labels != ""]), [], []
    width, at = int(np.prod(x.shape[1:], dtype=np.int64)), 0
    taken = spread(width, marks.CANDIDATES)
    for block in blocks(x):
        rows = vectors(block)
        content.update(np.ascontiguousarray(rows).data)
        seen += [_fingerprint(row) for row in rows]
        some.append(rows[:, taken])
        bounds.add(rows, labels[at : at + len(rows)])
        at += len(rows)
    columns = np.concatenate([np.zeros((0, len(taken)), np.float32), *some])
    return Scan(content.hexdigest(), np.array(seen, np.uint64), columns, bounds)


def _fingerprint(row: np.ndarray) -> int:
    low, high = float(row.min(initial=np.inf)), float(row.max(initial=-np.inf))
    if not low < high:
        return 0
    grey = np.rint((row.astype(np.float64) - low) * (255 / (high - low))).astype(np.uint8)
    greys = np.count_nonzero(np.bincount(grey, minlength=256))
    if greys < GREYS and len(row) < FEW and (2 * greys <= len(row) or (row == np.rint(row)).all()):
        return 0
    seen = grey if greys >= GREYS else row
    return int.from_bytes(hashlib.blake2b(seen.tobytes(), digest_size=8).digest(), "big") or 1
