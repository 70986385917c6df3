"""Whether a run is at work in the same folder, told by a lock that the kernel drops when its process ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def announce(path: str | Path) -> tuple[IO[str] | None, bool]:
    """Be present as long as the returned file is open; and whether nobody else is.

    Waits while somebody is :func:`alone`. A run that was killed without warning leaves nothing behind here, unlike a
    lock file. On a file system without locks nobody can tell: (None, False).
    """
    file = _opened(path)  # the caller keeps it open
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            alone = False
        fcntl.flock(file, fcntl.LOCK_SH)
    except OSError:
        file.close()
        return None, False
    return file, alone


@contextmanager
def alone(path: str | Path) -> Iterator[bool]:
    """Whether nobody is present; then nobody comes until the end. Without locks nobody can tell: True."""
    with _opened(path) as file:
        yield _locked(file)


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _opened(path: str | Path) -> IO[str]:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path, "a", encoding="utf-8")
