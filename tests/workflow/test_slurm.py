"""The small run through a real Slurm: the same bytes, a second try with more memory, nothing left when cancelled."""

import re
import signal
import time
from pathlib import Path

import pytest
import slurm
from running import Project

PACKAGES = "munge slurmctld slurmd slurm-client"
LACKING = ", ".join(slurm.missing())
pytestmark = [
    pytest.mark.slow,
    pytest.mark.slurm,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(bool(LACKING), reason=f"no {LACKING} here: make test-slurm, or apt-get install {PACKAGES}"),
]
# How often a profile looks after its jobs, which take some seconds here. Slurm's waits 10 longer after each look that
# found none of them ended: most of the time goes into that.
LOOKS = {"slurm": "--slurm-init-seconds-before-status-checks=5", "cluster-generic": "--seconds-between-status-checks=4"}
# Smaller yet: one network, its folds in one job, no faces from the sides.
SMALL = {
    "experiments": {"ststnet": "ststnet"},
    "baselines": {},
    "folds_per_job": 4,
    "seeds": [0],
    "report": {"examples": 2, "views": 0},
}
ON_GPU = ("render_subject", "register_shard")  # neither looks for a real one
TOO_LITTLE = 350  # MB for the faces of a shard, which take about 530


@pytest.fixture(scope="module")
def cluster():
    with slurm.running() as found:
        yield found


def through(profile: str, *arguments: str) -> list[str]:
    """Snakemake through a profile."""
    return ["snakemake", *arguments, "--workflow-profile", f"profiles/{profile}", LOOKS[profile]]


@pytest.fixture(scope="module")
def queued(cluster, fresh) -> Project:
    """The small run, finished through Slurm; two rules ask for a GPU, and one for too little memory at first."""
    project = fresh(**SMALL)
    rule = project.root / "workflow/rules/faces.smk"
    text, changed = re.subn(r"mem_mb=growing\(\d+\)", f"mem_mb=growing({TOO_LITTLE})", rule.read_text(encoding="utf-8"))
    assert changed == 1
    rule.write_text(text, encoding="utf-8")
    gpus = [f"{name}:gpu=1" for name in ON_GPU]
    done = project.run(*through("slurm", "all", "--set-resources", *gpus), env=cluster.environment, timeout=1200)
    print(done.output)
    assert done.rc == 0, done.output
    return project


@pytest.fixture(scope="module")
def alone(fresh) -> Project:
    """The same run without Slurm."""
    project = fresh(**SMALL)
    done = project.snakemake("all")
    assert done.rc == 0, done.output
    return project


def asked(cluster: slurm.Slurm, name: str) -> list[dict[str, str]]:
    """The jobs that the plugin has submitted for a rule, or for a group, whose name goes before its rules'."""
    return [job for job in cluster.jobs() if job.get("Comment", "").startswith(f"rule_{name}_")]


def memory(job: dict[str, str]) -> str:
    return re.search(r"mem=(\w+)", job["TRES"])[1]


def test_the_same_bytes_as_without_slurm(queued, alone):
    found = queued.promised()
    assert found and found == alone.promised()


def test_small_jobs_go_as_one(queued, cluster):
    """The stages of each shard, the scores of the experiments, the tables."""
    assert [len(asked(cluster, group)) for group in ("shard", "scores", "tables")] == [2, 1, 1]
    assert not any(asked(cluster, rule) for rule in ("motion_shard", "metrics", "leaderboard"))


def test_a_job_killed_for_its_memory_is_given_more(queued, cluster):
    tries = asked(cluster, "faces_shard")
    killed, done = tries[:2], tries[2:]
    assert [memory(job) for job in killed] == [f"{TOO_LITTLE}M"] * 2
    assert [(memory(job), job["JobState"]) for job in done] == [(f"{2 * TOO_LITTLE}M", "COMPLETED")] * 2
    for job in killed:
        (log,) = (queued.root / "logs/slurm/rule_faces_shard").rglob(f"{job['JobId']}.log")
        assert job["JobState"] != "COMPLETED" and "exceeded memory limit" in log.read_text(encoding="utf-8")


def test_no_other_job_failed(queued, cluster):
    failed = [job["Comment"] for job in cluster.jobs() if job["JobState"] != "COMPLETED"]
    assert len(failed) == 2 and all(comment.startswith("rule_faces_shard") for comment in failed)


def test_who_asks_for_a_gpu_gets_one(queued, cluster):
    """A group asks for what one of its rules asks for."""
    given = {job["JobId"] for job in cluster.jobs() if "gres:gpu:1" in job.get("TresPerJob", "")}
    assert given == {job["JobId"] for name in ("render_subject", "shard") for job in asked(cluster, name)}
    assert len(given) == 3 + 2  # subjects, shards


def test_another_queue(queued, cluster, fresh, alone):
    """Slurm once more, by the three commands that any queue can be called by."""
    states = {job["JobState"]: job["JobId"] for job in cluster.jobs()}
    told = {s: queued.run("profiles/cluster-generic/status", i, env=cluster.environment) for s, i in states.items()}
    assert {state: done.output.strip() for state, done in told.items()} == {
        state: "success" if state == "COMPLETED" else "failed" for state in states
    }
    project, table = fresh(), "results/synthetic/clips.csv"
    done = project.run(
        *through("cluster-generic", table, "--set-resources", "index:gpu=1"), env=cluster.environment, timeout=300
    )
    assert done.rc == 0, done.output
    assert (project.root / table).read_bytes() == (alone.root / table).read_bytes()
    (job,) = (job for job in cluster.jobs() if job.get("Comment") == "index")
    assert (memory(job), job["TimeLimit"], job["TresPerJob"]) == ("1000M", "00:10:00", "gres:gpu:1")
    assert (project.root / f"logs/cluster/index-{job['JobId']}.log").is_file()


@pytest.mark.parametrize("profile", LOOKS)
def test_cancelled(cluster, fresh, profile):
    """Ctrl-C, once something is being rendered: the jobs that wait leave the queue, those that run end."""
    project = fresh()
    with project.start(*through(profile, "all"), env=cluster.environment, preexec_fn=hear_ctrl_c) as process:
        try:
            until(lambda: list((project.root / "logs/synthetic/render").glob("*.log")))
            assert cluster.queued() and len(inside(project)) > 1, "jobs beside Snakemake itself"
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode != 0 and "on user request" in output, output
    until(lambda: not cluster.queued() and not inside(project))
    assert not list((project.root / ".snakemake/locks").glob("*"))
    assert not list((project.root / "data/synthetic").glob("*/*.part"))


def hear_ctrl_c() -> None:
    """What a shell has started in the background is deaf to it, and so are its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def until(condition) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def inside(project: Project) -> list[Path]:
    """The processes at work in a project."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve().is_relative_to(project.root):
                found.append(process)
        except OSError:  # it has ended, or is another's
            continue
    return found
