"""The clip table held against its media: what is filled in and which clips are refused."""

import cv2
import numpy as np
import pandas as pd
import pytest

from mer_lib import clips
from mer_lib.ingest.measure import measure
from mer_lib.ingest.writer import write_video
from mer_lib.problems import collect


@pytest.fixture
def root(tmp_path):
    write_video(tmp_path / "a.mkv", np.zeros((20, 8, 8, 3), np.uint8), 200)
    (tmp_path / "empty.mkv").touch()
    return tmp_path


def table(**columns):
    row = {"dataset": "own", "subject": "own/s", "name": "a", "source": "a.mkv", "kind": "video", "type": "micro"}
    rows = pd.DataFrame({**row, **{name: list(values) for name, values in columns.items()}})
    return clips.table(rows.assign(clip=[f"own/s/a@{i}" for i in range(len(rows))]))


def measured(root, given, max_frames=1000):
    with collect() as problems:
        result = measure(given, root, max_frames=max_frames)
    return result, problems


def test_frames_and_rate_come_from_the_medium_unless_the_sheet_knows_better(root):
    result, problems = measured(root, table(fps=[None, 100.0]))
    assert result["frames"].tolist() == [20, 20] and result["fps"].tolist() == [200, 100] and not problems


@pytest.mark.parametrize(("column", "last"), [("onset", 18), ("apex", 19), ("offset", 19)])
def test_an_interval_past_the_end_loses_its_clip_only(root, column, last):
    result, problems = measured(root, table(**{column: [20, last]}))
    assert result["clip"].tolist() == ["own/s/a@1"]
    assert [p.severity for p in problems] == ["skipped"]
    expected = rf"clip own/s/a@0: .*a.mkv: {column} 20 is past the end: its frames are 0 to 19; correct the sheet"
    assert pd.Series([str(problems[0])]).str.contains(expected).all()


def test_an_unreadable_medium_loses_its_clips_only(root):
    result, problems = measured(root, table(source=["empty.mkv", "a.mkv", "empty.mkv"]))
    assert result["clip"].tolist() == ["own/s/a@1"]
    assert [p.clip for p in problems] == ["own/s/a@0", "own/s/a@2"] and "empty" in problems[0].what


def test_no_interval_is_longer_than_allowed(root):
    """Whatever names it, the sheet or the ends of the source; how long the source is does not matter."""
    given = table(onset=[None, 3, 3, 10, None, 5], offset=[None, None, 12, None, 9, 15])
    result, problems = measured(root, given, max_frames=10)
    assert result["clip"].tolist() == ["own/s/a@2", "own/s/a@3", "own/s/a@4"]
    assert [p.clip for p in problems] == ["own/s/a@0", "own/s/a@1", "own/s/a@5"]
    for problem, length in zip(problems, (20, 17, 11), strict=True):
        assert problem.what == f"its interval of {length} frames is longer than ingest.max_frames (10)"
        assert "raise ingest.max_frames" in problem.remedy


def test_an_interval_of_one_frame_is_refused(root):
    result, problems = measured(root, table(onset=[7, 19, None, 18], offset=[7, None, 0, None]))
    assert result["clip"].tolist() == ["own/s/a@3"]
    assert [p.clip for p in problems] == ["own/s/a@0", "own/s/a@1", "own/s/a@2"]
    assert "its interval is frame 7 alone: a micro-expression needs at least two" in problems[0].what
    assert "correct onset and offset" in problems[0].remedy


def test_an_empty_table_passes(root):
    assert measured(root, table(fps=[]))[0].empty


def test_published_features_have_no_frames_but_must_be_pictures(root):
    (root / "good.png").write_bytes(cv2.imencode(".png", np.zeros((28, 28, 3), np.uint8))[1].tobytes())
    (root / "bad.png").write_bytes(b"\x89PNG")
    result, problems = measured(root, table(kind=["features"] * 3, source=["good.png", "bad.png", "gone.png"]))
    assert result["source"].tolist() == ["good.png"] and result["frames"].isna().all()
    assert [(p.clip, p.severity) for p in problems] == [("own/s/a@1", "skipped"), ("own/s/a@2", "skipped")]
    assert problems[0].file.endswith("bad.png") and "is no picture or broken; unpack" in str(problems[0])


def test_folders_of_frames_leave_an_unknown_rate_unknown(root):
    for i in range(3):
        (root / "clip").mkdir(exist_ok=True)
        (root / "clip" / f"{i}.pgm").write_bytes(b"P5 1 1 255 " + bytes([i]))
    result, _ = measured(root, table(kind=["frames"], source=["clip"]))
    assert result["frames"].tolist() == [3] and result["fps"].isna().all()
