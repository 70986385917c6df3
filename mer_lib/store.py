"""The array store: one HDF5 file a shard, written whole or not at all; the only file that knows HDF5.

A store holds, for each clip that survived a stage, named arrays whose first axis is the clip's own (frames, pairs, or
one row). Clips lie one behind the other in one dataset a name, so a row of any clip is one chunk away and a whole
column is one read. The header says what made it: corpus, stage, parameters, code and the digests of its inputs; the
recipe is their digest as planned before anything ran, and a reader that expects another recipe refuses the file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from mer_lib import finished
from mer_lib.problems import COLUMNS, BadInput, Problem, collect
from mer_lib.whole import replacing

log = logging.getLogger(__name__)
FORMAT = 1
_CHUNK_BYTES = 1 << 16
_MARGIN = 1 << 20  # bytes left free for what HDF5 writes beside the data


@dataclass(frozen=True)
class Header:
    """What made a store. ``recipe`` digests stage, parameters, code and the recipes above; ``inputs`` name contents."""

    stage: str
    corpus: str
    shard: str
    recipe: str
    params: dict[str, Any] = field(default_factory=dict)
    code: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def key(self) -> str:
        """The name of this very content: same key, same bytes."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:32]


def write_shard(
    path: str | Path, header: Header, rows: Iterable[Any], make: Callable[[Any], dict[str, np.ndarray]]
) -> list[Problem]:
    """Work through ``rows`` (named tuples of the clip table) and store what ``make`` returns for each.

    ``make(row)`` gives {name: array (n, ...)}, the same names, dtypes and trailing shapes for every clip of a store.
    A clip whose ``make`` raises BadInput is left out and kept as a problem in the file; the others go on. Returns the
    problems. Memory is that of one clip. The file appears under its name only when it is whole.
    """
    path = Path(path)
    with finished.once(header.key(), path) as missing:
        if missing:
            with replacing(path) as part:
                _need_room(part.parent)
                with h5py.File(part, "w", locking="best-effort") as file:
                    _fill(file, header, list(rows), make)
    with Store(path) as store:
        return store.problems


def join_shards(path: str | Path, shards: Iterable[str | Path], *, recipe: str) -> None:
    """One store of all clips of several, in their order, for readers that want everything; memory is that of a shard.

    ``recipe`` is what made each of them (another one is refused, BadInput), and stays the recipe of the whole. Their
    problems stay with them. The clips of a shard that lost all of its own are missing, as they are there.
    """
    path, shards, inputs = Path(path), list(shards), {}
    if not shards:
        raise BadInput("no shards to join", "name one at least", file=path)
    for shard in shards:  # one open at a time: there may be more shards than files a process may open
        with Store(shard, recipe) as store:
            inputs[store.header.shard] = store.digest
            header = store.header
    options = {"options": header.params.get("options", {})}
    header = replace(header, shard="all", params=options, inputs=inputs)
    with finished.once(header.key(), path) as missing:
        if missing:
            with replacing(path) as part, h5py.File(part, "w", locking="best-effort") as file:
                _join(file, header, shards)


def _join(file: h5py.File, header: Header, shards: list[str | Path]) -> None:
    content, kept, lengths = hashlib.sha256(), [], {}
    for shard in shards:
        _need_room(Path(file.filename).parent, Path(shard).stat().st_size)
        with Store(shard) as store:
            for name in store.names():
                _append(file, name, store.column(name))
                begins = lengths.setdefault(name, [0])
                begins.extend(begins[-1] + store.offsets(name)[1:])
            kept += store.clips
            content.update(store.digest.encode())
        file.flush()
    _seal(file, header, kept, lengths, [], content.hexdigest())


