"""Rows that do not match their folders: each is told by its line, and the others go on."""

import os
from dataclasses import replace

import pandas as pd
import pytest
from layouts import casme, casme2
from layouts.common import Clip
from typer.testing import CliRunner

from mer_lib import clips
from mer_lib.cli import app
from mer_lib.corpora import casme as casme_adapter
from mer_lib.corpora import casme2 as adapter
from mer_lib.ingest.measure import measure
from mer_lib.problems import collect

CLASSES = ("negative", "positive", "surprise")
GOOD = Clip(1, "EP02_01f", 3, 10, 30, "happiness")
BAD = Clip(2, "EP01_01", 3, 10, 30, "disgust")


def index(root, rows, *, write=None):
    casme2.write(root, rows if write is None else write)
    if write is not None:
        casme2.write_sheet(root / casme2.SHEET, rows)
    with collect() as problems:
        return adapter.index(root, name="casme2", classes=CLASSES), problems


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (replace(BAD, onset=30, offset=3), "offset 3 comes before onset 30; correct the sheet"),
        (replace(BAD, onset="three"), "onset 'three' is no number; correct the cell"),
        (replace(BAD, offset=70), "offset is frame 70, which is not there: the folder holds frames 1 to 40"),
        (replace(BAD, onset=60, offset=90), "onset is frame 60, which is not there"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_its_line(tmp_path, row, words):
    table, problems = index(tmp_path, (GOOD, row), write=(GOOD, BAD))
    assert table["clip"].tolist() == ["casme2/sub01/EP02_01f"]
    lost = [p for p in problems if p.severity == "skipped"]
    assert len(lost) == 1 and words in str(lost[0]) and "CASME2-coding-20140508.xlsx line 3" in str(lost[0])


def test_rows_without_frames_and_frames_without_rows(tmp_path):
    table, problems = index(tmp_path, (GOOD, BAD), write=(GOOD, Clip(3, "EP09_09", 3, 10, 30, "fear")))
    assert len(table) == 1
    assert [(p.severity, p.clip) for p in problems] == [("warning", ""), ("skipped", "casme2/sub02/EP01_01")]
    assert "1 folder of frames has no row in the sheet: CASME2_RAW_selected/sub03/EP09_09" in str(problems[0])
    assert "no frames: there is no folder CASME2_RAW_selected/sub02/EP01_01" in str(problems[1])


def test_an_empty_folder_is_told(tmp_path):
    _, problems = index(tmp_path, (GOOD, BAD), write=(GOOD, replace(BAD, frames=())))
    assert "no numbered images in the folder; unpack the frames again" in str(problems[0])


def test_a_row_that_stands_twice_is_taken_once(tmp_path):
    table, problems = index(tmp_path, (GOOD, BAD, GOOD))
    assert table["clip"].tolist() == ["casme2/sub01/EP02_01f", "casme2/sub02/EP01_01"]
    assert "line 4: the row repeats CASME2-coding-20140508.xlsx line 2; drop it" in str(problems[0])


def test_a_clip_with_two_different_rows_at_one_onset(tmp_path):
    table, problems = index(tmp_path, (GOOD, replace(GOOD, offset=31)))
    assert table["offset"].tolist() == [29]
    assert "the clip stands already in CASME2-coding-20140508.xlsx line 2" in str(problems[0])


def test_a_name_with_two_onsets_is_two_clips(tmp_path):
    table, problems = index(tmp_path, (GOOD, replace(GOOD, onset=15, apex=20)))
    assert table["clip"].tolist() == ["casme2/sub01/EP02_01f@2", "casme2/sub01/EP02_01f@14"] and not problems


def test_an_emotion_nobody_knows_costs_the_label_alone(tmp_path):
    table, problems = index(tmp_path, (GOOD, replace(BAD, emotion="disgsut")))
    assert table["label"].tolist() == ["positive", ""] and table["emotion"].tolist() == ["happiness", "disgsut"]
    assert "did you mean 'disgust'?" in str(problems[0])


def test_rows_out_of_order_keep_the_sheets_order_and_their_frames(tmp_path):
    table, problems = index(tmp_path, (BAD, GOOD))
    assert table["name"].tolist() == ["EP01_01", "EP02_01f"] and not problems


def test_one_subject_id_in_two_sets_is_two_people(tmp_path):
    first, _ = index(tmp_path / "2", (GOOD,))
    casme.write(tmp_path / "1", (replace(GOOD, emotion="disgust"),))
    second = casme_adapter.index(tmp_path / "1", name="casme", classes=CLASSES)
    both = clips.table(pd.concat([first, second]))
    assert both["subject"].tolist() == ["casme2/sub01", "casme/sub01"] and both["clip"].is_unique


def test_a_set_may_stand_under_another_name(tmp_path):
    casme2.write(tmp_path, (GOOD,))
    table = adapter.index(tmp_path, name="mine", classes=CLASSES)
    assert table.loc[0, ["clip", "dataset", "subject"]].tolist() == ["mine/sub01/EP02_01f", "mine", "mine/sub01"]


def test_media_fill_in_the_frames(tmp_path):
    table, _ = index(tmp_path, (GOOD, BAD))
    measured = measure(table, tmp_path, max_frames=100)
    assert measured["frames"].tolist() == [40, 40] and measured["fps"].tolist() == [200, 200]


def test_a_row_that_repeats_another_in_other_letters_is_taken_once(tmp_path):
    table, problems = index(tmp_path, (GOOD, replace(GOOD, name=GOOD.name.upper())), write=(GOOD,))
    assert len(table) == 1 and "the clip stands already in CASME2-coding-20140508.xlsx line 2" in str(problems[0])


def test_a_folder_whose_name_is_no_text_is_told_and_can_be_written(tmp_path, monkeypatch):
    """As archives leave it that were packed with another encoding."""
    monkeypatch.chdir(tmp_path)
    casme2.write(tmp_path / "in", (GOOD, BAD))
    frames = os.fsencode(tmp_path / "in" / "CASME2_RAW_selected")
    os.makedirs(frames + b"/sub02/\xb2\xe2")
    told = CliRunner().invoke(app, ["index", "casme2", "--root", str(tmp_path / "in")])
    assert told.exit_code == 0 and "CASME2_RAW_selected/sub02/\\udcb2\\udce2; nothing to do" in told.stdout
    os.rename(frames, os.path.dirname(frames) + b"/\xb2\xe2")
    told = CliRunner().invoke(app, ["index", "casme2", "--root", str(tmp_path / "in")])
    assert told.exit_code == 2 and "is no UTF-8 text; rename the folder" in told.stderr
