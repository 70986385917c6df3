"""Clips, people, files and frames whose names mean harm, through everything: nothing is executed, nothing is written
outside the project, and a name that cannot be used is refused in one line.
"""

import csv
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from recordings import HEADER, take, write_frames
from running import TRACEBACK, Project

from mer_lib.ingest.writer import write_video
from mer_lib.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # on a machine with other work
HARM = "harmed"
# Names of people and of their videos, as a file system can hold them. What stands in RUN would leave a file behind.
RUN = (
    "$(touch harmed)",
    "`touch harmed`",
    "; touch harmed;",
    "a && touch harmed",
    "a | touch harmed",
    "'$(touch harmed)'",
)
ODD = (
    "two  blanks", "it's", 'say "hi"', "-rf", "--help", "Žofie 表情", "100%d %s", "{wildcards.shard}", "{}", "{{x}}",
    "<img src=x onerror=alert(1)>", "~", "*", "[a]?", "a..b", "$HOME", "#1", "=1+1", "a,b;c", "!x", "a:b", "@3", "a|b",
    "%2e%2e",
)  # fmt: skip
LINES = ("line\nend", "tab\tulator", "escape\x1b[2J", "back\\slash")  # an id cannot hold these
LEADING_OUT = ("../outside/film", "/etc/passwd", "..", "anna/../../outside/film")
CLASSES = ("negative", "positive", "surprise")


def film(person: int) -> list[np.ndarray]:
    """A face with a movement of its own beside that of the mouth: the guard refuses a clip under two names."""
    pictures, draw = take(person % 10, 6), np.random.default_rng(person)
    rows, columns = np.mgrid[: len(pictures[0]), : len(pictures[0])].astype(np.float32)
    at, (down, right) = draw.uniform(60, 120, 2), draw.uniform(-3, 3, 2).astype(np.float32)
    near = np.exp(-((rows - at[0]) ** 2 + (columns - at[1]) ** 2) / 400).astype(np.float32)
    shares = np.sin(np.linspace(0, np.pi, len(pictures))).astype(np.float32)
    return [
        cv2.remap(picture, columns + share * right * near, rows + share * down * near, cv2.INTER_CUBIC)
        for picture, share in zip(pictures, shares, strict=True)
    ]


@pytest.fixture(scope="module")
def hostile(fresh) -> Project:
    """A data set of one clip a name, filmed into a folder of that name, and rows that lead out; run to the end."""
    project = fresh(
        corpora=[{"name": "lab", "adapter": "folder"}], faces={"size": 64, "every": 5}, shards={"size": 50},
        experiments=["bi_woof", "ststnet"], folds_per_job=50, seeds=[0], train={"epochs": 2},
        report={"examples": 3, "views": 0},
    )  # fmt: skip
    root = project.root / "data/lab"
    names = [*RUN, *ODD, *LINES]
    for at, name in enumerate(names):
        folder = root / name
        folder.mkdir(parents=True)
        write_video(root / "film.avi", film(at), 25)
        (root / "film.avi").rename(folder / f"{name} 1.avi")
    write_frames(root / "frames" / "frames; touch harmed", film(98), name="$(touch harmed) {}.png")
    write_video(project.root / "data/outside/film.avi", film(99), 25)
    rows = [(f"{name} 1", name, 0, 2, 5, CLASSES[at % 3]) for at, name in enumerate(names)]
    rows += [("frames; touch harmed", "frames", 0, 2, 5, "negative")]
    rows += [(name, "anna", 0, 2, 5, "positive") for name in LEADING_OUT] + [("film", "..", 0, 2, 5, "positive")]
    with (root / "clips.csv").open("w", encoding="utf-8", newline="") as sheet:
        csv.writer(sheet).writerows([HEADER.split(","), *rows])
    return project


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """A home folder of the test's own, where nobody else is at work."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def around(project: Project) -> set[Path]:
    """What lies beside the project."""
    return set(project.root.parent.iterdir())


def unharmed(project: Project, before: set[Path]) -> None:
    assert around(project) == before
    found = subprocess.run(
        ["find", project.root, Path.home(), "-name", f"{HARM}*"], capture_output=True, text=True, check=True
    )
    assert found.stdout == ""


def test_everything_is_run_and_nothing_is_harmed(hostile):
    before = around(hostile)
    done = hostile.snakemake("all")
    assert done.rc == 0 and TRACEBACK not in done.output, done.output
    unharmed(hostile, before)
    assert hostile.planned() == []
    made = hostile.root / "results/lab"
    with Store(made / "features/flow28.h5") as store:
        went = set(store.clips)
    problems = pd.read_csv(made / "problems.csv", dtype=str, keep_default_na=False)
    lost = problems[problems["severity"] == "skipped"]
    assert went == {f"lab/{name}/{name} 1" for name in (*RUN, *ODD)} | {"lab/frames/frames; touch harmed"}, (
        lost.to_string()
    )
    assert len(lost) == len(LINES) + len(LEADING_OUT) + 1
    for row in lost.itertuples():
        assert row.file.startswith("clips.csv line ") and row.what and row.remedy
        assert not set("\n\r\t\x1b") & set("".join(row[1:]))
    predictions = pd.read_csv(made / "predictions/loso/bi_woof.csv", dtype=str, keep_default_na=False)
    assert set(predictions["clip"]) == went and set(predictions["fold"]) == {f"lab/{n}" for n in (*RUN, *ODD, "frames")}
    page = (made / "report/index.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page and "&lt;img src=x onerror=alert(1)&gt;" in page


def test_commands_take_them_as_names(hostile, tmp_path):
    """After the run: clips are cut, one is predicted, a person is looked for and forgotten."""
    before = around(hostile)
    done = hostile.run("mer", "cut", "lab", tmp_path / "cut")
    assert done.rc == 0, done.output
    sheet = pd.read_csv(tmp_path / "cut/clips.csv", dtype=str, keep_default_na=False)
    assert len(sheet) == len(RUN) + len(ODD) + 1
    assert all((tmp_path / "cut" / source).exists() for source in sheet["source"])
    assert {path.name for path in tmp_path.iterdir()} == {"cut"}
    model, name = "results/lab/models/baseline_linear.safetensors", RUN[0]
    done = hostile.run("mer", "predict", f"data/lab/{name}/{name} 1.avi", "--model", model, "--picture", "answer.png")
    assert done.rc == 0 and (hostile.root / "answer.png").exists(), done.output
    for name in (RUN[1], "<img src=x onerror=alert(1)>", "-rf", "{wildcards.shard}"):
        done = hostile.run("mer", "forget", f"lab/{name}")
        assert done.rc == 0 and "results/lab" in done.output and f"data/lab/{name}: their recordings" in done.output
    assert hostile.run("mer", "forget", "lab/-rf", "--yes", "--recordings").rc == 0
    assert not (hostile.root / "data/lab/-rf").exists() and (hostile.root / "data/lab/--help").exists()
    unharmed(hostile, before)