def _need_room(folder: Path, size: int = 0) -> None:
    """Raise OSError unless ``size`` bytes and some more fit: HDF5 crashes the process if the disk fills up under it."""
    if shutil.disk_usage(folder).free < size + _MARGIN:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _fill(file: h5py.File, header: Header, rows: list[Any], make: Callable[[Any], dict[str, np.ndarray]]) -> None:
    content, kept, lengths, problems = hashlib.sha256(), [], {}, []
    started = time.monotonic()
    for at, row in enumerate(rows, 1):
        with collect() as notes:
            try:
                arrays = make(row)
            except BadInput as error:
                problems.append(error.of_clip(row.clip, header.stage))
                log.error("%s", problems[-1])
                arrays = None
        problems.extend(_located(note, row.clip, header.stage) for note in notes)
        if arrays is None:
            continue
        file.flush()
        _need_room(Path(file.filename).parent, sum(array.nbytes for array in arrays.values()))
        for name, array in sorted(arrays.items()):
            _append(file, name, np.ascontiguousarray(array))
            lengths.setdefault(name, [0]).append(lengths.get(name, [0])[-1] + len(array))
            content.update(f"{row.clip}|{name}|{array.dtype.str}|{array.shape}|".encode())
            content.update(np.ascontiguousarray(array).data)
        kept.append(row.clip)
        log.info("%s: clip %d of %d, %.1f s", row.clip, at, len(rows), time.monotonic() - started)
    _seal(file, header, kept, lengths, problems, content.hexdigest())


def _seal(
    file: h5py.File,
    header: Header,
    kept: list[str],
    lengths: dict[str, list[int]],
    problems: list[Problem],
    digest: str,
) -> None:
    """What a store says of itself, written last."""
    for name, offsets in lengths.items():
        file.create_dataset(f"offsets/{name}", data=np.asarray(offsets, np.int64))
    file.create_dataset("clips", data=np.asarray(kept, dtype=object), dtype=h5py.string_dtype())
    file.attrs["format"] = FORMAT
    file.attrs["header"] = json.dumps(asdict(header), sort_keys=True)
    file.attrs["problems"] = json.dumps([p.row() for p in problems])
    file.attrs["digest"] = digest
    file.attrs["seal"] = _told(file)


def _told(file: h5py.File) -> str:
    """The digest of all that a store says of itself; the arrays' chunks have checksums of their own."""
    total = hashlib.sha256()
    for name in ("header", "problems", "digest"):
        total.update(f"{name}|{file.attrs[name]}|".encode())
    total.update("|".join(file["clips"].asstr()[:]).encode())
    for name in sorted(file.get("offsets", {})):
        total.update(f"|{name}|".encode() + file[f"offsets/{name}"][:].tobytes())
    return total.hexdigest()[:32]


def _located(note: Problem, clip: str, stage: str) -> Problem:
    return Problem(note.what, note.remedy, note.clip or clip, note.file, note.severity, stage)


