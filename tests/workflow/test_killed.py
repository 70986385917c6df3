"""Killed anywhere, resumed to the same bytes; and what else befalls a run: a full disk, a folder that cannot be
written, an input that goes, a second run beside it, a clock that jumps back.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from running import TRACEBACK, Project, duplicate, mounted, mounting, ran

from mer_lib.ledger import Ledger, content

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # on a machine with other work

SEED = 8
KEPT = ".mer/finished"
AFTER = 1.5  # seconds: a kill comes at a random moment within them once a job has begun


# ---- kills -----------------------------------------------------------------------------------------------------------


def logs(project: Project) -> dict[Path, int]:
    """The log of every job that has begun, and when it was last written."""
    found = {}
    for path in (project.root / "logs").rglob("*.log"):
        with suppress(FileNotFoundError):  # Snakemake takes the old log away when a job begins again
            found[path] = path.stat().st_mtime_ns
    return found


def kill_after(project: Project, begun: int, delay: float, *command: str) -> str | None:
    """Start a command and kill its whole group without warning, ``delay`` seconds after ``begun`` jobs have begun and
    one of its own has. Returns what it printed; None where it has come to its end before.
    """
    printed = project.root / "printed.txt"
    before, deadline = logs(project), time.monotonic() + 400
    with open(printed, "w", encoding="utf-8") as out:
        with project.start(*command, start_new_session=True, stdout=out, env={"PYTHONUNBUFFERED": "1"}) as process:
            while process.poll() is None:
                now = logs(project)
                if len(now) >= begun and any(before.get(path) != at for path, at in now.items()):
                    time.sleep(delay)
                    break
                assert time.monotonic() < deadline, printed.read_text(encoding="utf-8")
                time.sleep(0.02)
            ended = process.poll()
            with_its_jobs = process.pid
            try:
                os.killpg(with_its_jobs, signal.SIGKILL)
            except ProcessLookupError:
                assert ended is not None
        wait_for_the_group(with_its_jobs)
    return None if ended is not None else printed.read_text(encoding="utf-8")


def wait_for_the_group(group: int) -> None:
    """Until no process of a killed group is left; its jobs die a moment later than it does."""
    deadline = time.monotonic() + 10
    while at_work(group):
        assert time.monotonic() < deadline, "a job outlives the kill"
        time.sleep(0.02)


def at_work(group: int) -> bool:
    """Whether a process of a group lives. One that nobody has waited for is dead: not every container has an init."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its_group = file.read_text(encoding="utf-8").rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                return True
    return False


def moments(total: int, count: int) -> list[tuple[int, float]]:
    """After how many jobs a kill comes, rising, and how many seconds later."""
    draw = random.Random(SEED)
    return [(at, draw.uniform(0, AFTER)) for at in sorted(draw.sample(range(1, total), count))]


def begun_and_finished(printed: str) -> tuple[dict[str, tuple[str, str]], set[str]]:
    """What Snakemake has said: jobid -> (rule, log), and the jobids that it has seen finished."""
    begun = {}
    for block in re.split(r"\n(?=\[\w{3} \w{3} +\d+ [\d:]{8} \d{4}\]\n)", printed):
        rule = re.search(r"^(?:local)?rule (\w+):$", block, flags=re.M)
        told = dict(re.findall(r"^    (log|jobid): (\S+)", block, flags=re.M))
        if rule and "log" in told:
            begun[told["jobid"]] = (rule[1], told["log"])
    return begun, set(re.findall(r"^Finished jobid: (\d+) ", printed, flags=re.M))


def half_written(project: Project, whole: dict[str, str]) -> set[str]:
    """Files that have other bytes than the undisturbed run's. (What is not yet whole has a hidden name.)"""
    found = {name: digest for name, digest in project.promised().items() if not Path(name).name.startswith(".")}
    return {name for name, digest in found.items() if whole.get(name) != digest}


def test_killed_at_twenty_moments(fresh, mini):
    project, whole = fresh(), mini.promised()
    finished, hit = {}, Counter()
    plan = moments(len(logs(mini)), 20)
    for begun, delay in plan:
        printed = kill_after(project, begun, delay, "snakemake", "all", "--cores", "2")
        assert printed is not None, "the run came to its end before it was killed"
        assert half_written(project, whole) == set()
        jobs, done = begun_and_finished(printed)
        hit.update({rule for jobid, (rule, _) in jobs.items() if jobid not in done})
        finished |= {log: (project.root / log).stat().st_mtime_ns for jobid, (_, log) in jobs.items() if jobid in done}
    done = project.snakemake("all")
    assert done.rc == 0, done.output
    assert project.promised() == whole
    again = {log for log, at in finished.items() if (project.root / log).stat().st_mtime_ns != at}
    assert again == set(), "finished once, and done again"
    assert project.planned() == []
    assert len(finished) > 20 and len(hit) >= 8, hit
    print(f"killed {len(plan)} times, {len(finished)} jobs finished before; jobs at work then: {dict(hit)}")


