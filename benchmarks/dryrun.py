"""What planning costs: `snakemake -n all` for generated corpora of up to 100,000 clips, and how many jobs there are.

    python benchmarks/dryrun.py
    python benchmarks/dryrun.py --clips 1000 10000

Each corpus is a folder of short recordings, one a clip (links to one tiny video), and a sheet, 200 clips a subject, in
a copy of the checkout. Its index is put there first, as an earlier plan leaves it, but without opening the videos.
`cpu_seconds` is what the wall clock would show on an idle machine.
Last line: JSON of the largest corpus (clips, seconds, cpu_seconds, peak_mb, jobs, shards), all of them under `all`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mer_lib import params
from mer_lib.corpora import indexing
from mer_lib.ingest.writer import write_video

ROOT = Path(__file__).parent.parent
PARTS = ("Snakefile", "params.yaml", "mer_lib", "workflow", "profiles", "environment.yml")
CORPORA = [{"name": "large", "adapter": "folder"}]
EXPERIMENTS = ["bi_woof", "ststnet"]  # and the two baselines
LABELS = ("negative", "positive", "surprise")
EACH = 200  # clips a subject


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    given, found = parser.parse_args(), []
    print(f"{'clips':>8} {'shards':>7} {'jobs':>7} {'seconds':>8} {'cpu s':>7} {'peak MB':>8}")
    for clips in given.clips:
        with tempfile.TemporaryDirectory() as folder:
            found.append(plan(Path(folder), clips))
        print("{clips:8d} {shards:7d} {jobs:7d} {seconds:8.1f} {cpu_seconds:7.1f} {peak_mb:8.0f}".format(**found[-1]))
    print(json.dumps({"benchmark": "dryrun", **found[-1], "all": found}))


def plan(root: Path, clips: int) -> dict[str, float]:
    """Plan a corpus of so many clips in a copy of the checkout below ``root``."""
    for name in PARTS:
        path = ROOT / name
        shutil.copytree(path, root / name) if path.is_dir() else shutil.copy2(path, root / name)
    write_corpus(root / "data/large", clips)
    put_index(root)
    seconds, cpu, peak, jobs = dry_run(root)
    facts = {"clips": clips, "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), "peak_mb": round(peak)}
    return {**facts, "jobs": jobs["total"], "shards": jobs["faces_shard"]}


def write_corpus(folder: Path, clips: int) -> None:
    """A sheet of ``clips`` clips, each a recording of its own: 12 frames, onset, apex, offset and a label."""
    folder.mkdir(parents=True)
    pictures = [np.full((16, 16, 3), shade, np.uint8) for shade in np.linspace(0, 255, 12).astype(np.uint8)]
    write_video(folder / "a.avi", pictures, 200)
    rows = ["name,subject,onset,apex,offset,label"]
    for number in range(clips):
        subject = f"p{number // EACH:04d}"
        name = f"{subject}/c{number:06d}"
        if number % EACH == 0:
            (folder / subject).mkdir()
            shutil.copy2(folder / "a.avi", folder / subject / "one.avi")  # a file has a limited number of links
        os.link(folder / subject / "one.avi", folder / f"{name}.avi")
        rows.append(f"{name.split('/')[1]},{subject},1,5,10,{LABELS[number % 3]}")
    (folder / "clips.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def put_index(root: Path) -> None:
    """What the first plan of a corpus keeps of it (.mer/index), each video said to have 12 frames at 200 a second."""
    with contextlib.chdir(root):
        settings = params.load("params.yaml", {"corpora": CORPORA})
        (corpus,) = settings.all_corpora()
        known = lambda table, folder, **limits: table.assign(frames=12, fps=200.0)  # noqa: E731
        indexing.index(corpus, f"data/{corpus.name}", ".mer/index", known, **settings.ingest.model_dump())


def dry_run(root: Path) -> tuple[float, float, float, dict[str, int]]:
    """(seconds, seconds of the processor, peak MB, jobs by rule) of one dry run in a process of its own."""
    given = [f"corpora={json.dumps(CORPORA)}", f"experiments={json.dumps(EXPERIMENTS)}"]
    command = [sys.executable, "-m", "snakemake", "all", "-n", "--cores", "1", "--config", *given]
    with open(root / "plan.txt", "w+", encoding="utf-8") as told:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=root, stdout=told, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        told.seek(0)
        text = told.read()
    if status:
        raise SystemExit(f"the dry run of {root} failed:\n{text[-3000:]}")
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", text, flags=re.M)}
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, jobs


if __name__ == "__main__":
    main()