def _append(file: h5py.File, name: str, array: np.ndarray) -> None:
    """Put the rows of one clip behind those already there; chunks of whole rows, each with its checksum."""
    where = f"data/{name}"
    if where not in file:
        row_bytes = max(1, array.itemsize * int(np.prod(array.shape[1:], dtype=np.int64)))
        chunk = (max(1, _CHUNK_BYTES // row_bytes), *array.shape[1:])
        file.create_dataset(
            where, shape=(0, *array.shape[1:]), maxshape=(None, *array.shape[1:]), dtype=array.dtype, chunks=chunk,
            compression="gzip", compression_opts=1, shuffle=True, fletcher32=True,  # LZF gives other bytes now and then
        )  # fmt: skip
    data = file[where]
    if data.shape[1:] != array.shape[1:] or data.dtype != array.dtype:
        raise ValueError(f"{name}: {array.dtype}{array.shape[1:]} does not fit {data.dtype}{data.shape[1:]}")
    data.resize(len(data) + len(array), axis=0)
    if len(array):
        data[len(data) - len(array) :] = array


def problems_told(
    index: str | Path, stores: Iterable[str | Path], media: Callable[[pd.Series], pd.Series]
) -> tuple[pd.DataFrame, int | None]:
    """What went wrong with a corpus: the rows of its problems.csv, and how many clips its features still hold; None
    where ``stores`` are of other stages.

    ``index`` is the table of its sheet's problems; ``media`` gives clips their files, which a stage below the media
    does not know.
    """
    rows, left = [pd.read_csv(index, dtype=str, keep_default_na=False)], None
    for path in stores:
        with Store(path) as store:
            rows.append(pd.DataFrame([problem.row() for problem in store.problems], columns=COLUMNS))
            if store.header.stage == "features":
                left = (left or 0) + len(store.clips)
    found = pd.concat(rows, ignore_index=True).drop_duplicates()
    unnamed = found["file"] == ""
    found.loc[unnamed, "file"] = media(found.loc[unnamed, "clip"]).fillna("")
    return found, left


class Store:
    """A store opened for reading. Open it where it is read, never before a fork.

    ``recipe``: what the reader expects to have made it; another one is refused (BadInput), as is a broken file.
    """

    def __init__(self, path: str | Path, recipe: str | None = None) -> None:
        self.path = Path(path)
        try:
            self._file = h5py.File(self.path, "r", locking="best-effort")
            attrs = dict(self._file.attrs)
            self.header = Header(**json.loads(attrs["header"]))
            self.digest: str = attrs["digest"]
            self.problems = [Problem(**row) for row in json.loads(attrs["problems"])]
            self.clips: list[str] = [c.decode() for c in self._file["clips"][:]]
            if _told(self._file) != attrs["seal"]:
                raise ValueError("its header is not the one that was written")
        except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
            raise BadInput(f"no whole store ({error})", "delete it and run again", file=self.path) from None
        if recipe is not None and self.header.recipe != recipe:
            self.close()
            raise BadInput(
                f"was made by other parameters or code (recipe {self.header.recipe}, expected {recipe})",
                "delete it and run again",
                file=self.path,
            )
        self._at = {clip: i for i, clip in enumerate(self.clips)}

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __contains__(self, clip: str) -> bool:
        return clip in self._at

    def close(self) -> None:
        """Close the file; arrays that were read stay valid."""
        self._file.close()

    def names(self) -> list[str]:
        """The names of the arrays; none in a store that lost every clip."""
        return sorted(self._file["data"]) if "data" in self._file else []

    def read(self, clip: str, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Rows ``start`` to ``stop`` of a clip's array (all by default)."""
        begin, end = self.span(clip, name)
        stop = end if stop is None else min(end, begin + stop)
        return self._rows(name, begin + start, stop)

    def span(self, clip: str, name: str) -> tuple[int, int]:
        """Where a clip's rows begin in ``column(name)``, and where they end."""
        if clip not in self._at:
            raise BadInput("is not in the store", "see problems.csv for why it was lost", file=self.path, clip=clip)
        begin, end = self._file[f"offsets/{name}"][self._at[clip] : self._at[clip] + 2]
        return int(begin), int(end)

    def offsets(self, name: str) -> np.ndarray:
        """(clips + 1,) int64: where each clip's rows begin in ``column(name)``, and where the last one's end."""
        return self._file[f"offsets/{name}"][:]

    def column(self, name: str) -> np.ndarray:
        """The array of all clips, one behind the other: (sum of rows, ...)."""
        return self._rows(name, 0, None)

    def stored(self, name: str) -> Column:
        """The array of all clips as it lies on the disk; the store must stay open as long as it is read."""
        return Column(self, name)

    def _rows(self, name: str, start: int, stop: int | None) -> np.ndarray:
        try:
            return self._file[f"data/{name}"][start:stop]
        except OSError as error:
            raise BadInput(f"broken bytes in '{name}' ({error})", "delete it and run again", file=self.path) from None


class Column:
    """``Store.column`` that is not read yet: ``shape``, ``dtype``, and its rows by a slice or by positions (n,)."""

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name
        data = store._file[f"data/{name}"]
        self.shape, self.dtype = data.shape, data.dtype

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        at = np.arange(self.shape[0])[rows]
        found = np.empty((len(at), *self.shape[1:]), self.dtype)
        order = np.argsort(at, kind="stable")
        for run in np.split(order, np.flatnonzero(np.diff(at[order]) != 1) + 1):  # neighbours in one read
            if len(run):
                found[run] = self._store._rows(self._name, at[run[0]], at[run[-1]] + 1)
        return found
