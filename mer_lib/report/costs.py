"""What the stages cost: Snakemake's benchmark files, one a job, added up in the contract's columns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mer_lib.evaluation.leaderboard import ORACLE
from mer_lib.problems import note

STAGES = ("train", "predictions", "curves", "metrics", "saliency")  # of which an experiment has its own jobs
COLUMNS = ("stage", "experiment", "jobs", "seconds", "cpu_seconds", "peak_mb")


def costs(files: Iterable[tuple[str, str, str | Path]]) -> pd.DataFrame:
    """Jobs, seconds and seconds of the processor (summed over jobs) and peak memory (of the largest job, MB) by stage
    and experiment.

    ``files`` are (stage, experiment or "", path of a benchmark file), the stages in the order of the run. Memory and
    the processor's time are empty where every job was over before Snakemake measured it. A file that cannot be read is
    noted and left out.
    """
    rows = [(stage, experiment, *job) for stage, experiment, path in files for job in _jobs(Path(path))]
    jobs = pd.DataFrame(rows, columns=["stage", "experiment", "seconds", "cpu_seconds", "peak_mb"])
    grouped = jobs.groupby(["stage", "experiment"], sort=False)
    table = grouped.agg(jobs=("seconds", "size"), seconds=("seconds", "sum"), peak_mb=("peak_mb", "max"))
    table["cpu_seconds"] = grouped["cpu_seconds"].sum(min_count=1)
    return table.round({"seconds": 3, "cpu_seconds": 2, "peak_mb": 1}).reset_index()[list(COLUMNS)]


def of(table: pd.DataFrame, experiments: Iterable[str]) -> pd.DataFrame:
    """The rows of ``costs`` that belong to one of these experiments alone, and to its oracle."""
    return table[table["experiment"].str.removesuffix(ORACLE).isin(list(experiments))].reset_index(drop=True)


def _jobs(path: Path) -> list[tuple[float, float, float]]:
    """(seconds, the processor's, peak MB) of each run in a benchmark file; '-' or 'NA' was not measured."""
    try:
        table = pd.read_csv(path, sep="\t", na_values=["-", "NA"])[["s", "cpu_time", "max_rss"]].astype(float)
    except (OSError, KeyError, ValueError) as error:  # pandas' own errors are ValueErrors
        note(f"no benchmark: {' '.join(str(error).split())}", "its job is missing from the costs", file=path)
        return []
    return [(row.s, row.cpu_time, row.max_rss) for row in table.itertuples()]


def below(folder: str | Path) -> list[tuple[str, str, Path]]:
    """(stage, experiment, path) of the benchmark files of a run: {stage}.tsv, {stage}/…, and for stages that run once
    an experiment {stage}/{protocol}/{experiment}….
    """
    found = []
    for path in sorted(Path(folder).rglob("*.tsv")):
        stage, *rest = path.relative_to(folder).with_suffix("").parts
        experiment = rest[1] if stage in STAGES else ""
        found.append((stage, rest[0] if stage == "models" else experiment, path))
    return found
