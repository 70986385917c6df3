"""What labs' recordings have wrong with them, through the real workflow: one clip is lost, the others go on."""

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from recordings import BAD, GOOD, HEADER, take, wall, write_corpus, write_frames
from running import TRACEBACK, count, mounted

from mer_lib.ingest.writer import write_video
from mer_lib.store import Store

LAB = [{"name": "lab", "adapter": "folder"}]
FAST = {"corpora": LAB, "faces": {"size": 64, "every": 4}, "shards": {"size": 6}, "folds_per_job": 8}


def ident(row: str) -> str:
    name, subject = row.split(",")[:2]
    return f"lab/{subject}/{name}" + ("@1" if name == "smile" else "")  # its row stands twice


@pytest.fixture(scope="module")
def lab(fresh, tmp_path_factory):
    """The bad corpus, in a folder whose path has blanks and accents, up to its features."""
    project = fresh(**FAST, experiments="bi_woof")
    recordings = tmp_path_factory.mktemp("recordings") / "Aufnahmen März (2)"
    write_corpus(recordings)
    (project.root / "local.yaml").write_text(f"roots: {{lab: '{recordings}'}}\n", encoding="utf-8")
    done = project.snakemake("features")
    assert done.rc == 0, done.output
    return project


@pytest.fixture(scope="module")
def problems(lab):
    return pd.read_csv(lab.root / "results/lab/problems.csv", dtype=str, keep_default_na=False)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.row.split(",")[0])
def test_a_bad_clip_is_named(problems, bad):
    found = problems[(problems["clip"] == ident(bad.row)) & (problems["severity"] == "skipped")]
    assert len(found) == 1, problems.to_string()
    row = found.iloc[0]
    assert row["stage"] == bad.stage
    assert row["file"].endswith(bad.file) and row["file"], row["file"]
    assert re.search(bad.what, row["what"])
    assert row["remedy"]
    assert "\n" not in "".join(row)


def test_only_the_bad_clips_are_lost(lab, problems):
    good = {ident(row) for row in GOOD}
    assert set(problems.loc[problems["severity"] == "skipped", "clip"]) == {ident(bad.row) for bad in BAD}
    for stage in ("faces", "registered", "motion/onset_apex", "features/bi_woof"):
        held = set()
        for path in (lab.root / "results/lab" / stage).glob("*.h5"):
            with Store(path) as store:
                held |= set(store.clips)
                assert all(np.isfinite(store.column(name)).all() for name in store.names())
        assert held == good, stage


def test_what_is_told_of_clips_that_go_on(problems):
    warnings = problems[problems["severity"] == "warning"]
    assert (warnings["file"] != "").all() and (warnings["remedy"] != "").all()
    told = warnings.groupby("clip")["what"].agg("; ".join)
    assert "2 faces; the largest stable one was taken" in told["lab/dan/pair"]
    assert "the face leaves: not seen in" in told["lab/dan/leaves a bit"]
    assert "another scene begins at frame 6 from the onset" in told["lab/dan/leaves a bit"]
    assert "frames of 16 bits were brought to 8" in told["lab/cleo/deep"]
    assert "lab/ben/unpadded" not in told and "lab/cleo/grey" not in told


def frames_of(lab, clip: str) -> np.ndarray:
    for path in (lab.root / "results/lab/faces").glob("*.h5"):
        with Store(path) as store:
            if clip in store:
                return store.read(clip, "frames")
    raise AssertionError(clip)


def test_frames_stand_in_the_order_of_their_numbers(lab):
    """Each recorded frame is a little brighter than the one before."""
    brightness = frames_of(lab, "lab/ben/unpadded").mean(axis=(1, 2, 3))
    assert len(brightness) == 10 and (np.diff(brightness) > 0.5).all()


def test_grey_deep_and_transparent_frames_show_the_same_face(lab):
    plain = frames_of(lab, "lab/ben/unpadded")[0].astype(float)
    for clip in ("lab/cleo/grey", "lab/cleo/deep", "lab/dan/alpha"):
        shown = frames_of(lab, clip)[0].astype(float)
        assert np.corrcoef(shown.mean(-1).ravel(), plain.mean(-1).ravel())[0, 1] > 0.95, clip
    grey = frames_of(lab, "lab/cleo/grey")
    assert (grey[..., 0] == grey[..., 1]).all() and (grey[..., 1] == grey[..., 2]).all()


