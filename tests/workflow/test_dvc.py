"""DVC over the workflow: the same bytes as Snakemake alone, nothing done twice, and a killed stage taken up again."""

import os
import re
import shutil
import signal
import time
from contextlib import contextmanager

import pytest
from running import Project, clone, duplicate, ran

from mer_lib.evaluation import yaw
from mer_lib.whole import write_csv

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # on a machine with other work

STAGES = [
    "faces", "depth", "registered", "motion", "views", "auxiliary", "features", "attention", "train", "evaluate",
    "report",
]  # fmt: skip
KEPT = ".mer/finished"
EXPERIMENTS = ("baseline_linear", "baseline_rbf", "bi_woof", "ststnet")
METRICS = ["results/depth/metrics.json", *(f"results/synthetic/metrics/loso/{name}.json" for name in EXPERIMENTS)]


@pytest.fixture(scope="module")
def versioned(published, tmp_path_factory) -> Project:
    """A checkout with its history and results, to be worked in."""
    return duplicate(published, tmp_path_factory.mktemp("versioned"))


def test_the_same_bytes_as_snakemake_alone(versioned, mini):
    assert versioned.promised() == mini.promised()


def test_a_second_repro_does_nothing(versioned):
    before = versioned.promised()
    done = versioned.run("dvc", "repro")
    assert done.rc == 0 and ran(done.output) == []
    assert "Data and pipelines are up to date." in done.output
    assert versioned.promised() == before


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


def test_an_experiment_is_compared_with_the_last_commit(published, tmp_path):
    """`dvc exp run` with another recipe, as docs/dvc.md says: what differs, in parameters, figures and plots.

    In a copy of its own: Snakemake remembers the experiment, and would make again what DVC has put back.
    """
    versioned = duplicate(published, tmp_path / "experiment")
    before = versioned.promised()
    done = versioned.dvc("exp", "run", "-n", "short", "-S", "train.lr=0.002", "-S", "train.epochs=3")
    assert ran(done.output) == ["attention", "train", "evaluate", "report"]
    told = [line.split() for line in versioned.dvc("params", "diff").lines]
    assert ["params.yaml", "train.epochs", "12", "3"] in told and "train.lr" in [line[1] for line in told if line[1:]]
    moved = {tuple(line.split()[:2]) for line in versioned.dvc("metrics", "diff").lines}
    assert (METRICS[-1], "calibration.ece") in moved or (METRICS[-1], "uf1") in moved, moved
    assert not any("bi_woof" in path for path, *_ in moved), "no network, so no business of its own"
    curve = versioned.root / "results/synthetic/yaw/loso_views/svm_views.csv"
    views = {
        yaw: {"uf1": 0.5, "uar": 0.5, "accuracy": 0.5, "intervals": {"uf1": [0, 1], "uar": [0, 1]}} for yaw in "09"
    }
    write_csv(yaw.curve({"by_yaw": views}), curve)
    versioned.dvc("plots", "diff", "HEAD", "workspace")
    page = (versioned.root / "dvc_plots/index.html").read_text(encoding="utf-8")
    for title in ("ststnet", "ststnet training", "UF1 over yaw"):
        assert f'"{title}"' in page, title
    assert '"rev": "HEAD"' in page and '"rev": "workspace"' in page
    assert "short" in versioned.dvc("exp", "list").output
    curve.unlink()
    versioned.git("checkout", "--", ".")
    versioned.dvc("checkout")
    assert versioned.promised() == before and ran(versioned.dvc("repro").output) == []


def test_git_holds_the_small_and_dvc_the_large(published):
    done = published.git("show", "--name-only", "--format=", "HEAD")
    tables = {f"results/synthetic/{name}.csv" for name in ("leaderboard", "comparisons")}
    assert set(done.lines) == {"dvc.lock", *tables, *METRICS}


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
            while len(list(kept.glob("*/digest"))) < wanted:
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
    before = versioned.promised()
    name = stage if stage == "render" else f"{stage}@synthetic"
    kill_once_kept(versioned, "dvc", "repro", "--single-item", "--force", name, wanted=wanted)
    shutil.rmtree(versioned.root / "logs/synthetic" / stage)
    done = versioned.run("dvc", "repro", "--single-item", "--force", name)
    assert done.rc == 0, done.output
    assert versioned.promised() == before
    assert not (versioned.root / KEPT).exists()
    assert len(worked(versioned, stage)) < jobs


def test_what_snakemake_alone_has_made_is_handed_over(mini, tmp_path):
    """As docs/dvc.md says: what nobody asked for is an empty folder, and nothing is made again."""
    project = duplicate(mini, tmp_path / "alone")
    done = project.snakemake("all", "depth", "auxiliary")
    assert done.rc == 0, done.output
    project.git("init", "--quiet")
    project.dvc("commit", "--force")
    assert ran(project.dvc("repro").output) == []


def test_a_clone_with_what_was_pulled_has_nothing_to_do(published, tmp_path):
    """As docs/dvc.md says: push, clone, pull, one line for Snakemake."""
    cloned = clone(published, tmp_path / "clone")
    assert cloned.promised() == published.promised()
    assert ran(cloned.dvc("repro").output) == []
    done = cloned.snakemake("all", "--touch", "--forceall", cores=1)
    assert done.rc == 0, done.output
    assert cloned.planned() == []
    assert {job.rule for job in cloned.planned(evaluation={"resamples": 300})} >= {"metrics", "leaderboard"}
