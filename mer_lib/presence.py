"""Whether another run is at work in the same folder, told by a lock that the kernel drops when its process ends."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO


def announce(path: str | Path) -> tuple[IO[str] | None, bool]:
    """Be present as long as the returned file is open; and whether nobody else is.

    A run that was killed without warning leaves nothing behind here, unlike a lock file. On a file system without
    locks nobody can tell: (None, False).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "a", encoding="utf-8")  # noqa: SIM115 (the caller keeps it open)
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
