"""A clean copy of the project and the commands that run in it, the way a user runs them."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from mer_lib.provenance import files_below

BIN = Path(sys.executable).parent
# The smallest run that still has two shards, two groups of folds and two seeds; without the larger networks.
MINI = {
    "experiments": {"bi_woof": "bi_woof", "ststnet": "ststnet"},
    "synthetic": {"subjects": 3, "clips": 2, "size": 160, "fps": 80},
    "scans": {"people": 2, "shots": 1},
    "depth": {"epochs": 1},
    "shards": {"size": 3},
    "folds_per_job": 2,
    "seeds": [0, 1],
    "train": {"epochs": 12},
    "evaluation": {"resamples": 100},
    "report": {"examples": 2},
}
PROMISED = (
    "data/synthetic",
    *(f"results/depth/{name}" for name in ("shots", "model.safetensors", "metrics.json", "curve.csv", "problems.csv")),
    *(f"results/synthetic/{name}" for name in (
        "clips.csv", "faces", "depth", "multiview/views", "registered", "apex.csv", "motion", "features",
        "problems.csv", "folds", "predictions", "curves", "models", "metrics", "leaderboard.csv", "comparisons.csv",
    )),
)  # fmt: skip
TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and all it printed."""

    rc: int
    output: str

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()


@dataclass(frozen=True)
class Job:
    """One job of a dry run."""

    rule: str
    input: tuple[str, ...]
    output: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Project:
    """A copy of the checkout and the commands that run in it."""

    root: Path

    def start(self, *command: str, **options) -> subprocess.Popen:
        """Start a command of the environment that runs the tests, in the copy, with the copy's library."""
        environment = {**os.environ, "PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1"}
        environment["PATH"] = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
        environment |= options.pop("env", {})
        program = BIN / command[0] if (BIN / command[0]).exists() else command[0]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(
            [program, *map(str, command[1:])], cwd=self.root, env=environment, text=True, **(streams | options)
        )

    def run(self, *command: str, timeout: float = 1500, **options) -> Done:
        with self.start(*command, **options) as process:
            try:
                output, _ = process.communicate(timeout=timeout)
            finally:
                process.kill()
        return Done(process.returncode, output)

    def snakemake(self, *arguments: str, cores: int = 2, **config) -> Done:
        """Run Snakemake; ``config`` is what stands behind --config."""
        given = [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in config.items()]
        named = ["--config", *given] if given else []
        return self.run("snakemake", *arguments, "--cores", str(cores), *named)

    def git(self, *command: str) -> Done:
        done = self.run("git", "-c", "user.name=test", "-c", "user.email=test@example.org", *command)
        assert done.rc == 0, done.output
        return done

    def dvc(self, *command: str) -> Done:
        done = self.run("dvc", *command)
        assert done.rc == 0, done.output
        return done

    def planned(self, *targets: str, **config) -> list[Job]:
        """The jobs that Snakemake would run."""
        done = self.snakemake(*(targets or ("all",)), "-n", **config)
        assert done.rc == 0, done.output
        return jobs(done.output)

    def settings(self, **changes) -> None:
        """Write values into the copy's params.yaml; experiments and baselines whole, of other blocks what is given."""
        file = self.root / "params.yaml"
        given = yaml.safe_load(file.read_text(encoding="utf-8"))
        for name, value in changes.items():
            whole = name in ("experiments", "baselines") or not isinstance(value, dict)
            given[name] = value if whole else {**given[name], **value}
        file.write_text(yaml.safe_dump(given, sort_keys=False), encoding="utf-8")

    @contextmanager
    def edited(self, path: str, added: str = "\n# a remark\n"):
        """A file of the copy with something behind its end, as long as the block lasts."""
        file = self.root / path
        before = file.read_text(encoding="utf-8")
        file.write_text(before + added, encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(before, encoding="utf-8")

    def digests(self, *paths: str) -> dict[str, str]:
        """sha256 of those files that are there, and of all below folders, by path; without Snakemake's marks."""
        found = [file for path in paths if (self.root / path).exists() for file in files_below(self.root / path)]
        named = {str(f.relative_to(self.root)): f for f in found if not f.name.startswith(".snakemake")}
        return {name: hashlib.sha256(f.read_bytes()).hexdigest() for name, f in named.items()}

    def promised(self) -> dict[str, str]:
        """Digests of everything that the contract promises to the byte."""
        return self.digests(*PROMISED)


def ran(output: str) -> list[str]:
    """The stages that a `dvc repro` ran, in their order."""
    return [line.split("'")[1].split("@")[0] for line in output.splitlines() if line.startswith("Running stage")]


def jobs(output: str) -> list[Job]:
    """The jobs of a dry run's output; none where nothing is to be done. Rules that only gather files are left out."""
    found = []
    for block in re.split(r"\n(?=\[\w{3} \w{3} +\d+ [\d:]{8} \d{4}\]\n)", output)[1:]:
        rule = re.search(r"^(?:local)?rule (\w+):$", block, flags=re.M)
        told = dict(re.findall(r"^    (input|output|reason): (.*)$", block, flags=re.M))
        if rule and told.get("output"):
            files = (tuple(told.get(name, "").split(", ")) for name in ("input", "output"))
            found.append(Job(rule[1], *files, told.get("reason", "")))
    return found


def count(found: list[Job]) -> Counter:
    """Jobs by rule."""
    return Counter(job.rule for job in found)


def copy_project(repository: Path, target: Path) -> Project:
    """What git would hand over, the files that are not yet committed included; no environment, no results."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=repository, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (repository / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, target / name)
    return Project(target)


def duplicate(project: Project, target: Path) -> Project:
    """The project with its results and all file times, to be spoiled; links stay links."""
    shutil.copytree(project.root, target, symlinks=True, dirs_exist_ok=True)
    return Project(target)


def clone(project: Project, target: Path, *, links: str = "copy") -> Project:
    """What somebody else gets of a project that was committed and pushed: git clone, dvc pull and the run cache."""
    project.git("clone", "--quiet", ".", str(target))
    cloned = Project(target)
    cloned.dvc("config", "cache.type", links)
    cloned.dvc("pull", "--run-cache")
    return cloned


@contextmanager
def mounted(folder, *options: str):
    """A small file system of its own on ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with mounting(folder, ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder]):
        yield


@contextmanager
def mounting(folder, *commands: list):
    """What the commands mount on ``folder``, as long as the block lasts; where they may not, the test is skipped."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    for command in commands:
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"nothing can be mounted here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)