def test_the_largest_face_is_taken(lab):
    alone, pair = (frames_of(lab, clip)[0].astype(float).mean(-1) for clip in ("lab/dan/alpha", "lab/dan/pair"))
    assert np.corrcoef(alone.ravel(), pair.ravel())[0, 1] > 0.9


def test_a_missing_apex_is_spotted_and_an_annotated_one_kept(lab):
    done = lab.snakemake("motion")
    assert done.rc == 0, done.output
    found = pd.read_csv(lab.root / "results/lab/apex.csv")
    assert list(found) == ["clip", "apex", "how", "score"]
    assert list(found["clip"]) == ["lab/anna/spoken"]
    assert 4 <= found["apex"].iloc[0] <= 6  # the mouth is furthest out between frames 4 and 5
    assert found["score"].iloc[0] > 0 and "tvl1" in found["how"].iloc[0]


def test_to_the_end_strict_and_not(lab):
    """`strict` fails the run, after everything else is done; without it the same run ends well, with a summary."""
    done = lab.snakemake("all", problems={"strict": True})
    assert done.rc != 0
    assert sum("problems.strict is set and clips were lost" in line for line in done.lines) >= 1
    for made in ("report/index.html", "leaderboard.csv", "predictions/loso/bi_woof.csv", "models/bi_woof.safetensors"):
        assert (lab.root / "results/lab" / made).exists(), made
    done = lab.snakemake("all")
    assert done.rc == 0, done.output
    assert f"{len(GOOD) + len(BAD)} clips: {len(GOOD)} went through, {len(BAD)} lost" in done.output
    for bad in BAD:
        line = next(line for line in done.lines if f"clip {ident(bad.row)}: " in line)
        assert f"lost at {bad.stage}" in line and bad.file in line
    predictions = pd.read_csv(lab.root / "results/lab/predictions/loso/bi_woof.csv")
    assert sorted(predictions["clip"]) == sorted(ident(row) for row in GOOD if not row.endswith(","))
    page = (lab.root / "results/lab/report/index.html").read_text(encoding="utf-8")
    assert all(ident(bad.row) in page for bad in BAD)


def small_corpus(project, name: str, clips: dict[str, list[np.ndarray]]) -> None:
    """Whole videos as clips, each of its own subject, without labels."""
    folder = project.root / "data" / name
    for subject, pictures in clips.items():
        write_video(folder / f"{subject}.avi", pictures, 25)
    rows = [f"{subject},{subject},0,4,{len(pictures) - 1}," for subject, pictures in clips.items()]
    (folder / "clips.csv").write_text("\n".join([HEADER, *rows]) + "\n")


def test_nothing_usable_in_the_sheet(fresh):
    project = fresh(**FAST)
    folder = project.root / "data/lab"
    folder.mkdir(parents=True)
    (folder / "empty.avi").touch()
    (folder / "clips.csv").write_text(f"{HEADER}\nempty,anna,,,,\n")
    done = project.snakemake("all")
    assert done.rc != 0 and TRACEBACK not in done.output
    told = [line for line in done.lines if "no usable clip in corpus 'lab'" in line]
    assert len(told) == 1 and "empty.avi" in told[0] and "0 bytes" in told[0]


def test_nothing_left_on_the_way(fresh):
    project = fresh(**FAST)
    small_corpus(project, "lab", {"anna": [wall()] * 6})
    done = project.snakemake("all")
    assert done.rc != 0 and TRACEBACK not in done.output
    told = {line for line in done.lines if line.startswith("error: ")}
    assert len(told) == 1, told
    assert "no clip is left" in told.pop()
    assert any("lab/anna/anna" in line and "no face found" in line for line in done.lines)


@pytest.fixture(scope="module")
def small(fresh):
    """A copy with two good clips."""
    project = fresh(**FAST)
    small_corpus(project, "lab", {"anna": take(1, 8), "ben": take(2, 8)})
    return project


def complaints(done) -> list[str]:
    return sorted({line.strip() for line in done.lines if line.strip().startswith("error: ")})


def test_a_results_folder_that_cannot_be_written(small):
    results = small.root / "results"
    with mounted(results, "ro", "size=1M"):
        done = small.snakemake("features")
    assert done.rc != 0
    assert any("results" in line and "Read-only file system" in line for line in done.lines), done.output
    assert TRACEBACK not in done.output


