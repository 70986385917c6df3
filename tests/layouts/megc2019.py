"""The data sets of the MEGC 2019 composite side by side: clips of the official list, and some that it leaves out."""

from __future__ import annotations

from pathlib import Path

from layouts import casme2, samm, smic

SETS = ("casme2", "smic", "samm")
BESIDE = [row for row in casme2.QUIRKS if row.name in ("EP12_01f", "EP09_05f", "EP07_37")]


def write(
    data: Path, *, subjects: int | None = 4, clips: int | None = 3, size: int = 0, sets: tuple[str, ...] = SETS
) -> Path:
    """data/casme2, data/smic and data/samm; subjects, clips, size: as in their own generators (None: all)."""
    if "casme2" in sets:
        casme2.write(data / "casme2", [*casme2.official_rows(subjects, clips), *BESIDE], size=size)
    if "smic" in sets:
        smic.write(data / "smic", subjects=subjects, clips=clips, size=size)
        for folder in (data / "smic").rglob("surprise/s18_sur_03"):  # where its own coders put it
            (folder.parent.parent / "negative").mkdir(exist_ok=True)
            folder.rename(folder.parent.parent / "negative" / folder.name)
    if "samm" in sets:
        samm.write(data / "samm", subjects=subjects, clips=clips, size=size)
    return data
