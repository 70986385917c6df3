"""A person taken out of a finished run: nothing names them any more, and the next run makes everything without them."""

import re
import shutil

import pandas as pd
import pytest
from running import TRACEBACK, Project

from mer_lib.problems import BadInput
from mer_lib.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # on a machine with other work
GONE = "synthetic/s01"
STAGES = ("render", "faces@synthetic", "registered@synthetic")  # the others also name what a small run has none of
NAMES = re.compile(rb"synthetic/s01(?!\d)|(?<!\w)s01_\d\d(?!\d)")  # the person, their clips


def git(project: Project, *command: str) -> None:
    done = project.run("git", "-c", "user.name=test", "-c", "user.email=test@example.org", *command)
    assert done.rc == 0, done.output


@pytest.fixture(scope="module")
def finished(mini, tmp_path_factory) -> Project:
    """A copy of the small run with its history, and two versions of it in DVC, the first in git alone."""
    project = Project(tmp_path_factory.mktemp("finished") / "project")
    shutil.copytree(mini.root, project.root, symlinks=True, ignore=shutil.ignore_patterns("mini-run.txt"))
    git(project, "init", "--quiet")
    assert project.run("dvc", "remote", "add", "lab", "ssh://lab.example.org/dvc").rc == 0
    table = project.root / "results/synthetic/index_problems.csv"
    for told in ("the first version\n", table.read_text(encoding="utf-8")):
        table.write_text(told, encoding="utf-8")
        done = project.run("dvc", "commit", "--force", *STAGES)
        assert done.rc == 0, done.output
        git(project, "add", ".")
        git(project, "commit", "--quiet", "-m", told.splitlines()[0])
    return project


def who_is_named(project: Project) -> list[str]:
    """The files that name them, but for the checkout itself: by their bytes, stores by their reader as well."""
    ours = set(project.run("git", "ls-files", "docs", "mer_lib", "tests", "README.md").lines)
    found = []
    for path in sorted(project.root.rglob("*")):
        name = path.relative_to(project.root).as_posix()
        if not path.is_file() or name in ours or name.startswith(".git/") or "__pycache__" in name:
            continue
        told = path.read_bytes() + name.encode()
        if told.startswith(b"\x89HDF"):
            try:
                with Store(path) as store:
                    told += " ".join(store.clips).encode()
            except BadInput:  # the truth about a rendered person is no store of ours
                pass
        if NAMES.search(told):
            found.append(name)
    return found


def test_nothing_names_them_and_the_next_run_goes_without_them(finished):
    before = who_is_named(finished)
    for part in ("results/", "logs/", ".mer/made/", ".snakemake/metadata/", ".snakemake/log/", ".dvc/cache/", "data/"):
        assert any(name.startswith(part) for name in before), part
    done = finished.run("mer", "forget", GONE)
    assert done.rc == 0 and "nothing was removed" in done.output
    assert who_is_named(finished) == before

    done = finished.run("mer", "forget", GONE, "--yes", "--recordings")
    assert done.rc == 0 and TRACEBACK not in done.output, done.output
    assert "DVC's remote lab (ssh://lab.example.org/dvc)" in done.output and "git's history" in done.output
    assert who_is_named(finished) == []
    objects = [path.read_bytes() for path in (finished.root / ".dvc/cache/files/md5").rglob("*") if path.is_file()]
    assert objects and b"the first version\n" not in objects
    assert (finished.root / "results/depth/model.safetensors").exists()  # it learned from nobody's clips

    done = finished.snakemake("all")
    assert done.rc == 0, done.output
    assert who_is_named(finished) == []
    made = finished.root / "results/synthetic"
    for table in ("clips.csv", "predictions/loso/bi_woof.csv", "predictions/loso/ststnet.csv"):
        assert set(pd.read_csv(made / table)["subject"]) == {"synthetic/s02", "synthetic/s03"}, table
    assert "1 person is left out" in (made / "report/index.html").read_text(encoding="utf-8")
    assert finished.planned() == []
