"""The published inputs of the MEGC 2019 composite: both forms of the archive, and what may be wrong with them."""

import os
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from layouts import megc2019_features as layout

from mer_lib import clips
from mer_lib.corpora import indexing
from mer_lib.corpora.megc2019_features import index
from mer_lib.descriptors.flow28 import flow28
from mer_lib.ingest.features import read_features
from mer_lib.ingest.measure import measure
from mer_lib.params import Corpus
from mer_lib.problems import BadInput, collect

CLASSES = clips.OFFICIAL_CLASSES
SOME = ("s18", "006", "sub01")


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    return layout.write_flat(tmp_path_factory.mktemp("flat"))


@pytest.fixture(scope="module")
def loso(tmp_path_factory):
    return layout.write_loso(tmp_path_factory.mktemp("loso"), SOME)


@pytest.fixture
def copy(loso, tmp_path):
    return shutil.copytree(loso, tmp_path / "copy")


def told(root):
    with collect() as found:
        table = index(root, name="megc2019-features", classes=CLASSES)
    return table, found


@pytest.mark.parametrize("form", ["flat", "loso"])
def test_442_clips_of_68_subjects_with_the_official_labels(form, request):
    table, found = told(request.getfixturevalue(form))
    assert not found and len(table) == 442 and table["subject"].nunique() == 68
    assert table["dataset"].value_counts().to_dict() == {"casme2": 145, "smic": 164, "samm": 133}
    assert table["label"].value_counts().to_dict() == {"negative": 250, "positive": 109, "surprise": 83}
    assert (table["kind"] == "features").all() and (table["type"] == "micro").all()


def test_ids_carry_the_component_data_sets_and_zeros(flat):
    table = told(flat)[0].set_index("clip")
    assert table.loc["samm/006/006_1_2", "source"] == "006_006_1_2 .png"  # a blank before the dot
    assert table.loc["casme2/sub01/EP02_01f", "label"] == "positive"
    assert table.loc["smic/s18/s18_sur_03", "label"] == "surprise"  # negative in the sheet of SMIC-E


def test_the_held_out_subjects_own_copy_is_the_source(loso):
    table = told(loso)[0].set_index("clip")
    assert table.loc["smic/s18/s18_sur_03", "source"] == "s18/u_test/2/s18_s18_sur_03 .png"


def test_names_without_the_blank_and_in_another_case(tmp_path):
    root = layout.write_flat(tmp_path, blank="")
    (root / "sub01_EP02_01f.png").rename(root / "Sub01_EP02_01f.PNG")
    table, found = told(root)
    assert len(table) == 442 and not found


def test_folders_of_empty_classes_are_absent_and_that_is_fine(loso):
    assert not (loso / "s18/u_test/1").exists()


@pytest.mark.parametrize("levels", ["above", "below"])
def test_a_root_a_level_too_high_or_too_low(loso, tmp_path, levels):
    if levels == "above":
        (tmp_path / "three_norm_u_v_os").symlink_to(loso)
        assert len(told(tmp_path)[0]) == 442
    else:
        assert len(told(loso / "s18")[0]) == 442


def test_a_ring_of_links_ends(copy):
    (copy / "s18/again").symlink_to(copy)
    assert len(told(copy)[0]) == 442


def test_copies_that_differ_lose_the_clip_and_both_are_named(copy):
    changed = copy / "006/u_train/0/sub01_EP19_05f .png"
    changed.write_bytes(layout.encoded(0))
    table, found = told(copy)
    (said,) = found
    assert len(table) == 441 and said.clip == "casme2/sub01/EP19_05f" and said.severity == "skipped"
    assert "006/u_train/0/sub01_EP19_05f .png" in said.what and said.what.count(".png") == 2


def test_a_class_folder_that_contradicts_the_list_is_noted_and_the_list_taken(copy):
    wrong = copy / "006/u_train/1/sub01_EP19_05f .png"
    (copy / "006/u_train/0/sub01_EP19_05f .png").rename(wrong)
    table, found = told(copy)
    assert table.set_index("name").loc["EP19_05f", "label"] == "negative"
    (said,) = found
    assert (
        "pictures in another class's folder than the official list says: 1" in said.what
        and str(wrong.relative_to(copy)) in said.what
    )


