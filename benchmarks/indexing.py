"""How fast a data set of many frames is indexed, and in how much memory, beside asking every file for size and time.

Example: python benchmarks/indexing.py --files 200000
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import xlsxwriter

HEADER = ("Subject", "Filename", "", "OnsetFrame", "ApexFrame", "OffsetFrame", "", "Action Units", "Estimated Emotion")
STEPS = ("stat", "listing", "index", "again")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=200_000, help="frames in all (default: %(default)s)")
    parser.add_argument("--clips", type=int, nargs="+", default=[255, 2], help="folders that share them, a row each")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)  # one step in a process of its own
    parser.add_argument("--root", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(_step(given.step, Path(given.root))))
        return
    rows = []
    for clips in given.clips:
        with tempfile.TemporaryDirectory() as folder:
            print(f"writing {given.files} files in {clips} folders …", file=sys.stderr)
            root = Path(folder, "data")
            _write(root, given.files, clips)
            for step in STEPS:
                print(f"  {step} …", file=sys.stderr)
                rows.append({"folders": clips, "step": step, **_apart(step, root)})
    _report(rows, given.files)


def _write(root: Path, files: int, clips: int) -> None:
    """CASME II's layout: each folder's first frame is a picture, the others are empty files of the right name."""
    root.mkdir()
    picture = cv2.imencode(".jpg", np.full((48, 64, 3), 128, np.uint8))[1].tobytes()
    book = xlsxwriter.Workbook(str(root / "CASME2-coding-20140508.xlsx"))
    page = book.add_worksheet()
    page.write_row(0, 0, HEADER)
    each = files // clips
    for clip in range(clips):
        subject, name = f"{clip % 26 + 1:02d}", f"EP{clip:03d}_01f"
        folder = root / "CASME2_RAW_selected" / f"sub{subject}" / name
        folder.mkdir(parents=True)
        for number in range(1, each + 1):
            (folder / f"img{number}.jpg").touch()
        (folder / "img1.jpg").write_bytes(picture)
        page.write_row(clip + 1, 0, (subject, name, None, 10, 30, 50, None, "4+L10", "disgust"))
    book.close()


def _apart(step: str, root: Path) -> dict:
    """The step in a fresh process, so that its memory is its own."""
    command = [sys.executable, __file__, "--step", step, "--root", str(root)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _step(step: str, root: Path) -> dict:
    work = {"stat": _stat, "listing": _listing, "index": _index, "again": _index}[step](root)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "peak_mb": peak / 1024, "added_mb": (peak - before) / 1024}


def _stat(root: Path) -> Callable[[], object]:
    """The peer: path, size and time of every file, in order."""

    def work() -> list[tuple[str, int, int]]:
        found = []
        for folder, _, files in os.walk(root):
            for name in sorted(files):
                path = os.path.join(folder, name)
                told = os.stat(path)
                found.append((path, told.st_size, told.st_mtime_ns))
        return found

    return work


def _listing(root: Path) -> Callable[[], object]:
    from mer_lib.corpora import indexing

    return lambda: list(indexing._listing(str(root)))


def _index(root: Path) -> Callable[[], object]:
    """All of it as the pipeline does: the listing, the sheet, the frames' numbers, the media; kept the second time."""
    from mer_lib.corpora import casme2, indexing  # noqa: F401 - imported before the clock starts
    from mer_lib.ingest.measure import measure
    from mer_lib.params import Corpus

    options = {"sheet": "", "frames": "", "scheme": "megc2019"}
    corpus = Corpus(name="casme2", adapter="casme2", classes=("negative", "positive", "surprise"), options=options)
    return lambda: indexing.index(corpus, str(root), root.parent / "cache", measure, max_frames=1000)


def _report(rows: list[dict], files: int) -> None:
    print(f"{'folders':>8} {'step':>8} {'seconds':>8} {'files/s':>10} {'peak MB':>8} {'added MB':>9} {'of stat':>8}")
    for row in rows:
        peer = next(r["seconds"] for r in rows if r["folders"] == row["folders"] and r["step"] == "stat")
        row |= {"files_per_s": files / row["seconds"], "ratio_to_stat": row["seconds"] / peer}
        print(
            f"{row['folders']:8d} {row['step']:>8} {row['seconds']:8.2f} {row['files_per_s']:10.0f} "
            f"{row['peak_mb']:8.0f} {row['added_mb']:9.1f} {row['ratio_to_stat']:8.2f}"
        )
    figures = {key: [row[key] for row in rows] for key in ("folders", "step", "seconds", "files_per_s", "peak_mb")}
    print(json.dumps({"benchmark": "indexing", "files": files, **figures}))


if __name__ == "__main__":
    main()
