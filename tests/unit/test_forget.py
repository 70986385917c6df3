"""``mer forget``: who is meant, what holds them, what stays, and that they do not come back."""

import json
import subprocess
import sys
import threading
from base64 import urlsafe_b64encode
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from mer_lib import presence
from mer_lib.cli import app
from mer_lib.clips import COLUMNS
from mer_lib.commands import forget
from mer_lib.commands.traces import Trace
from mer_lib.corpora import forgotten, indexing
from mer_lib.corpora.forgotten import Forgotten
from mer_lib.ingest.measure import measure
from mer_lib.ingest.writer import write_images
from mer_lib.ledger import Ledger
from mer_lib.params import Corpus
from mer_lib.problems import BadInput
from mer_lib.store import Header, write_shard

ROOT = Path(__file__).parent.parent.parent
FILMED = {
    "mine": {"anna": ("smile", "Grüße & <so>"), "ben": ("take",), "annabel": ("a",)},
    "lab2": {"Anna": ("x",), "cleo": ("y",)},
}


# ---- the list --------------------------------------------------------------------------------------------------------


def test_the_list_names_nobody_and_knows_them(tmp_path):
    path = tmp_path / "forgotten.txt"
    assert "mine/anna" not in forgotten.read(path)
    for subject in ("mine/anna", "smic/s03", "mine/anna", "mine/Jörg"):
        forgotten.add(subject, path)
    found = forgotten.read(path)
    assert len(found.digests) == 3
    assert "anna" not in path.read_text() and path.read_text().startswith("#")
    for subject in ("mine/anna", "smic/s3", "SMIC/s03", "mine/Jo\u0308rg"):
        assert subject in found, subject
    for subject in ("mine/annabel", "other/anna", "smic/s30", "anna"):
        assert subject not in found, subject
    assert found.has_clip("mine/anna/smile@3") and not found.has_clip("mine/annabel/smile")


@pytest.mark.parametrize("line", ["mine/anna", "<<<<<<< HEAD", "0123"])
def test_a_line_that_is_no_digest_is_refused(tmp_path, line):
    """Passed over it would let somebody in again."""
    path = tmp_path / "forgotten.txt"
    path.write_text(f"{forgotten.HEAD}{line}\n")
    with pytest.raises(BadInput, match="line 2 is no digest"):
        forgotten.read(path)


def test_the_projects_list_is_empty_and_as_the_command_writes_it():
    assert (ROOT / forgotten.FILE).read_text(encoding="utf-8") == forgotten.HEAD


# ---- indexing --------------------------------------------------------------------------------------------------------


def film(folder: Path) -> None:
    write_images(folder, {n: np.full((8, 8, 3), 40 * n, np.uint8) for n in range(1, 5)})


def data_set(root: Path, filmed: dict[str, tuple[str, ...]]) -> None:
    """Folders of frames by subject, as the adapter folder reads them."""
    rows = [(clip, subject) for subject, clips in filmed.items() for clip in clips]
    for clip, subject in rows:
        film(root / subject / clip)
    pd.DataFrame(rows, columns=["name", "subject"]).to_csv(root / "clips.csv", index=False)


def test_nobody_who_is_left_out_is_in_a_table_a_problem_or_the_cache(tmp_path, caplog):
    root = tmp_path / "mine"
    data_set(root, {"anna": ("smile",), "ben": ("take",)})
    with (root / "clips.csv").open("a") as sheet:
        sheet.write("lost,anna\nlost,ben\n")
    (root / "anna/smile/000001.png").write_bytes(b"no picture")
    (root / "anna/smile").rename(root / "anna/elsewhere")
    corpus = Corpus(name="mine", adapter="folder", classes=("a", "b"))
    left_out = Forgotten(frozenset({forgotten.digest("mine/anna")}))
    for _ in range(2):  # asked and kept
        table, problems = indexing.index(
            corpus, str(root), tmp_path / "cache", measure, left_out=left_out, max_frames=100
        )
        assert list(table["subject"]) == ["mine/ben"]
        assert [p.clip for p in problems if p.clip] == ["mine/ben/lost"]
    kept = "".join(path.read_text() for path in tmp_path.rglob("cache/**/*") if path.is_file())
    assert "ben" in kept and "anna" not in kept and "anna" not in caplog.text


