"""What the machinery costs beside the work: runs that have nothing to do, and what a job spends before it begins.

    python benchmarks/overheads.py

In a copy of the checkout a small run is made by `dvc repro` (a minute or two). Then `snakemake all` and `dvc repro`
are called again, and each script is started up to its first useful line: Python, the job's frame and its imports.
Each figure is the best of a few repetitions, since other work on the machine only ever adds to it; the processor's time
stands beside each, which is what the wall clock would show were the machine idle.
Last line: JSON (noop_snakemake_s, noop_dvc_s, job_start_s, each with its _cpu_s; slowest_script, run_s, work_s).
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
EXPERIMENTS = {"bi_woof": "bi_woof", "ststnet": "ststnet"}
SMALL = {
    "synthetic": {"subjects": 3, "clips": 2, "size": 160, "fps": 80},
    "scans": {"people": 2, "shots": 1},
    "depth": {"epochs": 1},
    "shards": {"size": 3},
    "train": {"epochs": 12},
    "evaluation": {"resamples": 100},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="repetitions of each figure (default: %(default)s)")
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as folder:
        root = copy(Path(folder))
        run, _ = spent(root, "dvc", "repro", "--quiet")
        work = sum(pd.read_csv(file, sep="\t")["s"].sum() for file in root.glob("results/*/benchmarks/**/*.tsv"))
        found = {
            "noop_snakemake": best(repeat, spent, root, "snakemake", "all", "--cores", "2"),
            "noop_dvc": best(repeat, spent, root, "dvc", "repro", "--quiet"),
        }
        starts = {path.name: best(repeat, start, root, path) for path in scripts(root)}
    for name, (wall, cpu) in {**found, **starts}.items():
        print(f"{name:24s} {wall:6.2f} s, processor {cpu:6.2f} s")
    slowest = max(starts, key=lambda name: starts[name][1])
    told = {}
    for name, (wall, cpu) in {**found, "job_start": starts[slowest]}.items():
        told |= {f"{name}_s": round(wall, 2), f"{name}_cpu_s": round(cpu, 2)}
    share = {"run_s": round(run, 1), "work_s": round(work, 1)}
    print(json.dumps({"benchmark": "overheads", **told, "slowest_script": slowest, **share}))


def best(repeat: int, measure: Callable[..., tuple[float, float]], *arguments: object) -> tuple[float, float]:
    """The least wall time and the least processor time of a few repetitions."""
    walls, cpus = zip(*(measure(*arguments) for _ in range(repeat)), strict=True)
    return min(walls), min(cpus)


def copy(root: Path) -> Path:
    """What git hands over, with small settings, as a repository of its own."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((ROOT / name).read_bytes())
    settings = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    for name, changes in SMALL.items():
        settings[name] |= changes
    settings["experiments"] = EXPERIMENTS
    (root / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root


def spent(root: Path, *command: str | Path) -> tuple[float, float]:
    """Seconds by the wall clock and of the processor that a command takes in the copy, with the copy's library.

    Its output ends the benchmark where it fails.
    """
    given = {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=root, env=os.environ | given, capture_output=True, text=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def scripts(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("workflow/scripts/*.py") if not path.name.startswith("_"))


def start(root: Path, script: Path) -> tuple[float, float]:
    """The same of a fresh process until everything that a script imports is there."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    found = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    begin = f"import sys; sys.path.insert(0, {str(script.parent)!r}); "
    return spent(root, sys.executable, "-c", begin + "; ".join(found))


if __name__ == "__main__":
    main()
