"""DVC over the workflow: the same bytes as Snakemake alone, nothing done twice, and a killed stage taken up again."""

import os
import re
import shutil
import signal
import time
from contextlib import contextmanager

import pytest
from running import Project

pytestmark = pytest.mark.slow

STAGES = [
    "faces", "depth", "registered", "motion", "views", "auxiliary", "features", "attention", "train", "evaluate",
    "report",
]  # fmt: skip
KEPT = ".mer/finished"
EXPERIMENTS = ("baseline_linear", "baseline_rbf", "bi_woof", "ststnet")
METRICS = ["results/depth/metrics.json", *(f"results/synthetic/metrics/loso/{name}.json" for name in EXPERIMENTS)]


def git(project: Project, *command: str) -> None:
    done = project.run("git", "-c", "user.name=test", "-c", "user.email=test@example.org", *command)
    assert done.rc == 0, done.output


@pytest.fixture(scope="module")
def versioned(fresh) -> Project:
    """A checkout with its history, after its first `dvc repro`."""
    project = fresh()
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "a checkout")
    done = project.run("dvc", "repro")
    assert done.rc == 0, done.output
    return project


def ran(output: str) -> list[str]:
    """The stages that a `dvc repro` ran, in their order."""
    return [line.split("'")[1].split("@")[0] for line in output.splitlines() if line.startswith("Running stage")]


def promised(project: Project) -> dict[str, str]:
    """Digests of everything that the contract promises to the byte."""
    tables = ("clips.csv", "apex.csv", "problems.csv", "leaderboard.csv")
    folders = (
        "faces",
        "depth",
        "multiview/views",
        "registered",
        "motion",
        "features",
        "folds",
        "predictions",
        "curves",
        "models",
        "metrics",
    )
    found = project.digests("data/synthetic", *(f"results/synthetic/{name}" for name in folders))
    return found | {name: (project.root / "results/synthetic" / name).read_text() for name in tables}


def test_the_same_bytes_as_snakemake_alone(versioned, mini):
    assert promised(versioned) == promised(mini)


def test_a_second_repro_does_nothing(versioned):
    before = promised(versioned)
    done = versioned.run("dvc", "repro")
    assert done.rc == 0 and ran(done.output) == []
    assert "Data and pipelines are up to date." in done.output
    assert promised(versioned) == before


def test_snakemake_agrees_that_all_is_done(versioned):
    assert versioned.planned() == []


def test_what_bytecode_and_caches_leave_is_no_dependency(versioned):
    for folder in ("mer_lib/learning", "mer_lib/render"):
        (versioned.root / folder / "__pycache__").mkdir(exist_ok=True)
        (versioned.root / folder / "__pycache__/left.cpython-311.pyc").write_bytes(b"anything")
    done = versioned.run("dvc", "status")
    assert "up to date" in done.output, done.output


def test_metrics_and_plots_are_shown(versioned):
    done = versioned.run("dvc", "metrics", "show")
    assert done.rc == 0, done.output
    shown = [line.split()[0] for line in done.lines if line.startswith("results/")]
    assert shown == METRICS
    assert "uf1" in done.output and "leaderboard" not in done.output
    done = versioned.run("dvc", "plots", "show")
    assert done.rc == 0, done.output
    page = (versioned.root / "dvc_plots/index.html").read_text(encoding="utf-8")
    assert "bi_woof" in page and "ststnet training" in page and '"predicted"' in page


def test_git_holds_the_small_and_dvc_the_large(versioned):
    git(versioned, "add", ".")
    done = versioned.run("git", "diff", "--cached", "--name-only")
    tables = {f"results/synthetic/{name}.csv" for name in ("leaderboard", "comparisons")}
    assert set(done.lines) == {"dvc.lock", *tables, *METRICS}
    git(versioned, "reset", "--quiet")


