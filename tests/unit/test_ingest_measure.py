"""The clip table held against its media: what is filled in and which clips are refused."""

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


@pytest.mark.parametrize("column", ["onset", "apex", "offset"])
def test_an_interval_past_the_end_loses_its_clip_only(root, column):
    result, problems = measured(root, table(**{column: [20, 19]}))
    assert result["clip"].tolist() == ["own/s/a@1"]
    assert [p.severity for p in problems] == ["skipped"]
    expected = rf"clip own/s/a@0: .*a.mkv: {column} 20 is past the end: its frames are 0 to 19; correct the sheet"
    assert pd.Series([str(problems[0])]).str.contains(expected).all()


def test_an_unreadable_medium_loses_its_clips_only(root):
    result, problems = measured(root, table(source=["empty.mkv", "a.mkv", "empty.mkv"]))
    assert result["clip"].tolist() == ["own/s/a@1"]
    assert [p.clip for p in problems] == ["own/s/a@0", "own/s/a@2"] and "empty" in problems[0].what


def test_a_long_source_must_name_its_interval(root):
    result, problems = measured(root, table(onset=[None, 3, 3], offset=[None, None, 9]), max_frames=10)
    assert result["clip"].tolist() == ["own/s/a@2"]
    assert "20 frames and no onset and offset" in problems[0].what and "max_frames (10)" in problems[0].remedy


def test_an_empty_table_and_features_pass(root):
    assert measured(root, table(fps=[]))[0].empty
    assert measured(root, table(kind=["features"], source=["nowhere"]))[0]["frames"].isna().all()


def test_folders_of_frames_leave_an_unknown_rate_unknown(root):
    for i in range(3):
        (root / "clip").mkdir(exist_ok=True)
        (root / "clip" / f"{i}.pgm").write_bytes(b"P5 1 1 255 " + bytes([i]))
    result, _ = measured(root, table(kind=["frames"], source=["clip"]))
    assert result["frames"].tolist() == [3] and result["fps"].isna().all()