def test_how_many_are_left_out_is_told(tmp_path):
    data_set(tmp_path / "mine", {"anna": ("smile",), "ben": ("take",)})
    corpus = Corpus(name="mine", adapter="folder", classes=("a", "b"))
    left_out = Forgotten(frozenset({forgotten.digest("mine/anna")}))
    asked = {"left_out": left_out, "max_frames": 9}
    problems = indexing.index(corpus, str(tmp_path / "mine"), tmp_path / "cache", measure, **asked)[1]
    assert [p.what for p in problems if p.file == "forgotten.txt"] == ["1 person is left out, who were forgotten"]


def test_a_composites_list_does_not_name_them(tmp_path, caplog):
    data_set(tmp_path / "mine", {"s03": ("smile",), "ben": ("take",)})
    (tmp_path / "list.csv").write_text("dataset,subject,clip,class\nmine,s3,smile,a\nmine,ben,take,b\nmine,ben,no,b\n")
    options = {"parts": [{"name": "mine", "adapter": "folder"}], "list": str(tmp_path / "list.csv"), "map": None}
    corpus = Corpus(name="both", adapter="composite", classes=("a", "b"), options=options)
    left_out = Forgotten(frozenset({forgotten.digest("mine/s03")}))
    table, problems = indexing.index(
        corpus, "", tmp_path / "cache", measure, lambda name: str(tmp_path / name), left_out, max_frames=9
    )
    assert list(table["clip"]) == ["mine/ben/take"]
    assert [p.clip for p in problems if p.severity == "skipped"] == ["mine/ben/no"]
    assert not any("s3" in str(p) or "s03" in str(p) for p in problems) and "s3/" not in caplog.text


# ---- finding and removing --------------------------------------------------------------------------------------------


