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