@pytest.mark.slow
@pytest.mark.parametrize("room", ["400k", "1400k"], ids=["in-faces", "later"])
def test_no_space_left(small, room):
    """One line says so, no half file stays, and with more space the same command ends what it began."""
    results = small.root / "results"
    with mounted(results, f"size={room}"):
        done = small.snakemake("features")
        assert done.rc != 0
        assert TRACEBACK not in done.output
        assert len(complaints(done)) >= 1 and all("No space left on device" in line for line in complaints(done))
        for path in results.rglob("*.h5"):
            with Store(path) as store:  # whole, or not there
                assert store.clips
        assert not [path for path in results.rglob(".*.part*")]
        subprocess.run(["mount", "-o", "remount,size=64M", results], check=True)
        done = small.snakemake("features")
        assert done.rc == 0, done.output
        assert (results / "lab/problems.csv").exists()
    shutil.rmtree(small.root / ".snakemake")  # what it remembers of the results that are gone


@pytest.mark.slow
def test_no_space_left_for_the_embedded_corpus(fresh):
    """A video cut short by a full disk must not pass for a whole one."""
    project = fresh(synthetic={"subjects": 2, "clips": 1, "size": 160, "fps": 60})
    with mounted(project.root / "data", "size=200k"):
        done = project.snakemake("corpus")
        assert done.rc != 0 and TRACEBACK not in done.output
        assert any("space" in line for line in complaints(done)), done.output
        assert not list((project.root / "data/synthetic").rglob("*.avi"))


@pytest.mark.slow
def test_own_recordings_without_labels(small):
    """Every stage up to the features, and the report; nothing is scored."""
    done = small.snakemake("all")
    assert done.rc == 0, done.output
    assert count(small.planned()) == {}
    lab = small.root / "results/lab"
    assert len(pd.read_csv(lab / "leaderboard.csv")) == 0 and not (lab / "predictions").exists()
    assert "lab/anna/anna" in (lab / "report/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("experiment", ["bi_woof", "ststnet"])
def test_an_own_video_and_a_model_from_elsewhere(mini, tmp_path, experiment):
    clip, picture = tmp_path / "my face.avi", tmp_path / "answer.png"
    write_video(clip, take(1, 8), 25)
    model = f"results/synthetic/models/{experiment}.safetensors"
    done = mini.run("mer", "predict", clip, "--model", model, "--picture", picture)
    assert done.rc == 0, done.output
    shares = [float(line.split()[1]) for line in done.lines if re.match(r"(negative|positive|surprise) ", line)]
    assert len(shares) == 3 and sum(shares) == pytest.approx(1, abs=0.002)
    assert "trained on 6 clips of 3 subjects of 'synthetic'" in done.output
    assert "rendered faces, not people" in done.output
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 10_000


@pytest.mark.slow
def test_media_as_they_come(fresh, shared):
    """A film of one face, one whose face comes and goes, one without a face, and a photograph."""
    project = fresh(**{**FAST, "ingest": {"max_frames": 4000}})
    folder = project.root / "data/lab"
    folder.mkdir(parents=True)
    for name in ("single_face.mp4", "face_noface.mov", "no_face.mp4", "multi_face.jpg"):
        (folder / name).symlink_to(shared / "data/video" / name)
    rows = ["single_face.mp4,a,0,,24,", "face_noface.mov,b,0,,24,", "no_face.mp4,c,0,,24,", "multi_face.jpg,d,,,,"]
    (folder / "clips.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    done = project.snakemake("features")
    assert done.rc == 0, done.output
    found = pd.read_csv(project.root / "results/lab/problems.csv", dtype=str, keep_default_na=False)
    lost = found[found["severity"] == "skipped"].set_index("clip")["what"]
    assert set(lost.index) == {"lab/c/no_face", "lab/d/multi_face.jpg"}
    assert "no face found" in lost["lab/c/no_face"]
    assert "one frame" in lost["lab/d/multi_face.jpg"]


def test_frames_may_be_added_later(small):
    """A repaired source reruns its own shard and no other corpus's."""
    folder = small.root / "data/lab"
    write_frames(folder / "cleo", take(3, 8))
    with (folder / "clips.csv").open("a") as sheet:
        sheet.write("cleo,cleo,0,4,7,\n")
    found = count(small.planned("features"))
    assert found["index"] == 1 and found["faces_shard"] == 1
