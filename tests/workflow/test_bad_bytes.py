"""Bytes that a disk has lost or changed, at several stages at once: noticed by the job that reads them, named, moved
aside, and made anew by the next run with the bytes that were lost.
"""

import os
from pathlib import Path

import pytest
from running import TRACEBACK, Project, duplicate, ran

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # on a machine with other work

# What is damaged, how, and who reads it. No reader makes what another one reads, so that a run meets all at once.
DAMAGE = {
    "results/synthetic/registered/0000.h5": "truncated",
    "results/synthetic/registered/0001.h5": "flipped",
    "results/synthetic/features/bi_woof/0000.h5": "flipped",
    "results/synthetic/features/flow28/0001.h5": "truncated",
    "results/synthetic/folds/loso/bi_woof/000.predictions.csv": "flipped",
    "results/synthetic/folds/loso/ststnet/001.predictions.csv": "truncated",
    "results/synthetic/folds/loso/baseline_linear/000.predictions.csv": "emptied",
    "results/synthetic/models/ststnet.safetensors": "flipped",
    "results/depth/model.safetensors": "truncated",
}
READERS = ("motion_shard", "join_features", "join_predictions", "leaderboard")
# Many jobs read the depth network; the first one takes it from the others, so it is asked for by one alone.
DEPTH = "results/synthetic/depth/0000.h5"


def damage(path: Path, how: str) -> bytes:
    """Change a file as a failing disk does, without a trace in its times; returns what it holds now."""
    told, content = path.stat(), bytearray(path.read_bytes())
    if how == "flipped":
        content[2 * len(content) // 3] ^= 0x04
    else:
        del content[{"truncated": len(content) // 2, "emptied": 0}[how] :]
    path.write_bytes(content)
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    return bytes(content)


def complaints(output: str) -> set[str]:
    """The lines in which jobs have said what they could not do."""
    return {line.strip() for line in output.splitlines() if line.strip().startswith("error: ")}


@pytest.fixture(scope="module")
def rotten(mini, tmp_path_factory) -> Project:
    """A copy of the finished run for a disk to fail under; with its history, where git knows empty files."""
    project = duplicate(mini, tmp_path_factory.mktemp("rotten"))
    project.git("init", "--quiet")
    project.git("add", ".")
    project.git("commit", "--quiet", "-m", "a checkout")
    return project


@pytest.fixture(scope="module")
def noticed(rotten) -> tuple[dict[str, bytes], str]:
    """The damaged bytes by their path, and what a run said that reads them all."""
    broken = {name: damage(rotten.root / name, how) for name, how in DAMAGE.items()}
    assert rotten.planned() == [], "nothing but the bytes shows it"
    asked = ((("all",), READERS), ((DEPTH,), ("depth_shard",)))
    done = [rotten.snakemake(*what, "--allowed-rules", *by, "--forcerun", *by) for what, by in asked]
    assert all(each.rc != 0 for each in done)
    return broken, "".join(each.output for each in done)


@pytest.mark.parametrize("name", DAMAGE)
def test_broken_bytes_are_noticed_and_named(noticed, rotten, name):
    broken, output = noticed
    told = [line for line in complaints(output) if line.startswith(f"error: {name}: its bytes are not those")]
    assert len(told) == 1 and "run again: it is made anew" in told[0], complaints(output)
    assert (rotten.root / ".mer/broken" / name).read_bytes() == broken[name], "somebody may want them back"


def test_one_line_each_and_no_traceback(noticed):
    _, output = noticed
    assert TRACEBACK not in output
    assert all(any(name in line for name in DAMAGE) for line in complaints(output)), complaints(output)


def test_the_next_run_makes_the_same_bytes_anew(noticed, rotten, mini):
    assert not any((rotten.root / name).exists() for name in DAMAGE)
    done = rotten.snakemake("all")
    assert done.rc == 0, done.output
    assert rotten.promised() == mini.promised()
    assert rotten.planned() == []


def test_a_damaged_recording_is_rendered_anew(rotten, mini):
    """An output that is a folder goes as a whole."""
    video = next((rotten.root / "data/synthetic/s01").glob("*.avi"))
    damage(video, "flipped")
    shard = "results/synthetic/faces/0000.h5"
    done = rotten.snakemake(shard, "--forcerun", "faces_shard", "--allowed-rules", "faces_shard")
    assert done.rc != 0 and TRACEBACK not in done.output
    assert any(line.startswith("error: data/synthetic/s01: its bytes") for line in complaints(done.output)), done.output
    assert (rotten.root / ".mer/broken/data/synthetic/s01" / video.name).exists()
    done = rotten.snakemake(shard)
    assert done.rc == 0, done.output
    assert rotten.digests("data/synthetic", "results/synthetic/faces") == mini.digests(
        "data/synthetic", "results/synthetic/faces"
    )


@pytest.mark.parametrize("links", ["hardlink", "symlink"])
def test_a_cache_that_is_linked_to_broken_bytes_brings_none_back(published, tmp_path, links):
    """The cache shares what has rotted: DVC, which trusts it, would put it in place again."""
    project = duplicate(published, tmp_path / "copy")
    project.dvc("config", "cache.type", links)
    project.dvc("checkout", "--relink")
    store = project.root / "results/synthetic/registered/0000.h5"
    assert store.is_symlink() or store.stat().st_nlink > 1
    store.chmod(0o644)
    broken = damage(store, "flipped")
    store.chmod(0o444)
    assert "up to date" in project.dvc("status").output, "DVC does not see it"
    done = project.snakemake("motion", "--allowed-rules", "motion_shard", "motion", "--forcerun", "motion_shard")
    assert done.rc != 0
    assert [line for line in complaints(done.output) if "registered/0000.h5: its bytes are not" in line], done.output
    assert (project.root / ".mer/broken/results/synthetic/registered/0000.h5").read_bytes() == broken
    assert ran(project.dvc("repro", "motion@synthetic").output) == ["registered"]
    assert project.promised() == published.promised()
