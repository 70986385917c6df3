"""A clean copy of the project to run commands in, and one small run of the embedded corpus that many tests look at."""

import pytest
from running import MINI, Project, copy_project


@pytest.fixture(scope="session")
def fresh(repository, tmp_path_factory):
    """Makes clean copies of the project whose params.yaml holds the small values: ``fresh()``."""

    def make(**settings) -> Project:
        project = copy_project(repository, tmp_path_factory.mktemp("project"))
        project.settings(**{**MINI, **settings})
        return project

    return make


@pytest.fixture(scope="session")
def mini(fresh) -> Project:
    """The small run of the embedded corpus, finished. Tests look at it and leave it as it is."""
    project = fresh()
    done = project.snakemake("all")
    assert done.rc == 0, done.output
    (project.root / "mini-run.txt").write_text(done.output, encoding="utf-8")
    return project


@pytest.fixture(scope="session")
def planner(fresh) -> Project:
    """A copy in which nothing was ever run, for dry runs."""
    return fresh()


@pytest.fixture(scope="session")
def published(fresh, tmp_path_factory) -> Project:
    """A checkout with its history after its first `dvc repro`, committed and pushed to a remote of its own. Tests clone
    or duplicate it and leave it as it is.
    """
    project = fresh()
    project.git("init", "--quiet")
    project.dvc("remote", "add", "--default", "lab", str(tmp_path_factory.mktemp("remote")))
    project.git("add", ".")
    project.git("commit", "--quiet", "-m", "a checkout")
    project.dvc("repro")
    project.dvc("push", "--run-cache")
    project.git("add", ".")
    project.git("commit", "--quiet", "-m", "results")
    return project