def test_killed_between_two_folds(mini, tmp_path):
    """A training job that is killed takes up the fold that it had finished."""
    project = duplicate(mini, tmp_path / "copy")
    stem = "results/synthetic/folds/loso/ststnet/000"
    asked = [f"{stem}.predictions.csv", "--cores", "1", "--config", 'train={"epochs": 4000}']
    kept = project.root / ".mer/folds"
    with project.start("snakemake", *asked, start_new_session=True, stdout=subprocess.DEVNULL) as process:
        while not list(kept.glob("*/[!.]*.safetensors")):
            assert process.poll() is None, "the job came to its end before it was killed"
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
    wait_for_the_group(process.pid)
    assert len(list(kept.glob("*/[!.]*.safetensors"))) == 1
    done = project.run("snakemake", *asked)
    assert done.rc == 0, done.output
    told = (project.root / "logs/synthetic/train/loso/ststnet/000.log").read_text(encoding="utf-8")
    assert told.count("finished by an earlier start") == 1
    resumed = project.digests(*(f"{stem}.{what}" for what in ("predictions.csv", "curves.csv", "safetensors")))
    done = project.run("snakemake", *asked, "--forcerun", "train_folds")
    assert done.rc == 0 and len(resumed) == 3, done.output
    told = (project.root / "logs/synthetic/train/loso/ststnet/000.log").read_text(encoding="utf-8")
    assert "finished by an earlier start" not in told
    assert project.digests(*resumed) == resumed


def kept_pieces(project: Project) -> set[Path]:
    """The logs of the jobs whose outputs are kept as finished: kept and output are one file. (A job that has its videos
    and no truth is not finished.)
    """
    kept = {path.stat().st_ino for path in (project.root / KEPT).glob("*/0") if (path.parent / "digest").exists()}
    found = [path for folder in ("results", "data") for path in (project.root / folder).rglob("*") if path.is_file()]
    return {job_log(project, path) for path in found if path.suffix != ".avi" and path.stat().st_ino in kept}


def job_log(project: Project, output: Path) -> Path:
    """Where the job that makes an output logs."""
    path = output.relative_to(project.root).as_posix()
    path = re.sub(r"^data/(\w+)/(s\d+)/.*", r"logs/\1/render/\2", path)
    path = re.sub(r"^results/(\w+)/folds/(.*/\d+)\..*", r"logs/\1/train/\2", path)
    path = re.sub(r"^results/(\w+)/multiview/", r"logs/\1/", path)
    return project.root / (re.sub(r"^results/", "logs/", path).removesuffix(".h5") + ".log")


def computed(log: Path) -> bool:
    """Whether a job has made what it hands over, and not merely taken it up."""
    return bool(re.search(r" INFO (\S+: clip|epoch|fold) ", log.read_text(encoding="utf-8")))


def test_killed_in_dvc_at_six_moments(published, tmp_path):
    """DVC deletes a stage's outputs before it starts it: finished pieces come back unmade, finished stages stay."""
    project, whole = duplicate(published, tmp_path / "copy"), published.promised()
    total = len(logs(project))
    for folder in ("logs", ".mer", ".snakemake"):
        shutil.rmtree(project.root / folder)
    with open(project.root / "workflow/rules/common.smk", "a", encoding="utf-8") as rules:
        rules.write("\n# a remark, for which DVC runs every stage again\n")
    order = list(dict.fromkeys(ran(published.dvc("repro", "--force", "--dry").output)))
    stages, pieces = [], set()
    for begun, delay in moments(total, 6):
        printed = kill_after(project, begun, delay, "dvc", "repro")
        assert printed is not None, "the run came to its end before it was killed"
        assert half_written(project, whole) == set()
        stages.append(ran(printed))
        pieces |= kept_pieces(project)
    done = project.dvc("repro")
    stages.append(ran(done.output))
    assert project.promised() == whole
    assert {log.name for log in pieces if computed(log)} == set()
    assert len(pieces) >= 2, "no kill has met a stage with a finished piece"
    for earlier, later in pairwise(stages):
        assert order.index(later[0]) >= order.index(earlier[-1]), stages
    assert list(dict.fromkeys(name for each in stages for name in each)) == order
    assert "up to date" in project.dvc("repro").output and not (project.root / KEPT).exists()
    print(f"killed in {[each[-1] for each in stages[:-1]]}; {len(pieces)} pieces taken up")


# ---- what else befalls a run -----------------------------------------------------------------------------------------

EVALUATE = ("final_model", "metrics")


@pytest.fixture
def spoiled(mini, tmp_path) -> Project:
    """A copy of the finished run, to be spoiled."""
    return duplicate(mini, tmp_path / "copy")


def complaints(output: str) -> list[str]:
    return sorted({line.strip() for line in output.splitlines() if line.strip().startswith("error: ")})


def recovers(project: Project, mini: Project) -> None:
    """The same command goes on to the same bytes."""
    done = project.snakemake("all")
    assert done.rc == 0, done.output
    assert project.promised() == mini.promised()
    assert project.planned() == []