def made_of(project: Path, corpus: str, clips: list[str]) -> None:
    """What a run leaves of a corpus, as far as it holds people."""
    folder = project / "results" / corpus
    folder.mkdir(parents=True)
    rows = [dict.fromkeys(COLUMNS, "") | {
        "clip": clip, "dataset": clip.split("/")[0], "subject": clip.rpartition("/")[0], "name": clip.split("/")[2],
        "source": clip.split("/", 1)[1], "kind": "frames", "type": "micro", "frames": 4,
    } for clip in clips]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.to_csv(folder / "clips.csv", index=False)
    header = Header("faces", corpus, "0000", "recipe")
    write_shard(folder / "faces/0000.h5", header, table.itertuples(), lambda row: {"x": np.zeros((1, 2))})
    (folder / "models").mkdir()
    (folder / "models/net.safetensors").write_bytes(b"weights learned from everybody " + corpus.encode())
    write(project / f"logs/{corpus}/train.log", "12 clips")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def record(output: str, content: str) -> Path:
    """Snakemake's record of an output, under the name that Snakemake gives it."""
    name = urlsafe_b64encode(output.encode()).decode()
    pieces = [name[i : i + 254] for i in range(0, len(name), 254)]
    return write(Path(".snakemake/metadata", *(f"@{piece}" for piece in pieces[:-1]), pieces[-1]), content)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of the pipeline after runs of two corpora, of which one has anna."""
    monkeypatch.chdir(tmp_path)
    settings = (ROOT / "params.yaml").read_text(encoding="utf-8")
    named = "corpora: [{name: mine, adapter: folder}, {name: lab2, adapter: folder}]"
    write(tmp_path / "params.yaml", settings.replace("corpora: [synthetic]", named))
    for name, filmed in FILMED.items():
        data_set(tmp_path / "data" / name, filmed)
        made_of(tmp_path, name, [f"{name}/{subject}/{clip}" for subject, clips in filmed.items() for clip in clips])
    return tmp_path


def files() -> set[str]:
    return {path.as_posix() for path in Path().rglob("*") if path.is_file()}


def mer(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["forget", *words])
    return done.exit_code, done.output


def test_without_yes_nothing_is_touched(project):
    before = {name: Path(name).read_bytes() for name in files()}
    code, told = mer("mine/anna", "--recordings")
    assert code == 0 and "results/mine" in told and "nothing was removed" in told
    assert {name: Path(name).read_bytes() for name in files()} == before


def test_everything_that_holds_them_goes_and_the_rest_stays(project):
    ours = record("results/mine/models/net.safetensors", "{}")
    long = record(f"results/mine/{'deep/' * 60}file.csv", "{}")
    other = record("results/lab2/models/net.safetensors", '{"params": ["lab2/cleo/y"]}')
    named = write(project / ".snakemake/log/run.log", "clip mine/anna/smile: no face")
    as_json = write(project / ".mer/index/both/key/problems.json", json.dumps(["mine/anna/Grüße"]))
    kept = write(project / ".mer/index/lab2/key/clips.csv", "lab2/cleo/y")
    piece = write(project / ".mer/finished/0123/0", "whose?")
    code, told = mer("mine/anna", "--yes")
    assert code == 0, told
    assert not Path("results/mine").exists() and not Path("logs/mine").exists()
    assert not any(path.exists() for path in (ours, long, named, as_json, piece))
    assert all(path.exists() for path in (other, kept, Path("results/lab2/faces/0000.h5"), Path("logs/lab2/train.log")))
    assert Path("data/mine/anna/smile/000001.png").exists() and "--recordings removes them" in told
    assert "mine/anna" in forgotten.read()
    assert "lab2/Anna: forget them as well if that is the same person" in told
    code, told = mer("mine/anna", "--yes")  # again: nothing is left to do
    assert code == 0 and "removed:\n  nothing" in told


def test_the_recordings_go_when_asked_and_nobody_elses(project):
    code, _ = mer("mine/anna", "--yes", "--recordings")
    assert code == 0 and not Path("data/mine/anna").exists()
    assert Path("data/mine/ben/take/000001.png").exists() and Path("data/mine/annabel/a/000001.png").exists()
    assert "anna,anna" not in Path("data/mine/clips.csv").read_text()


def test_what_recordings_are_links_to_is_named_and_stays(project, tmp_path_factory):
    """It may hold other people; their disk is not ours to clear."""
    disk = tmp_path_factory.mktemp("disk") / "takes"
    Path("data/mine/anna/smile").rename(disk)
    Path("data/mine/anna/smile").symlink_to(disk)
    code, told = mer("mine/anna", "--yes", "--recordings")
    assert code == 0 and not Path("data/mine/anna").exists()
    assert (
        disk / "000001.png"
    ).exists() and f"{disk}: what the link data/mine/anna/smile leads to, which stays" in told


def test_a_recording_of_two_people_stays(project):
    film(project / "data/mine/anna/together")
    with Path("data/mine/clips.csv").open("a") as sheet:
        sheet.write("anna/together,ben\nanna/together,anna\n")
    found = forget.find("mine/anna")
    assert found.recordings == [Path("data/mine/anna/Grüße & <so>"), Path("data/mine/anna/smile")]


def test_what_holds_or_lies_in_a_recording_of_others_stays(project):
    """Until they are forgotten, too."""
    film(project / "data/mine/session")
    film(project / "data/mine/session/benclip")
    with Path("data/mine/clips.csv").open("a") as sheet:
        sheet.write("session,anna\nsession/benclip,ben\n")
    assert Path("data/mine/session") not in forget.find("mine/anna").recordings
    assert Path("data/mine/session/benclip") not in forget.find("mine/ben").recordings
    assert mer("mine/anna", "--yes")[0] == 0
    assert Path("data/mine/session/benclip") in forget.find("mine/ben").recordings


@pytest.mark.parametrize("root", ["data/mine", "data/../data/mine", "elsewhere"])
def test_a_recording_of_another_data_sets_person_stays(project, root):
    """Two data sets may have one folder, under two names or by a link."""
    Path("elsewhere").symlink_to(project / "data/mine")
    film(project / "data/mine/anna/clip")
    write(project / "local.yaml", f"roots: {{lab2: {root}}}")
    with Path("data/mine/clips.csv").open("w") as sheet:
        sheet.write("name,subject\nanna/clip,anna\n")
    made_of(project, "other", ["lab2/zoe/x"])
    table = pd.read_csv("results/other/clips.csv", dtype=str, keep_default_na=False)
    table.assign(source="anna/clip").to_csv("results/other/clips.csv", index=False)
    assert Path("data/mine/anna/smile") in forget.find("mine/anna").recordings
    assert Path("data/mine/anna/clip") not in forget.find("mine/anna").recordings


def test_what_was_made_from_their_clips_elsewhere_goes_as_well(project):
    """An auxiliary corpus trains networks of others; only the ledger knows."""
    ledger, model = Ledger(".mer/made"), "results/lab2/models/net.safetensors"
    ledger.enter([model], rule="final_model", params={}, inputs=["results/mine/features/flow28.h5"])
    page = write(project / "results/lab2/report/index.html", "<html>")
    ledger.enter([page.relative_to(project)], rule="report_page", params={}, inputs=[model])
    ledger.enter(["results/lab2/clips.csv"], rule="index", params={}, inputs=[])
    record(model, "{}")
    assert mer("mine/anna", "--yes")[0] == 0
    assert not Path(model).exists() and not page.exists() and Path("results/lab2/clips.csv").exists()
    assert [entry["path"] for _, entry in ledger.entries()] == ["results/lab2/clips.csv"]
    assert not list(Path(".snakemake/metadata").iterdir())


@pytest.mark.parametrize("pulled", [True, False])
def test_what_dvcs_lock_says_was_made_from_their_clips_goes_as_well(project, pulled):
    """Somebody else's network comes by a pull, alone at times, and the ledger that knows of it does not."""
    if not pulled:
        forget.shutil.rmtree("results/mine")
    page = write(Path("results/lab2/report/index.html"), "<html>")
    stages = {
        "train@lab2": {"deps": ["mer_lib", "results/lab2/features", "results/mine/features"],
                       "outs": ["results/lab2/models"]},
        "report@lab2": {"deps": ["results/lab2/models/net.safetensors"], "outs": ["results/lab2/report"]},
        "faces@lab2": {"deps": ["data/lab2"], "outs": ["results/lab2/faces"]},
    }  # fmt: skip
    paths = {name: {kind: [{"path": path} for path in each] for kind, each in stage.items()}
             for name, stage in stages.items()}  # fmt: skip
    write(Path("dvc.lock"), json.dumps({"schema": "2.0", "stages": paths}))
    code, told = mer("mine/anna", "--yes")
    assert code == 0 and "  results/lab2/models\n  results/lab2/report\n" in told, told
    assert not Path("results/lab2/models").exists() and not page.exists()
    assert Path("results/lab2/faces/0000.h5").exists()


