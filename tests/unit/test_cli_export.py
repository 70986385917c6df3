"""``mer export``: meshes that another library opens, views as a folder that the adapter folder reads, and who may."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import trimesh
from geometry_balls import SIZE, clip
from PIL import Image
from typer.testing import CliRunner

from mer_lib import clips
from mer_lib.cli import app
from mer_lib.corpora.folder import index
from mer_lib.geometry.mesh import PUPILS
from mer_lib.geometry.relief import relief
from mer_lib.geometry.views import render_views
from mer_lib.ingest.measure import measure
from mer_lib.ingest.source import open_source
from mer_lib.problems import BadInput, collect
from mer_lib.store import Header, write_shard

ROOT = Path(__file__).parent.parent.parent
YAWS = (-35.0, 25.0)
FIRST = 40  # frame of the source that a clip begins with
CORPUS = "mine"


def row(name, frames, **given):
    return {
        "clip": f"{CORPUS}/ann/{name}", "dataset": CORPUS, "subject": f"{CORPUS}/ann", "name": name, "source": name,
        "kind": "video", "type": "micro", "fps": 100, "frames": 100, "onset": FIRST, "apex": FIRST + frames // 2,
        "offset": FIRST + frames - 1, "label": "negative", **given,
    }  # fmt: skip


def store(path, stage, table, make):
    header = Header(stage=stage, corpus=CORPUS, shard=path.stem, recipe=stage)
    write_shard(path, header, table.itertuples(index=False), make)


def arrays(frames):
    pictures, depth, marks = clip(frames, noise=0.01)
    return pictures, depth, marks.astype(np.float32)


def faces(row):
    frames, _, marks = arrays(int(row.offset) - FIRST + 1)
    return {"frames": frames, "landmarks": marks, "first": np.array([FIRST])}


def depths(row):
    if row.name == "hidden":
        raise BadInput("a hand covers the face", "leave it out")
    return {"depth": arrays(int(row.offset) - FIRST + 1)[1]}


def sides(pairs):
    def make(row):
        depths(row)
        frames, depth, marks = arrays(int(row.offset) - FIRST + 1)
        shown = render_views(frames, depth, marks, YAWS)
        if pairs == "onset_apex":
            shown = shown[:, [0, int(row.apex) - FIRST]]
        return {"frames": shown.reshape(-1, *shown.shape[2:]), "yaw": np.array(YAWS)}

    return make


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Faces, depth and both kinds of views of four clips; of a fifth nothing is made."""
    rows = [row("a", 4), row("b", 6, label="positive"), row("one", 1, apex=None), row("hidden", 3), row("later", 3)]
    table, made = clips.table(rows), tmp_path_factory.mktemp("made") / CORPUS
    clips.save(table, made / "clips.csv")
    for shard, part in (("0000", table[:2]), ("0001", table[2:4])):
        store(made / f"faces/{shard}.h5", "faces", part, faces)
        store(made / f"depth/{shard}.h5", "depth", part, depths)
        store(made / f"multiview/views/frames/{shard}.h5", "views", part, sides("frames"))
        pair = part[part["name"] != "one"]  # nothing moves in one frame
        store(made / f"multiview/views/onset_apex/{shard}.h5", "views", pair, sides("onset_apex"))
    return made


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    """A folder in which the pipeline has run so far."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, tmp_path / "results" / CORPUS)
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, ["export", *map(str, words)])


# ---- meshes ----------------------------------------------------------------------------------------------------------


def test_a_mesh_opens_elsewhere_with_its_texture(project):
    done = run("mesh", f"{CORPUS}/ann/b", "face.glb", "--frame", FIRST + 2)
    assert done.exit_code == 0, done.output
    scene = trimesh.load(project / "face.glb")
    (face,) = scene.geometry.values()
    frames, depth, marks = arrays(6)
    surface = relief(frames, depth, marks)
    np.testing.assert_allclose(face.vertices, surface.vertices(2), atol=1e-6)
    np.testing.assert_array_equal(face.faces, surface.shape.seen_from(45))
    np.testing.assert_array_equal(np.asarray(face.visual.material.baseColorTexture.convert("RGB")), frames[2])
    assert scene.metadata["clip"] == f"{CORPUS}/ann/b" and scene.metadata["frame"] == FIRST + 2
    assert "licence" in scene.metadata["note"] and "licence" in done.output


def test_each_point_of_a_mesh_has_the_colour_that_the_frame_shows_there(project):
    run("mesh", f"{CORPUS}/ann/a", "face.glb")
    (face,) = trimesh.load(project / "face.glb").geometry.values()
    frames, depth, marks = arrays(4)
    surface = relief(frames, depth, marks)
    inner = (np.abs(surface.shape.at - SIZE / 2) < 30).all(axis=1)
    seen = frames[0][tuple(surface.shape.at.T)]
    apart = np.abs(face.visual.to_color().vertex_colors[:, :3].astype(int) - seen)[inner]
    assert np.median(apart) <= 4  # its nearest pixel
    assert (face.face_normals[:, 2] > 0).mean() > 0.95  # outwards, to the camera along z
    assert 1 < np.ptp(face.vertices[:, 0]) / PUPILS < 4  # metres


def test_a_clip_of_one_frame_has_a_mesh(project):
    assert run("mesh", f"{CORPUS}/ann/one", "face.glb").exit_code == 0
    assert len(trimesh.load(project / "face.glb").geometry) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((f"{CORPUS}/ann/a", "face.obj"), "is no .glb"),
        ((f"{CORPUS}/ann/a", "face.glb", "--frame", FIRST + 4), f"frames {FIRST} to {FIRST + 3} of its source"),
        ((f"{CORPUS}/ann/later", "face.glb"), "run: snakemake --cores 8 multiview"),
        ((f"{CORPUS}/ann/hidden", "face.glb"), "a hand covers the face"),
        ((f"{CORPUS}/ann/nobody", "face.glb"), "is no clip of this corpus"),
        (("other/ann/a", "face.glb"), "nothing is made of a corpus 'other' here; choose one of mine"),
        ((f"{CORPUS}/ann/a", "nowhere/../clips.csv/face.glb"), "cannot be written"),
    ],
)
def test_what_is_no_mesh_is_said_in_a_line(project, words, told):
    (project / "clips.csv").write_text("a file")
    done = run("mesh", *words)
    assert done.exit_code == 2 and told in " ".join(done.output.split()), done.output
    assert not list(project.glob("*.glb"))


# ---- views -----------------------------------------------------------------------------------------------------------


def test_views_are_a_corpus_of_the_adapter_folder(project):
    done = run("views", CORPUS, "out", "--allowed")
    assert done.exit_code == 0, done.output
    assert "out: 2 clips in 6 views" in done.output
    assert "2 clips have no views yet; run: snakemake" in done.output and "a hand covers the face" in done.output
    sheet = pd.read_csv("out/clips.csv")
    assert sheet["yaw"].tolist() == [0, *YAWS] * 2 and set(sheet["subject"]) == {"ann"}
    with collect() as told:
        table = index("out", name="sides", classes=clips.OFFICIAL_CLASSES)
    assert [problem.what for problem in told] == ["column 'clip' is not used", "column 'yaw' is not used"]
    table = measure(table, project / "out", max_frames=100).set_index("name")
    assert table["frames"].tolist() == [2] * 6
    found = table.loc["b_yaw+25"]
    assert (found["onset"], found["apex"], found["offset"], found["label"]) == (0, 1, 1, "positive")
    frames, depth, marks = arrays(6)
    wanted = render_views(frames, depth, marks, YAWS)[1, [0, 3]]
    np.testing.assert_array_equal(list(open_source("out/ann/b_yaw+25", "frames").frames()), wanted)
    np.testing.assert_array_equal(Image.open(f"out/ann/b_yaw+0/{FIRST + 3:06d}.png"), frames[3])
    assert "consent" in (project / "out/README.txt").read_text()


def test_views_of_all_frames_are_videos(project):
    done = run("views", CORPUS, "out", "--pairs", "frames", "--allowed")
    assert done.exit_code == 0 and "out: 3 clips in 9 views" in done.output, done.output
    sheet = pd.read_csv("out/clips.csv").set_index("name")
    assert sheet.loc["a_yaw-35.avi", ["onset", "apex", "offset", "fps"]].tolist() == [0, 2, 3, 100]
    video = open_source("out/ann/a_yaw-35.avi", "video")
    frames, depth, marks = arrays(4)
    np.testing.assert_array_equal(list(video.frames()), render_views(frames, depth, marks, YAWS)[0])
    assert video.fps == 100 and pd.isna(sheet.loc["one_yaw+25.avi", "apex"])


def test_a_spotted_apex_counts_where_the_sheet_has_none(project):
    made = project / "results" / CORPUS
    table = clips.load(made / "clips.csv")
    table.loc[table["name"] == "b", "apex"] = pd.NA
    clips.save(table, made / "clips.csv")
    pd.DataFrame([{"clip": f"{CORPUS}/ann/b", "apex": FIRST + 3}]).to_csv(made / "apex.csv", index=False)
    assert run("views", CORPUS, "out", "--allowed").exit_code == 0
    assert (project / f"out/ann/b_yaw-35/{FIRST + 3:06d}.png").is_file()
    (made / "apex.csv").unlink()
    assert "its apex is not known any more" in run("views", CORPUS, "again", "--allowed").output


def test_people_are_exported_by_those_who_may(project):
    done = run("views", CORPUS, "out")
    assert done.exit_code == 2 and "'mine' shows people" in done.output and "--allowed" in done.output
    assert not (project / "out").exists()


def test_rendered_faces_belong_to_nobody(project):
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    (project / "results" / CORPUS).rename(project / "results/synthetic")
    assert run("views", "synthetic", "out").exit_code == 0
    assert "faces of nobody" in (project / "out/README.txt").read_text()


def test_a_folder_that_holds_anything_is_left_alone(project):
    (project / "out").mkdir()
    (project / "out/mine.txt").write_text("mine")
    done = run("views", CORPUS, "out", "--allowed")
    assert done.exit_code == 2 and "out: is not empty; name a new folder" in done.output
    assert [path.name for path in (project / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((CORPUS, "out", "--allowed", "--pairs", "all"), "choose one of onset_apex, frames"),
        (("other", "out", "--allowed"), "choose one of mine"),
    ],
)
def test_what_has_no_views_is_said_in_a_line(project, words, told):
    done = run("views", *words)
    assert done.exit_code == 2 and told in done.output and not (project / "out").exists()


def test_missing_stores_say_what_to_run(project):
    where = project / "results" / CORPUS / "multiview/views"
    (where / "onset_apex").rename(where / "gone")
    assert "choose --pairs frames" in run("views", CORPUS, "out", "--allowed").output
    (where / "frames").rename(where / "too")
    assert "run: snakemake --cores 8 multiview" in run("views", CORPUS, "out", "--allowed").output
