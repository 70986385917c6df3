"""Whether memory grows with the number of clips where all of them meet: joining shards, and what training first reads.

    python benchmarks/memory.py

Simulated: one shard of features (64 clips of 28×28×3 float32, random numbers) is written as often as there are shards,
each time with clips of other names. The join and the look of training at all samples run in processes of their own.
Last line: JSON (clips, join_mb, learn_mb: peak memory by number of clips).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pandas as pd

from mer_lib.learning.rows import Rows
from mer_lib.learning.samples import finite
from mer_lib.store import Header, Store, join_shards, write_shard

SIZE = 64  # clips a shard
RECIPE = "simulated"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[100, 1_000, 10_000, 50_000])
    parser.add_argument("--step", choices=("join", "learn"), help=argparse.SUPPRESS)  # in a process of its own
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        {"join": join, "learn": learn}[given.step](given.root)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    found = {"clips": given.clips, "join_mb": [], "learn_mb": []}
    print(f"{'clips':>8} {'join MB':>8} {'learn MB':>9}")
    for clips in given.clips:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), clips)
            peaks = [apart(step, folder) for step in ("join", "learn")]
        print(f"{clips:8d} {peaks[0]:8.0f} {peaks[1]:9.0f}")
        for name, peak in zip(("join_mb", "learn_mb"), peaks, strict=True):
            found[name].append(round(peak))
    print(json.dumps({"benchmark": "memory", **found}))


def apart(step: str, folder: str) -> float:
    """Peak memory in MB of a step."""
    command = [sys.executable, __file__, "--step", step, "--root", folder]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def write(root: Path, clips: int) -> None:
    """The shards of so many clips."""
    row, draw = namedtuple("Row", "clip"), np.random.default_rng(0)
    for number, at in enumerate(range(0, clips, SIZE)):
        rows = [row(f"d/s{i // 200:04d}/c{i:06d}") for i in range(at, min(at + SIZE, clips))]
        header = Header("features", "d", f"{number:04d}", RECIPE)
        picture = lambda row: {"x": draw.standard_normal((1, 3, 28, 28), dtype=np.float32)}  # noqa: E731
        write_shard(root / f"{number:04d}.h5", header, rows, picture)


def join(root: Path) -> None:
    join_shards(root / "joined.h5", sorted(root.glob("[0-9]*.h5")), recipe=RECIPE)


def learn(root: Path) -> None:
    """What every training job does before it fits: the samples of the joined store, looked through once."""
    store = Store(root / "joined.h5")
    subjects = [clip.rpartition("/")[0] for clip in store.clips]
    table = pd.DataFrame({"clip": store.clips, "dataset": "d", "subject": subjects, "yaw": 0})
    samples = finite(Rows(store.stored("x")), table.assign(label=np.resize(["negative", "positive"], len(table))))
    print(samples.scaling, file=sys.stderr)


if __name__ == "__main__":
    main()