@pytest.fixture
def stuck(monkeypatch):
    """Files that cannot be removed while they are in the list; all else in a folder goes before the error."""
    paths, unlink, rmtree = [], Path.unlink, forget.shutil.rmtree

    def removed(path, *args, **named):
        if path in paths:
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, *args, **named)

    def cleared(folder):
        for path in sorted(folder.rglob("*")) if any(each.is_relative_to(folder) for each in paths) else ():
            if path.is_file() and path not in paths:
                unlink(path)
        for path in paths:
            if path.is_relative_to(folder):
                removed(path)
        rmtree(folder)

    monkeypatch.setattr(Path, "unlink", removed)
    monkeypatch.setattr(forget.shutil, "rmtree", cleared)
    return paths


STEPS = (
    "results/lab2/models",
    ".snakemake/metadata",
    ".mer/made",
    "data/mine/anna",
    "results/mine/models",
    "logs/mine",
)


@pytest.mark.parametrize("step", STEPS)
def test_what_was_interrupted_goes_on(project, stuck, step):
    """Wherever it was: what is gone is not needed to find the rest."""
    ledger, model = Ledger(".mer/made"), "results/lab2/models/net.safetensors"
    ledger.enter(["results/mine/models/net.safetensors"], rule="final_model", params={}, inputs=[])
    ledger.enter([model], rule="final_model", params={}, inputs=["results/mine/models/net.safetensors"])
    left = [record(model, "{}"), Path(model), Path("data/mine/anna"), Path("results/mine"), Path("logs/mine")]
    stuck.append(next(path for path in (Path(step), *sorted(Path(step).rglob("*"))) if path.is_file() or path.suffix))
    code, told = mer("mine/anna", "--yes", "--recordings")
    assert code == 2 and "it goes on where it was" in told
    stuck.clear()
    assert mer("mine/anna", "--yes", "--recordings")[0] == 0
    assert not [path for path in left if path.exists()] and not list(ledger.entries())


