"""SMIC and SMIC-E on generated layouts: folders that are the annotation, rows with several onsets."""

import shutil
from collections import Counter

import pytest
from layouts import smic as layout
from layouts.common import Clip

from mer_lib.corpora.smic import index, index_extended
from mer_lib.ingest.measure import measure
from mer_lib.problems import BadInput, collect

CLASSES = ("negative", "positive", "surprise")


def read(root, function=index, **options):
    with collect() as problems:
        return function(root, name="smic", classes=CLASSES, **options), problems


def test_the_official_clips_with_first_and_last_frame_and_no_apex(tmp_path):
    layout.write(tmp_path, subjects=None, clips=None)
    table, problems = read(tmp_path)
    assert not problems and (len(table), table["subject"].nunique()) == (164, 16)
    assert Counter(table["label"]) == {"negative": 70, "positive": 51, "surprise": 43}
    assert table["apex"].isna().all() and set(table["flags"]) == {"no apex"} and set(table["fps"]) == {100}
    measured = measure(table.head(3), tmp_path, max_frames=100)
    assert (measured["onset"] == 0).all() and (measured["offset"] == measured["frames"] - 1).all()


def test_names_are_padded_as_in_the_official_list(tmp_path):
    layout.write(tmp_path, subjects=1, clips=1)
    row = read(tmp_path)[0].iloc[0]
    assert row["clip"] == "smic/s01/s01_ne_01" and row["source"].endswith("/s1/micro/negative/s1_ne_01")


def test_the_recordings_rest_is_left_out(tmp_path):
    layout.write(tmp_path, subjects=1, clips=2)
    assert list((tmp_path / layout.CROPPED / "HS/s1/non_micro").iterdir())
    table, problems = read(tmp_path)
    assert len(table) == 2 and not problems and not table["source"].str.contains("non_micro").any()


@pytest.mark.parametrize("modality", ["VIS", "NIR", "vis"])
def test_the_slow_cameras(tmp_path, modality):
    layout.write(tmp_path, subjects=2, clips=1, modality=modality.upper())
    layout.write(tmp_path, subjects=1, clips=1)
    table, _ = read(tmp_path, modality=modality)
    assert len(table) == 2 and set(table["fps"]) == {25}
    assert table["source"].str.contains(f"/{modality.upper()}/").all()


def test_an_unknown_camera(tmp_path):
    with pytest.raises(BadInput, match="no modality 'IR'"):
        read(tmp_path, modality="IR")


def test_a_folder_without_frames_and_one_whose_name_contradicts(tmp_path):
    layout.write(tmp_path, subjects=2, clips=2)
    micro = tmp_path / layout.CROPPED / "HS/s1/micro"
    shutil.rmtree(micro / "negative/s1_ne_01")
    (micro / "negative/s1_ne_01").mkdir()
    (micro / "positive/s1_po_01").rename(micro / "positive/s1_sur_01")
    table, problems = read(tmp_path)
    assert len(table) == 3
    told = [str(problem) for problem in problems]
    assert any("s1_ne_01: no numbered images in the folder" in line for line in told)
    assert any("lies in the folder 'positive', its name says surprise; the folder is followed" in line for line in told)


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    root = tmp_path_factory.mktemp("smic_e")
    layout.write_extended(root)
    return read(root, index_extended)


def test_onset_and_offset_of_the_longer_recordings(extended):
    row = extended[0].iloc[0]
    assert row[["clip", "onset", "offset"]].tolist() == ["smic/s03/s03_ne_03", 61, 91]  # 17581100 of 17581039 …
    assert row["source"] == "SMIC-E_raw image/HS_long/SMIC-HS-E/s03/s3_ne_03"


def test_offsets_are_formulas_and_text_and_blank_rows_follow(extended):
    table, problems = extended
    assert table["offset"].notna().all()
    assert str(problems[0]).startswith("SMIC-HS-E_annotation.xlsx line 8: has no subject: taken for a remark")


def test_several_onsets_in_a_row_are_several_clips(extended):
    table = extended[0].set_index("clip")
    assert table.loc["smic/s03/s03_po_04@20", ["onset", "offset"]].tolist() == [20, 50]
    assert table.loc["smic/s03/s03_po_04@80", ["onset", "offset"]].tolist() == [80, 110]


def test_s18_sur_03_is_surprise_as_in_the_official_list(extended):
    table, problems = extended
    row = table.set_index("name").loc["s18_sur_03"]
    assert row[["emotion", "label"]].tolist() == ["negative", "surprise"] and "corrected" in row["flags"]
    assert any("the sheet says negative; its name, the cropped set" in str(problem) for problem in problems)


@pytest.mark.parametrize("top", ["SMIC-E_raw image/HS_long/SMIC_HS_E", "SMIC-HS-E/HS", "smic_hs_e"])
def test_other_spellings_of_the_folder_and_the_sheet(tmp_path, top):
    layout.write_extended(tmp_path, top=top, sheet="SMIC-HS-E_annotation_2019.xlsx")
    table, problems = read(tmp_path, index_extended)
    assert len(table) == 5 and table["source"].str.startswith(top).all()
    assert not [p for p in problems if p.severity == "skipped"]


def test_another_version_of_the_header(tmp_path):
    rows = (Clip(3, "s3_ne_03", 120, None, 150, "negative", frames=range(100, 171)),)
    header = [
        {"OnsetF": "Onset1F", "OffsetF": "Offset1F", "Onset2F": "", "Offset2F": ""}.get(h, h) for h in layout.HEADER
    ]
    layout.write_extended(tmp_path, rows, header=header)
    assert read(tmp_path, index_extended)[0]["onset"].tolist() == [20]


def test_both_sets_in_one_folder_are_told_apart(tmp_path):
    layout.write(tmp_path, subjects=1, clips=1)
    layout.write_extended(tmp_path)
    assert len(read(tmp_path)[0]) == 1 and len(read(tmp_path, index_extended)[0]) == 5