def test_killed_by_a_full_disk(spoiled, mini):
    """No half model or table passes for a whole one; with more space the same command ends what it began."""
    results, aside = spoiled.root / "results", spoiled.root / "aside"
    results.rename(aside)
    used = sum(-(-path.stat().st_size // 4096) * 4 for path in aside.rglob("*") if path.is_file())  # KiB of whole pages
    with mounted(results, f"size={used + 64}k"):
        shutil.copytree(aside, results, dirs_exist_ok=True)
        for folder in ("models", "metrics"):
            shutil.rmtree(results / "synthetic" / folder)
        (results / "ballast").write_bytes(b"0" * shutil.disk_usage(results).free)
        done = spoiled.snakemake("all", "--allowed-rules", *EVALUATE)
        assert done.rc != 0 and TRACEBACK not in done.output
        assert complaints(done.output) and all("No space left on device" in line for line in complaints(done.output))
        assert half_written(spoiled, mini.promised()) == set()
        assert not list(results.rglob(".*.part*"))
        subprocess.run(["mount", "-o", "remount,size=400M", results], check=True)
        (results / "ballast").unlink()
        recovers(spoiled, mini)


def unwritable(folder: Path):
    """A folder that nobody can write, root included, as long as the block lasts."""
    return mounting(folder, ["mount", "--bind", folder, folder], ["mount", "-o", "remount,ro,bind", folder])


def test_killed_by_a_results_folder_that_cannot_be_written(spoiled, mini):
    with unwritable(spoiled.root / "results"):
        assert spoiled.planned() == []
        done = spoiled.snakemake("all", "--allowed-rules", *EVALUATE, "--forcerun", *EVALUATE)
        assert done.rc != 0 and TRACEBACK not in done.output
        assert "Write-protected output files" in done.output
        assert any(line.strip().startswith("results/synthetic/") for line in done.lines), done.output
    recovers(spoiled, mini)


def test_killed_by_an_input_that_is_gone(spoiled, mini):
    """A result that somebody has removed is made again, and what stands on it; so is a rendered recording."""
    (spoiled.root / "results/synthetic/predictions/loso/bi_woof.csv").unlink()
    shutil.rmtree(spoiled.root / "results/synthetic/models")
    recovers(spoiled, mini)


def test_killed_by_an_input_that_is_gone_in_dvc(published, tmp_path):
    """DVC has it in its cache, and runs nothing."""
    project = duplicate(published, tmp_path / "copy")
    (project.root / "results/synthetic/registered/0000.h5").unlink()
    shutil.rmtree(project.root / "results/synthetic/models")
    assert ran(project.dvc("repro").output) == []
    assert project.promised() == published.promised()


def test_killed_or_not_a_run_keeps_a_second_one_out(published, tmp_path):
    """The second says why, whoever of the two began, and the first comes to its end unharmed."""
    project = duplicate(published, tmp_path / "copy")
    before = logs(project)
    first = project.start("dvc", "repro", "--single-item", "--force", "train@synthetic")
    while logs(project) == before:
        assert first.poll() is None, first.communicate()[0]
        time.sleep(0.05)
    others = [project.start(*command) for command in (("snakemake", "all", "--cores", "1"), ("dvc", "repro"))]
    for other, told in zip(others, ("Directory cannot be locked", "lock"), strict=True):
        output, _ = other.communicate()
        assert other.returncode != 0 and told in output, output
    assert first.poll() is None, "the others came too late to meet it"
    output, _ = first.communicate()
    assert first.returncode == 0, output
    assert project.promised() == published.promised()


def test_killed_by_a_clock_that_jumps_back(spoiled):
    """What is older than its input is refused, with both names; the remedy of docs/dvc.md leaves nothing stale."""
    predictions = spoiled.root / "results/synthetic/predictions/loso/bi_woof.csv"
    later = time.time() + 3600  # it was written before the clock was put right
    os.utime(predictions, (later, later))
    spoiled.settings(evaluation={"confidence": 0.5})
    done = spoiled.snakemake("all")
    assert done.rc != 0
    told = [line for line in done.lines if "has older modification time" in line]
    assert any("metrics/loso/bi_woof.json" in line and "predictions/loso/bi_woof.csv" in line for line in told)
    assert not (spoiled.root / "results/synthetic/metrics/loso/bi_woof.json").exists()
    remedy = spoiled.run("sh", "-c", "find data results -newermt now -exec touch {} +")
    assert remedy.rc == 0, remedy.output
    done = spoiled.snakemake("all")
    assert done.rc == 0, done.output
    assert spoiled.planned() == []
    made = sorted(path.relative_to(spoiled.root) for path in predictions.parents[2].glob("metrics/loso/*.json"))
    entries = [Ledger(spoiled.root / ".mer/made").entry(path) for path in made]
    assert [entry["params"]["evaluation"]["confidence"] for entry in entries] == [0.5] * 4
    assert [entry["digest"] for entry in entries] == [content(spoiled.root / path) for path in made]