def test_what_was_made_from_results_that_are_gone_already_goes(project):
    """The ledger names them, and what it led to."""
    ledger, model = Ledger(".mer/made"), "results/lab2/models/net.safetensors"
    rows = {"made": {"rows": [{"clip": "mine/anna/smile"}]}}
    ledger.enter(["results/mine/faces/0000.h5"], rule="faces_shard", params=rows, inputs=[])
    ledger.enter([model], rule="final_model", params={}, inputs=["results/mine/faces/0000.h5"])
    ledger.enter(["data/mine/anna"], rule="render_subject", params={"subject": "mine/anna"}, inputs=[])
    forget.shutil.rmtree("results/mine")
    assert mer("mine/anna", "--yes")[0] == 0
    assert not Path(model).exists() and not list(ledger.entries())
    assert Path("results/lab2/clips.csv").exists() and Path("data/mine/anna/smile").exists()


def test_what_links_among_results_lead_to_is_named_and_stays(project, tmp_path_factory):
    """It may be a data set, or the folder of another project."""
    disk = tmp_path_factory.mktemp("disk") / "faces"
    Path("results/mine/faces").rename(disk)
    Path("results/mine/faces").symlink_to(disk)
    Path("results/mine/models/data").symlink_to(project / "data/mine")
    named = [f"{disk}: what the link results/mine/faces leads to, which stays",
             f"{project}/data/mine: what the link results/mine/models/data leads to, which stays"]  # fmt: skip
    for words in ((), ("--yes",)):
        code, told = mer("mine/anna", *words)
        assert code == 0 and all(line in told for line in named), told
    assert (disk / "0000.h5").exists() and Path("data/mine/anna/smile/000001.png").exists()
    assert not Path("results/mine").exists()


def test_what_links_among_logs_lead_to_stays(project):
    Path("logs/sets").symlink_to(project / "data")
    code, told = mer("mine/anna", "--yes")
    assert code == 0 and Path("data/mine/anna/smile/000001.png").exists()
    assert "other files with the id" in told and "logs/sets/mine/anna/smile/" in told


def test_a_name_that_is_two_peoples_is_asked_back(project):
    code, told = mer("zoe")
    assert code == 2 and "nobody is called 'zoe' here" in told
    data_set(project / "data/lab2", {"ben": ("x",)})
    code, told = mer("ben")
    assert code == 2 and "'ben' may be any of lab2/ben, mine/ben; name the one" in told
    assert mer("cleo")[0] == 0


def test_a_run_at_work_is_not_disturbed(project):
    running, _ = presence.announce(".mer/run.lock")
    code, told = mer("mine/anna", "--yes")
    running.close()
    assert code == 2 and "a run is at work" in told
    assert Path("results/mine/clips.csv").exists() and "mine/anna" not in forgotten.read()
    assert mer("mine/anna", "--yes")[0] == 0


def test_a_run_that_starts_meanwhile_waits(project, monkeypatch):
    """What it would make is not found any more, and who is left out it must know."""
    started, known, find = [], [], forget.find

    def run():
        file, _ = presence.announce(".mer/run.lock")
        known.append("mine/anna" in forgotten.read())
        file.close()

    def found(*args, **named):
        started.append(threading.Thread(target=run))
        started[0].start()
        started[0].join(timeout=0.3)
        assert not known
        return find(*args, **named)

    monkeypatch.setattr(forget, "find", found)
    assert mer("mine/anna", "--yes")[0] == 0
    started[0].join(timeout=30)
    assert known == [True]


@pytest.mark.parametrize("subject", ["mine/anna", 'mine/O"Neil, <b>', "mine/Jörg's", "mine/back\\slash", "mine/%{x}"])
def test_a_trace_is_found_however_it_is_written(tmp_path, subject):
    from jinja2 import Environment

    trace, clip = Trace(subject), f"{subject}/take"
    written = {
        "csv": pd.DataFrame({"clip": [clip, "x"]}).to_csv(index=False), "text": f"clip {clip}: gone",
        "json": json.dumps({"rows": [clip]}), "unicode": json.dumps([clip], ensure_ascii=False),
        "record": json.dumps({"params": [repr({"rows": [clip]})]}), "path": f"data/{clip}.avi",
        "page": Environment(autoescape=True).from_string("<b>{{ clip }}</b>").render(clip=clip),
        "file": f"data/{subject}.avi", "pieces": f"[{subject}.tar.gz]", "sentence": f"no face of {subject}.",
        "head": f"{subject}: 3 clips", "at": f"{subject}@2", "last": subject,
    }  # fmt: skip
    for name, content in written.items():
        assert trace.in_file(write(tmp_path / name, content)), name
    others = (
        f"{subject}bel/x",
        f"{subject}-lena/x",
        f"{subject}.2/x",
        f"{subject}.b/x",
        f"other-{subject}/x",
        subject[:-1],
    )
    for other in (*others, f"{subject}.2", f"the.{subject}/x"):
        assert not trace.in_file(write(tmp_path / "none", f'clip,"{other}" and {other}\n')), other
    assert not trace.in_file(write(tmp_path / "empty", ""))


