"""``mer cut``: intervals of long videos as recordings of their own, which the adapter folder reads back."""

import numpy as np
import pandas as pd
import pytest
from layouts import casme_sq, megc2019
from layouts.common import write_frames
from typer.testing import CliRunner

from mer_lib import clips
from mer_lib.cli import app
from mer_lib.commands.cut import cut
from mer_lib.corpora.folder import index
from mer_lib.ingest.measure import measure
from mer_lib.ingest.source import open_source
from mer_lib.ingest.writer import write_video
from mer_lib.problems import BadInput, collect

CLASSES = clips.OFFICIAL_CLASSES


def row(**given):
    return {
        "clip": "d/s/a", "dataset": "d", "subject": "d/s", "name": "a", "source": "a", "kind": "frames",
        "type": "micro", "fps": 30, "frames": 30, "onset": 10, "apex": 12, "offset": 15, "label": "negative",
        "emotion": "disgust", "action_units": "4+7", **given,
    }  # fmt: skip


def run(*words):
    return CliRunner().invoke(app, ["cut", *map(str, words)])


def test_cut_clips_are_a_corpus_of_the_adapter_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = casme_sq.write(tmp_path / "in")
    done = run("casme_sq", tmp_path / "out", "--margin", 4, "--root", root)
    assert done.exit_code == 0, done.output
    assert f"{tmp_path / 'out'}: 4 clips of 2 subjects" in done.output
    assert "clip casme_sq/s23/anger2_1" in done.output  # what could not be indexed is said
    table = index(tmp_path / "out", name="cut", classes=CLASSES).set_index("name")
    found = table.loc["anger1_1"]
    assert (found["onset"], found["apex"], found["offset"], found["fps"]) == (4, 8, 11, 30)
    numbers = sorted(path.name for path in (tmp_path / "out" / found["source"]).iterdir())
    assert numbers == [f"img{n:03d}.jpg" for n in range(1, 17)]  # onset 5 … offset 12 and 4 on either side
    assert found["label"] == "negative" and found["action_units"] == "4" and found["subject"] == "cut/s15"
    measured = measure(table.reset_index(), tmp_path / "out", max_frames=100)
    assert measured.set_index("name").loc["anger1_1", "frames"] == 16


def test_macro_expressions_on_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = casme_sq.write(tmp_path / "in")
    assert run("casme_sq", tmp_path / "out", "--type", "macro", "--root", root).exit_code == 0
    assert set(index(tmp_path / "out", name="c", classes=CLASSES)["name"]) == {"disgust1_1", "happy1_1"}


@pytest.mark.parametrize(("margin", "wanted"), [(0, (10, 16)), (3, (7, 19)), (100, (0, 30))])
def test_a_margin_ends_with_the_recording(tmp_path, margin, wanted):
    write_frames(tmp_path / "a", range(1, 31), "img{}.png")
    sheet = cut(clips.table([row()]), lambda _: tmp_path, tmp_path / "out", margin=margin)
    kept = sorted(int(path.stem[3:]) - 1 for path in (tmp_path / "out/s/a").iterdir())
    assert (kept[0], kept[-1] + 1) == wanted
    assert sheet.loc[0, ["onset", "apex", "offset"]].tolist() == [10 - wanted[0], 12 - wanted[0], 15 - wanted[0]]


def test_a_margin_ends_at_a_missing_frame(tmp_path):
    write_frames(tmp_path / "a", [*range(1, 6), *range(8, 19), *range(20, 32)], "img{}.png")
    cut(clips.table([row(onset=8, apex=9, offset=12)]), lambda _: tmp_path, tmp_path / "out", margin=20)
    kept = sorted(int(path.stem[3:]) for path in (tmp_path / "out/s/a").iterdir())
    assert kept == list(range(8, 19))


def test_a_video_stays_bit_for_bit_and_an_unknown_apex_unknown(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (20, 32, 48, 3), np.uint8)
    write_video(tmp_path / "long.avi", frames, 25)
    given = row(clip="d/s/a@5", source="long.avi", kind="video", frames=20, onset=5, apex=None, offset=9, fps=25)
    sheet = cut(clips.table([given]), lambda _: tmp_path, tmp_path / "out", margin=2)
    back = np.stack(list(open_source(tmp_path / "out" / sheet.loc[0, "source"], "video").frames()))
    np.testing.assert_array_equal(back, frames[3:12])
    assert sheet.loc[0, "source"] == "s/a@5.avi" and pd.isna(sheet.loc[0, "apex"])
    table = index(tmp_path / "out", name="d", classes=CLASSES)
    assert table.loc[0, "clip"] == "d/s/a@5" and table.loc[0, "onset"] == 2


def test_subjects_of_two_data_sets_stay_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    megc2019.write(tmp_path / "data", subjects=1, clips=1)
    assert run("megc2019", tmp_path / "out").exit_code == 0
    subjects = pd.read_csv(tmp_path / "out/clips.csv")["subject"]
    assert [subject.split(".")[0] for subject in subjects] == ["casme2", "smic", "samm"]


def test_what_cannot_be_cut_is_said(tmp_path):
    write_frames(tmp_path / "a", range(1, 31), "img{}.png")
    table = clips.table([row(), row(clip="d/s/b", name="b", source="b")])
    with collect() as found:
        sheet = cut(table, lambda _: tmp_path, tmp_path / "out")
    assert len(sheet) == 1 and [p.clip for p in found] == ["d/s/b"]
    with pytest.raises(BadInput, match="is not empty"):
        cut(table, lambda _: tmp_path, tmp_path / "out")
    with pytest.raises(BadInput, match="no macro-expression to cut among 2 clips"):
        cut(table, lambda _: tmp_path, tmp_path / "other", kind="macro")


def test_frames_of_an_earlier_cut_would_shift_every_position(tmp_path):
    write_frames(tmp_path / "a", range(1, 31), "img{}.png")
    cut(clips.table([row()]), lambda _: tmp_path, tmp_path / "out", margin=5)
    (tmp_path / "out/clips.csv").unlink()
    with pytest.raises(BadInput, match="is not empty; name a new folder"):
        cut(clips.table([row()]), lambda _: tmp_path, tmp_path / "out")


def test_a_frame_that_cannot_be_copied_loses_its_clip_alone(tmp_path):
    for name in ("a", "b"):
        write_frames(tmp_path / name, range(1, 31), "img{}.png")
    (tmp_path / "a/img12.png").unlink()
    (tmp_path / "a/img12.png").symlink_to("nowhere")
    table = clips.table([row(), row(clip="d/s/b", name="b", source="b")])
    with collect() as found:
        sheet = cut(table, lambda _: tmp_path, tmp_path / "out")
    assert sheet["name"].tolist() == ["b"] and "img12.png: cannot be copied (No such file" in str(found[0])
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"file: cannot be made or listed \(File exists\)"):
        cut(table, lambda _: tmp_path, tmp_path / "file")