@contextmanager
def settings(project: Project, **changes):
    """Other values in params.yaml, as long as the block lasts."""
    file = project.root / "params.yaml"
    before = file.read_text(encoding="utf-8")
    project.settings(**changes)
    try:
        yield
    finally:
        file.write_text(before, encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"faces": {"margin": 0.35}}, "faces"),
        ({"descriptors": {"bi_woof": {"blocks": 6}}}, "motion"),  # which pairs are read is a descriptor's to say
        ({"seeds": [0]}, "attention"),  # its network is trained from the first of them
        ({"report": {"examples": 1}}, "views"),  # it names the clips that are shown from the sides
    ],
    ids=["faces", "descriptors", "seeds", "report"],
)
def test_a_parameter_concerns_the_stages_from_there_on(versioned, changes, first):
    """Stages above keep their results; `dvc status` names those below that list the parameter themselves."""
    with settings(versioned, **changes):
        done = versioned.run("dvc", "status")
    named = {line.split("@")[0].removesuffix(":") for line in done.lines if line and not line[0].isspace()}
    assert first in named
    assert named <= set(STAGES[STAGES.index(first) :])


def test_a_changed_parameter_runs_its_stages_only(versioned):
    with settings(versioned, evaluation={"resamples": 150}):
        done = versioned.run("dvc", "repro")
        assert done.rc == 0, done.output
        assert ran(done.output) == ["evaluate", "report"]
        assert versioned.planned() == []
        assert versioned.run("dvc", "repro").output.count("Running stage") == 0


def kill_once_kept(project: Project, *command: str, wanted: int) -> None:
    """Start a command and kill its whole group without warning when ``wanted`` pieces are kept."""
    kept = project.root / KEPT
    with project.start(*command, start_new_session=True) as process:
        try:
            deadline = time.monotonic() + 240
            while len(list(kept.glob("*"))) < wanted:
                assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
                time.sleep(0.02)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def worked(project: Project, logs: str) -> list[str]:
    """The log files of a stage in which something was made and not merely taken up."""
    found = sorted((project.root / "logs/synthetic" / logs).rglob("*.log"))
    made = re.compile(r" INFO (\S+: clip|fold) ")
    return [str(log.relative_to(project.root)) for log in found if made.search(log.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    ("stage", "jobs", "wanted"),
    [("train", 8, 1), ("faces", 2, 1), ("render", 3, 4)],  # of a subject first the videos are kept, then the truth
)
def test_a_killed_stage_takes_up_what_was_finished(versioned, stage, jobs, wanted):
    """DVC has deleted the stage's outputs when the second run begins; its finished pieces come back unmade."""
    before = promised(versioned)
    name = stage if stage == "render" else f"{stage}@synthetic"
    kill_once_kept(versioned, "dvc", "repro", "--single-item", "--force", name, wanted=wanted)
    assert versioned.run("snakemake", "--unlock").rc == 0  # a killed run leaves its lock, which keeps a second one out
    shutil.rmtree(versioned.root / "logs/synthetic" / stage)
    done = versioned.run("dvc", "repro", "--single-item", "--force", name)
    assert done.rc == 0, done.output
    assert promised(versioned) == before
    assert not (versioned.root / KEPT).exists()
    assert len(worked(versioned, stage)) < jobs


def test_a_clone_with_what_was_pulled_has_nothing_to_do(versioned, tmp_path):
    """As docs/dvc.md says: push, clone, pull, one line for Snakemake."""
    done = versioned.run("dvc", "repro")
    assert done.rc == 0, done.output
    assert versioned.run("dvc", "remote", "add", "--default", "lab", tmp_path / "remote").rc == 0
    git(versioned, "add", ".")
    git(versioned, "commit", "--quiet", "-m", "results")
    assert versioned.run("dvc", "push").rc == 0
    git(versioned, "clone", "--quiet", ".", tmp_path / "clone")
    clone = Project(tmp_path / "clone")
    done = clone.run("dvc", "pull")
    assert done.rc == 0, done.output
    assert promised(clone) == promised(versioned)
    assert ran(clone.run("dvc", "repro").output) == []
    done = clone.snakemake("all", "--touch", "--forceall", cores=1)
    assert done.rc == 0, done.output
    assert clone.planned() == []
    assert {job.rule for job in clone.planned(evaluation={"resamples": 300})} >= {"metrics", "leaderboard"}