# ---- DVC -------------------------------------------------------------------------------------------------------------


def run(*command: str) -> None:
    """A command; DVC is that of the environment that runs the tests, which need not be on PATH."""
    given = (sys.executable, "-m", *command) if command[0] == "dvc" else command
    subprocess.run(given, check=True, capture_output=True)


def commit(told: str) -> None:
    run("git", "add", "-A")
    run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", told)


def cached() -> set[str]:
    """The contents of DVC's objects that are files."""
    objects = Path(".dvc/cache/files/md5").rglob("*")
    return {path.read_bytes().decode(errors="replace") for path in objects if path.is_file() and path.suffix != ".dir"}


@pytest.mark.parametrize("linked", [False, True])
def test_a_cache_that_projects_share_is_named_and_stays(project, tmp_path_factory, linked):
    """Another project may have made the same bytes, and its records are not here."""
    shared = tmp_path_factory.mktemp("lab") / "cache"
    run("git", "init", "-q")
    run("dvc", "init", "-q")
    if linked:
        shared.mkdir()
        Path(".dvc/cache").symlink_to(shared)
    else:
        run("dvc", "cache", "dir", str(shared))
    run("dvc", "stage", "add", "-q", "-n", "mine", "-o", "results/mine/models", "-o", "results/mine/clips.csv", "true")
    run("dvc", "commit", "-q", "--force")
    write(shared / "runs/aa/bb", json.dumps({"outs": [{"path": "results/mine/models", "md5": "00.dir"}]}))
    before = {path for path in shared.rglob("*") if path.is_file()}
    code, told = mer("mine/anna", "--yes")
    assert code == 0 and not Path("results/mine").exists()
    assert len(before) > 3 and {path for path in shared.rglob("*") if path.is_file()} == before
    assert "which other projects may use: nothing of it is removed" in told and "of DVC\n" not in told


def test_every_version_in_dvcs_cache_goes(project):
    """Also one that an earlier commit alone knows of, and one that no commit does; what others need as well stays."""
    write(project / ".gitignore", "/results\n/data/*\n!/data/*.dvc\n/.mer\n")
    run("git", "init", "-q")
    run("dvc", "init", "-q")
    run("dvc", "remote", "add", "lab", "/nowhere/at/all")
    shared = "the same bytes in both"
    for name in ("mine", "lab2"):
        write(Path(f"results/{name}/same.txt"), shared)
        outputs = ("-o", f"results/{name}/models", "-o", f"results/{name}/same.txt")
        run("dvc", "stage", "add", "-q", "-n", name, *outputs, "true")
    write(Path("data/mine/anna/smile/note.txt"), "anna alone")
    run("dvc", "add", "-q", "data/mine")
    for version in ("first", "second", "third"):
        for name in ("mine", "lab2"):
            write(Path(f"results/{name}/models/net.safetensors"), f"{version} of {name}")
        run("dvc", "commit", "-q", "--force")
        if version != "third":
            commit(version)
    assert {f"{v} of {n}" for v in ("first", "second", "third") for n in ("mine", "lab2")} < cached()
    code, told = mer("mine/anna", "--yes")
    assert code == 0, told
    assert "anna alone" in cached()  # of recordings that stay, every version stays
    assert any("anna/" in path.read_text() for path in Path(".dvc/cache/files/md5").rglob("*.dir"))
    pictures = {path.read_bytes().decode(errors="replace") for path in Path("data/mine/anna").rglob("*.png")}
    code, told = mer("mine/anna", "--yes", "--recordings")
    assert code == 0, told
    assert {text for text in cached() if " of " in text} == {f"{v} of lab2" for v in ("first", "second", "third")}
    assert shared in cached()
    listings = [path.read_text() for path in Path(".dvc/cache/files/md5").rglob("*.dir")]
    assert listings and not any("anna/" in listing for listing in listings)
    assert "anna alone" not in cached() and pictures <= cached()  # ben's frames are the same bytes here, and his
    assert "DVC's remote lab (/nowhere/at/all)" in told and "git's history" in told and "dvc add data/mine" in told
