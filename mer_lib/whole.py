"""Files that appear whole or not at all: written under a hidden name beside their place, then renamed into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """The path to write to; it takes its place when the block ends well and is removed when it does not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(text: str, path: str | Path) -> None:
    """UTF-8 text."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_csv(rows: pd.DataFrame, path: str | Path) -> None:
    """A table without its index, lines ended alike on every system."""
    with replacing(path) as part:
        rows.to_csv(part, index=False, lineterminator="\n")
