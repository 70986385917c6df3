"""Samples: feature arrays with the rows that say whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from mer_lib.learning import guard, marks, rows
from mer_lib.learning.rows import Features, Rows
from mer_lib.learning.scan import Scan, scan
from mer_lib.problems import BadInput, note
from mer_lib.registry import suggestion

COLUMNS = ("clip", "dataset", "subject", "yaw", "label")
OPTIONAL = ("copy", "source")


@dataclass(frozen=True, eq=False)
class Samples:
    """N samples: ``x`` (N, ...) float32 and ``table`` (N rows: clip, dataset, subject, yaw, label, copy, source).

    ``x`` is an array, or Rows that stay in their store.

    A view of a clip is a row under the clip's own id, with its yaw in degrees (0 is the original); so is a magnified or
    synthetic copy, with a name of its own in copy. Copies may train and are never scored. source is the recording that
    the clip was cut from. label, copy and source are "" where unknown; the last two may be missing. Raises BadInput for
    another missing column, unequal lengths or features that are not finite.
    """

    x: Features
    table: pd.DataFrame

    def __post_init__(self) -> None:
        if missing := [name for name in COLUMNS if name not in self.table]:
            raise BadInput(f"the samples' table lacks {', '.join(missing)}", f"it needs {', '.join(COLUMNS)}")
        if len(self.x) != len(self.table):
            raise BadInput(f"{len(self.x)} samples but {len(self.table)} rows", "one row a sample, in their order")
        table = self.table.reindex(columns=[*COLUMNS, *OPTIONAL]).reset_index(drop=True)
        text = {name: table[name].astype(object).fillna("") for name in ("label", *OPTIONAL)}
        object.__setattr__(self, "table", table.assign(**text))
        if not isinstance(self.x, Rows):
            object.__setattr__(self, "x", np.ascontiguousarray(self.x, np.float32))
        if len(bad := np.flatnonzero(~rows.finite(self.x))):
            raise BadInput("its features hold NaN or infinity", "drop it (samples.finite)", clip=table["clip"][bad[0]])

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def checked(self) -> Samples:
        """The samples themselves, if any fold can be fitted on them (``guard.check_samples``). Raises LeakError."""
        guard.check_samples(self)
        return self

    @cached_property
    def scan(self) -> Scan:
        """What one pass over all features tells."""
        return scan(self.x, self.table["label"].to_numpy(object).astype(str))

    @property
    def fingerprints(self) -> np.ndarray:
        """(N,) uint64 digest of each row's features as an 8-bit picture, from its least to its greatest value.

        So a copy that was brightened or rescaled has the digest of its original, and of pictures that fill 0 to 255 so
        has one that was rounded. The very features where they have few levels; 0 (no one's) where two clips may well
        have the same: all values equal, or few columns of counts, flags or shares.
        """
        return self.scan.fingerprints

    @cached_property
    def scaling(self) -> str:
        """How each feature was scaled over all rows, in words; "" where it was not (``marks.scaling``)."""
        return marks.scaling(self.scan.columns)

    @cached_property
    def projected(self) -> bool:
        """Whether the features were projected over all rows (``marks.projection``)."""
        return marks.projection(self.scan.columns)

    @cached_property
    def tell_the_label(self) -> bool:
        """Whether a feature is the label in other words (``marks.Bounds``)."""
        return self.scan.bounds.tell_the_label()


def finite(x: Features, table: pd.DataFrame) -> Samples:
    """Samples without the rows whose features hold NaN or infinity, and without views of a clip whose original is lost;
    each lost clip is noted."""
    x = rows.held(x)
    keep = rows.finite(x)
    for clip in table["clip"].to_numpy()[~keep]:
        note("its features hold NaN or infinity and it is left out", "look at its flow", clip=str(clip))
    originals = table["clip"][keep & (table["yaw"] == 0).to_numpy()]
    orphans = keep & ~table["clip"].isin(originals).to_numpy()
    for clip in dict.fromkeys(table["clip"].to_numpy()[orphans]):
        note("its recording is lost, so its views are left out", "see problems.csv for why", clip=str(clip))
    keep &= ~orphans
    return Samples(rows.pick(x, np.flatnonzero(keep)), table[keep])


def encode(labels: pd.Series, classes: Sequence[str]) -> np.ndarray:
    """(N,) int64 positions of the labels in ``classes``; raises BadInput for a label that is none of them."""
    codes = pd.Index(classes).get_indexer(labels)
    if (codes < 0).any():
        unknown = str(labels.to_numpy()[codes < 0][0])
        raise BadInput(f"label '{unknown}' is none of the classes {', '.join(classes)}", suggestion(unknown, classes))
    return codes.astype(np.int64)
