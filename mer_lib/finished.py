"""Finished pieces of a stage, kept where a stage that is started afresh finds them.

DVC deletes a stage's outputs before it starts the stage, and with them every shard and fold that a killed run had
finished. Where the environment variable ``MER_FINISHED`` names a folder (dvc.yaml sets it), each finished output is
hard-linked there under the digest of everything that made it, and taken from there instead of being made again. The
key covers parameters, code and the contents of the inputs, so what is found is what would be made. A link costs no disk
while the output itself stands, but shares its bytes: what has happened to them since is told by the digest that is kept
beside the link. dvc.yaml removes the folder when a stage is done.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mer_lib.provenance import file_digest
from mer_lib.whole import write_text

log = logging.getLogger(__name__)
VARIABLE = "MER_FINISHED"


@contextmanager
def once(key: str, *outputs: Path) -> Iterator[bool]:
    """``with once(key, out) as missing: if missing: make out`` — True where the outputs must be made.

    Outputs found under ``key`` are put in place; outputs made inside the block are kept under it afterwards.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        yield True
        return
    kept, told = [Path(folder, key, str(i)) for i in range(len(outputs))], Path(folder, key, "digest")
    if told.exists() and _as_kept(kept, told):
        for path, output in zip(kept, outputs, strict=True):
            _link(path, output)
        yield False
        return
    yield True
    told.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, output in zip(kept, outputs, strict=True):
        _link(output, path)
    write_text(file_digest(kept), told)


def _as_kept(kept: list[Path], told: Path) -> bool:
    """Whether the bytes are still those that were kept; the digest stands there only when all of them did."""
    if all(path.exists() for path in kept) and file_digest(kept) == told.read_text(encoding="utf-8"):
        return True
    log.warning("finished before, but other bytes than were kept; made anew: %s", told.parent)
    return False


def _link(source: Path, target: Path) -> None:
    """Hard link, or copy across file systems; in place only when whole."""
    if target.exists() and target.samefile(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.link")
    part.unlink(missing_ok=True)
    try:
        os.link(source, part)
    except OSError:
        shutil.copyfile(source, part)
    part.replace(target)
