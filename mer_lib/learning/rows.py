"""Features that stay in their store until they are asked for, so that whole clips need no more memory than vectors.

One rule: features that come to more than WHOLE bytes are read a batch at a time, smaller ones are held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from mer_lib.problems import BadInput

WHOLE = 1 << 28  # bytes as float32: 28,000 samples of 28×28×3, 170 clips of 64×64×96
BLOCK = 1 << 24  # bytes looked at in one piece by whoever goes through all rows


class Rows:
    """Rows (n, ...) float32 of a source: a slice or positions give the array, ``pick`` further Rows, nothing read.

    source: anything with ``shape``, ``dtype`` and rows by a slice or by positions (store.Column); at: positions in it.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, source: Any, at: np.ndarray | None = None, finite: np.ndarray | None = None) -> None:
        self._source = source
        self._at = np.arange(source.shape[0]) if at is None else at
        self.shape = (len(self._at), *source.shape[1:])
        if finite is not None:
            self.finite = finite

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return self._source[self._at[rows]].astype(np.float32, copy=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype)

    def pick(self, rows: np.ndarray) -> Rows:
        """These rows."""
        known = self.__dict__.get("finite")
        return Rows(self._source, self._at[rows], None if known is None else known[rows])

    @cached_property
    def finite(self) -> np.ndarray:
        """(n,) bool, whether a row holds numbers only; integers need no look."""
        if np.issubdtype(self._source.dtype, np.integer):
            return np.ones(len(self), bool)
        return np.concatenate([np.zeros(0, bool), *(_finite(block) for block in blocks(self))])


class Joined:
    """Several sources as one: their rows one behind the other, of one shape."""

    def __init__(self, sources: Sequence[Any]) -> None:
        shapes = {source.shape[1:] for source in sources}
        if len(shapes) > 1:
            raise ValueError(f"rows of {' and '.join(map(str, sorted(shapes)))} are not joined")
        self._sources = sources
        self._ends = np.cumsum([source.shape[0] for source in sources])
        self.shape = (int(self._ends[-1]), *sources[0].shape[1:])
        self.dtype = np.result_type(*(source.dtype for source in sources))

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        at = np.arange(self.shape[0])[rows]
        found, owner = np.empty((len(at), *self.shape[1:]), self.dtype), np.searchsorted(self._ends, at, side="right")
        for k, source in enumerate(self._sources):
            own = np.flatnonzero(owner == k)
            if len(own):
                found[own] = source[at[own] - (self._ends[k] - source.shape[0])]
        return found


Features = np.ndarray | Rows


def held(x: Features) -> Features:
    """The array itself where it is small (see WHOLE)."""
    return x[:] if isinstance(x, Rows) and size(x) <= WHOLE else x


def size(x: Features) -> int:
    """Bytes of the features as float32."""
    return 4 * int(np.prod(x.shape, dtype=np.int64))


def pick(x: Features, rows: np.ndarray) -> Features:
    """These rows, read where the features are held."""
    return x.pick(rows) if isinstance(x, Rows) else x[rows]


def joined(x: Features, other: Features) -> Features:
    """The rows of ``x``, then those of ``other``; read when asked for where either stays in its store."""
    if x.shape[1:] != other.shape[1:]:
        told = f"samples of {x.shape[1:]} and auxiliary ones of {other.shape[1:]}"
        raise BadInput(told, "make both by the same descriptor with the same options")
    lazy = isinstance(x, Rows) or isinstance(other, Rows)
    return Rows(Joined([x, other])) if lazy else np.concatenate([x, other])


def finite(x: Features) -> np.ndarray:
    """(n,) bool, whether a row holds numbers only."""
    return x.finite if isinstance(x, Rows) else _finite(x)


def blocks(x: Features) -> Iterator[np.ndarray]:
    """All rows in their order, some at a time."""
    step = max(1, BLOCK * max(1, len(x)) // max(1, size(x)))
    return (x[at : at + step] for at in range(0, len(x), step))


def spread(columns: int, most: int) -> np.ndarray:
    """Up to ``most`` positions, spread evenly over the columns."""
    return np.unique(np.linspace(0, columns, min(most, columns), endpoint=False).astype(int))


def vectors(x: np.ndarray) -> np.ndarray:
    """(n, D), one vector a row."""
    return x.reshape(len(x), int(np.prod(x.shape[1:], dtype=np.int64)))


def thinned(x: Features, most: int) -> np.ndarray:
    """(n, up to ``most``) evenly spread values of each row."""
    at = spread(int(np.prod(x.shape[1:], dtype=np.int64)), most)
    return np.concatenate([np.zeros((0, len(at)), np.float32), *(vectors(block)[:, at] for block in blocks(x))])


def _finite(x: np.ndarray) -> np.ndarray:
    return np.isfinite(x.reshape(len(x), -1)).all(1) if len(x) else np.ones(0, bool)
