"""The generators of data sets: faces that the detector finds, acting at the sheet's numbers, the same every time."""

import numpy as np
import pytest
from layouts import casme2
from layouts.common import acted, chosen, official, write_frames

from mer_lib.faces.detect import Detector
from mer_lib.ingest.source import open_source

SMALLEST = 96


def test_the_detector_finds_the_acting_face_from_the_first_frame_to_the_last(tmp_path):
    (row,) = casme2.write(tmp_path, casme2.official_rows(1, 1), size=SMALLEST)
    folder = tmp_path / f"CASME2_RAW_selected/sub{row.subject}/{row.name}"
    frames = np.stack(list(open_source(folder, "frames").frames()))
    faces = Detector()(frames[[0, 17, 35]])
    assert [len(found) for found in faces] == [1, 1, 1]


def test_no_clip_is_another_ones_twin_and_each_is_the_same_every_time(tmp_path):
    for name in ("a/x", "a/y", "b/x"):
        write_frames(tmp_path / name, (5, 6), "img{}.png", size=SMALLEST, label="surprise")
    stored = {name: (tmp_path / name / "img5.png").read_bytes() for name in ("a/x", "a/y", "b/x")}
    assert len(set(stored.values())) == 3
    write_frames(tmp_path / "a/x", (5,), "img{}.png", size=SMALLEST, label="surprise")
    assert (tmp_path / "a/x/img5.png").read_bytes() == stored["a/x"]


def test_frames_show_the_act_at_the_sheets_numbers():
    at = (103, 118, 133)
    assert np.array_equal(acted("surprise", SMALLEST, 90, at), acted("surprise", SMALLEST, 103, at))
    assert not np.array_equal(acted("surprise", SMALLEST, 103, at), acted("surprise", SMALLEST, 118, at))


@pytest.mark.parametrize("dataset", ["casme2", "samm", "smic"])
def test_few_clips_of_few_people_have_all_classes(dataset):
    rows = chosen(dataset, 3, 3)
    assert len(rows) == 9 and len({subject for subject, *_ in rows}) == 3
    assert {label for *_, label in rows} == {"negative", "positive", "surprise"} and set(rows) <= set(official(dataset))