def test_a_held_out_clip_among_the_training_pictures_is_noted(copy):
    (copy / "006/u_test/0/006_006_1_2 .png").rename(copy / "006/u_train/0/006_006_1_2 .png")
    (said,) = told(copy)[1]
    assert "wrong side of u_train and u_test: 1" in said.what and "folds are made anew" in said.remedy


def test_missing_pictures_and_strangers_are_said(copy):
    for file in copy.rglob("*/s01_s01_ne_01 .png"):
        file.unlink()
    (copy / "006/u_train/0/006_006_1_3 .png").unlink(missing_ok=True)
    (copy / "s18/u_train/0/006_006_1_3 .png").unlink()
    (copy / "s18/u_train/0/sub99_EP01_01.png").write_bytes(layout.encoded(0))
    table, found = told(copy)
    said = {p.severity: p for p in found if p.severity == "skipped" or "not in each" in p.what}
    assert len(table) == 441 and said["skipped"].clip == "smic/s01/s01_ne_01"
    assert "no picture 's01_s01_ne_01.png'" in said["skipped"].what
    assert "clips that are not in each of the 3 folders: 1" in said["warning"].what
    assert any("sub99_EP01_01.png" in p.what for p in found)


def test_a_folder_of_something_else_says_what_was_looked_for(tmp_path):
    (tmp_path / "holiday.png").write_bytes(b"")
    with pytest.raises(BadInput, match=r"holiday\.png.*u_train"):
        told(tmp_path)
    with pytest.raises(BadInput, match="no such folder"):
        told(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="has the class 'surprise'"):
        index(tmp_path, name="x", classes=("negative", "positive"))


def test_features_are_u_v_strain_from_red_green_blue(flat):
    rows = list(told(flat)[0].itertuples())
    x = read_features(flat, rows[:3])
    assert x.shape == (3, 28, 28, 3) and x.dtype == np.float32
    for at in range(3):
        np.testing.assert_array_equal(x[at], layout.picture(at))
    assert (x.min(axis=(1, 2)) == 0).all() and (x.max(axis=(1, 2)) == 255).all()
    assert read_features(flat, []).shape == (0, 28, 28, 3)


def test_what_flow28_makes_comes_back_from_a_picture_but_for_rounding(tmp_path):
    rng = np.random.default_rng(3)
    flow = cv2.GaussianBlur(rng.normal(size=(64, 64, 2)), (0, 0), 5)[None]
    made = flow28(flow, np.linalg.norm(flow, axis=-1))
    stored = cv2.cvtColor(np.round(made[0]).astype(np.uint8), cv2.COLOR_RGB2BGR)
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", stored)[1].tobytes())
    back = read_features(tmp_path, [SimpleNamespace(source="a.png")])
    np.testing.assert_allclose(back, made, atol=0.5)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((28, 28), np.uint8), "28×28 of uint8"),
        (np.zeros((28, 28, 4), np.uint8), "28×28×4"),
        (np.zeros((32, 28, 3), np.uint8), "32×28×3"),
        (np.zeros((28, 28, 3), np.uint16), "uint16"),
        (b"", "no picture"),
        (b"\x89PNG broken", "no picture"),
        (None, "cannot be read"),
    ],
)
def test_pictures_of_another_kind_are_refused_by_file(tmp_path, picture, words):
    if picture is not None:
        content = picture if isinstance(picture, bytes) else cv2.imencode(".png", picture)[1].tobytes()
        (tmp_path / "a .png").write_bytes(content)
    with pytest.raises(BadInput, match=words) as error:
        read_features(tmp_path, [SimpleNamespace(source="a .png")])
    assert "a .png" in error.value.problem.file


def test_the_table_is_kept_until_any_copy_changes(copy, tmp_path):
    corpus = Corpus(name="megc2019-features", adapter="megc2019-features", classes=CLASSES)
    ask = lambda: indexing.index(corpus, str(copy), tmp_path / "cache", measure, max_frames=100)  # noqa: E731
    assert len(ask()[0]) == 442 and len(ask()[0]) == 442
    changed = copy / "006/u_train/0/sub01_EP19_05f .png"
    changed.write_bytes(layout.encoded(0))
    os.utime(changed, ns=(1, 1))
    table, problems = ask()
    assert len(table) == 441 and problems[0].stage == "index"


@pytest.mark.slow
def test_the_whole_archive(tmp_path):
    root = layout.write_loso(tmp_path)
    table, found = told(root)
    assert len(list(root.rglob("*.png"))) == 68 * 442 and len(table) == 442 and not found
