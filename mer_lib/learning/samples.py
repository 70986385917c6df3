"""Samples: feature arrays with the rows that say whose they are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from mer_lib.learning import guard, marks
from mer_lib.problems import BadInput, note
from mer_lib.registry import suggestion

COLUMNS = ("clip", "dataset", "subject", "yaw", "label")
OPTIONAL = ("copy", "source")
GREYS = 16  # fewer distinct levels and two rows may agree by nature once they are rounded to 8 bits
FEW = 64  # columns; rows of fewer that are counts, flags or shares of a few events agree by nature, rounded or not


@dataclass(frozen=True, eq=False)
class Samples:
    """N samples: ``x`` (N, ...) float32 and ``table`` (N rows: clip, dataset, subject, yaw, label, copy, source).

    A view of a clip is a row under the clip's own id, with its yaw in degrees (0 is the original); so is a magnified or
    synthetic copy, with a name of its own in copy. Copies may train and are never scored. source is the recording that
    the clip was cut from. label, copy and source are "" where unknown; the last two may be missing. Raises BadInput for
    another missing column, unequal lengths or features that are not finite.
    """

    x: np.ndarray
    table: pd.DataFrame

    def __post_init__(self) -> None:
        if missing := [name for name in COLUMNS if name not in self.table]:
            raise BadInput(f"the samples' table lacks {', '.join(missing)}", f"it needs {', '.join(COLUMNS)}")
        if len(self.x) != len(self.table):
            raise BadInput(f"{len(self.x)} samples but {len(self.table)} rows", "one row a sample, in their order")
        table = self.table.reindex(columns=[*COLUMNS, *OPTIONAL]).reset_index(drop=True)
        text = {name: table[name].astype(object).fillna("") for name in ("label", *OPTIONAL)}
        object.__setattr__(self, "table", table.assign(**text))
        object.__setattr__(self, "x", np.ascontiguousarray(self.x, np.float32))
        if len(bad := np.flatnonzero(~_finite(self.x))):
            raise BadInput("its features hold NaN or infinity", "drop it (samples.finite)", clip=table["clip"][bad[0]])

    def __len__(self) -> int:
        return len(self.x)

    @property
    def flat(self) -> np.ndarray:
        """(N, D) features, one vector a sample."""
        return self.x.reshape(len(self), -1) if self.x.size else np.zeros((len(self), 0), np.float32)

    @cached_property
    def checked(self) -> Samples:
        """The samples themselves, if any fold can be fitted on them (``guard.check_samples``). Raises LeakError."""
        guard.check_samples(self)
        return self

    @cached_property
    def fingerprints(self) -> np.ndarray:
        """(N,) uint64 digest of each row's features as an 8-bit picture, from its least to its greatest value.

        So a copy that was brightened or rescaled has the digest of its original, and of pictures that fill 0 to 255 so
        has one that was rounded. The very features where they have few levels; 0 (no one's) where two clips may well
        have the same: all values equal, or few columns of counts, flags or shares.
        """
        return np.array([_fingerprint(row) for row in self.flat], np.uint64)

    @cached_property
    def scaling(self) -> str:
        """How each feature was scaled over all rows, in words; "" where it was not (``marks.scaling``)."""
        return marks.scaling(self.flat)

    @cached_property
    def projected(self) -> bool:
        """Whether the features were projected over all rows (``marks.projection``)."""
        return marks.projection(self.flat)

    @cached_property
    def tell_the_label(self) -> bool:
        """Whether a feature is the label in other words (``marks.label``)."""
        known = (self.table["label"] != "").to_numpy()
        return marks.label(self.flat[known], self.table["label"].to_numpy(object)[known].astype(str))


def finite(x: np.ndarray, table: pd.DataFrame) -> Samples:
    """Samples without the rows whose features hold NaN or infinity; each lost clip is noted."""
    keep = _finite(x)
    for clip in table["clip"].to_numpy()[~keep]:
        note("its features hold NaN or infinity and it is left out", "look at its flow", clip=str(clip))
    return Samples(x[keep], table[keep])


def encode(labels: pd.Series, classes: Sequence[str]) -> np.ndarray:
    """(N,) int64 positions of the labels in ``classes``; raises BadInput for a label that is none of them."""
    codes = pd.Index(classes).get_indexer(labels)
    if (codes < 0).any():
        unknown = str(labels.to_numpy()[codes < 0][0])
        raise BadInput(f"label '{unknown}' is none of the classes {', '.join(classes)}", suggestion(unknown, classes))
    return codes.astype(np.int64)


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


def _finite(x: np.ndarray) -> np.ndarray:
    return np.isfinite(x.reshape(len(x), -1)).all(1) if len(x) else np.ones(0, bool)
