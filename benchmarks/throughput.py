"""Clips a second and core of each stage of a finished run, and what 10^5 and 10^7 clips would take on many cores.

    python benchmarks/throughput.py
    python benchmarks/throughput.py results/casme2

Read from the run's own measurements (benchmarks/*.tsv), whole jobs, so their start is in it. Projected is the staircase
up to the features, whose work is that of each clip for itself. Training is told as tested clips a second (each clip
once a seed, by a network trained without its subject): for that many clips and subjects, see docs/scale.md.
Last line: JSON (clips, clips_per_core_s by stage, tested_per_core_s by experiment, hours by number of clips and cores).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

STAGES = ("faces", "registered", "apex", "motion", "features")
CLIPS, CORES = (10**5, 10**7), (1, 16, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results/synthetic"), help="of one corpus")
    results = parser.parse_args().results
    if not (results / "clips.csv").exists():
        raise SystemExit(f"error: {results} holds no run: snakemake --cores 8 all")
    clips = len(pd.read_csv(results / "clips.csv"))
    spent = {stage: seconds(results / "benchmarks" / stage) for stage in STAGES}
    spent = {stage: took for stage, took in spent.items() if took > 0}
    rates = {stage: round(clips / took, 3) for stage, took in spent.items()}
    for stage, rate in rates.items():
        print(f"{stage:12s} {rate:8.2f} clips a second and core")
    tested = {path.name: tested_rate(results, path) for path in sorted(results.glob("benchmarks/train/*/*"))}
    for experiment, rate in tested.items():
        print(f"train, {experiment:24s} {rate:8.2f} tested clips a second and core")
    each = sum(spent.values()) / clips
    hours = {f"{many:.0e}": {cores: round(many * each / cores / 3600, 1) for cores in CORES} for many in CLIPS}
    for many, by_cores in hours.items():
        print(f"{many} clips:", ", ".join(f"{took} h on {cores} cores" for cores, took in by_cores.items()))
    rates = {"clips_per_core_s": rates, "tested_per_core_s": tested}
    print(json.dumps({"benchmark": "throughput", "clips": clips, **rates, "hours": hours}))


def tested_rate(results: Path, folder: Path) -> float:
    """Predictions of an experiment under a protocol over the seconds that its training took."""
    predictions = pd.read_csv(results / "predictions" / folder.parent.name / f"{folder.name}.csv")
    return round(len(predictions) / seconds(folder), 3)


def seconds(folder: Path) -> float:
    """Wall time of all jobs of a stage; each runs on one core."""
    return sum(pd.read_csv(file, sep="\t")["s"].sum() for file in folder.glob("**/*.tsv"))


if __name__ == "__main__":
    main()
