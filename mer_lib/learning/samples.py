"""Samples: feature arrays with the rows that say whose they are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from mer_lib.problems import BadInput, note
from mer_lib.registry import suggestion

COLUMNS = ("clip", "dataset", "subject", "yaw", "label")


@dataclass(frozen=True, eq=False)
class Samples:
    """N samples: ``x`` (N, ...) float32 and ``table`` (N rows: clip, dataset, subject, yaw, label).

    A view or copy of a clip is a row under the clip's own id, with its yaw in degrees (0 is the original). label is ""
    where unknown. Raises BadInput for a missing column, unequal lengths or features that are not finite.
    """

    x: np.ndarray
    table: pd.DataFrame

    def __post_init__(self) -> None:
        if missing := [name for name in COLUMNS if name not in self.table]:
            raise BadInput(f"the samples' table lacks {', '.join(missing)}", f"it needs {', '.join(COLUMNS)}")
        if len(self.x) != len(self.table):
            raise BadInput(f"{len(self.x)} samples but {len(self.table)} rows", "one row a sample, in their order")
        table = self.table[list(COLUMNS)].reset_index(drop=True)
        object.__setattr__(self, "table", table.assign(label=table["label"].fillna("")))
        object.__setattr__(self, "x", np.ascontiguousarray(self.x, np.float32))
        if len(bad := np.flatnonzero(~_finite(self.x))):
            raise BadInput("its features hold NaN or infinity", "drop it (samples.finite)", clip=table["clip"][bad[0]])

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def fingerprints(self) -> np.ndarray:
        """(N,) uint64 digest of each row's features; 0 where all its values are the same."""
        flat = self.x.reshape(len(self), -1)
        constant = flat.min(1) == flat.max(1) if flat.size else np.ones(len(self), bool)
        digests = [hashlib.blake2b(row.data, digest_size=8).digest() for row in flat]
        return np.where(constant, 0, np.frombuffer(b"".join(digests), np.uint64))

    @cached_property
    def scaled_over_all(self) -> bool:
        """Whether each feature was standardised over all rows: the mark of a scaler fitted before the folds were made.

        Ten features and ten rows at least, so that it cannot be chance; constant features do not count.
        """
        flat = self.x.reshape(len(self), -1)
        if len(flat) < 10:
            return False
        spread = flat.std(0, dtype=np.float64)
        varied = spread > 0
        mean, spread = flat.mean(0, dtype=np.float64)[varied], spread[varied]
        unit = np.abs(spread - 1) < 1 / len(flat) + 1e-3  # with n or n − 1 in the denominator
        return bool(varied.sum() >= 10 and unit.all() and np.all(np.abs(mean) < 1e-4))


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


def _finite(x: np.ndarray) -> np.ndarray:
    return np.isfinite(x.reshape(len(x), -1)).all(1) if len(x) else np.ones(0, bool)
