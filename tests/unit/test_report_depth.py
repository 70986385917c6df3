"""The page of the depth network: figures with their baseline, pictures, and what is rendered marked as such."""

import json

import numpy as np
import pytest

from mer_lib import clips, weights
from mer_lib.report.collect import collect_depth
from mer_lib.report.data import ReportData
from mer_lib.report.page import build
from mer_lib.report.sections import depth

SIDE = 32
FIGURES = {
    "network": {"mae_mm": 5.0, "relative": 0.05, "normal_degrees": 17.5, "overlap": 0.97},
    "mean_face": {"mae_mm": 12.5, "relative": 0.11, "normal_degrees": 18.5, "overlap": 0.86},
    "people": 36, "shots": 864, "people_held_out": 4, "shots_held_out": 96, "steps": 324,
    "imagenet": False, "embedded": True,
}  # fmt: skip


@pytest.fixture
def files(tmp_path):
    bowl = np.hypot(*(np.mgrid[:SIDE, :SIDE] - SIDE / 2)) / SIDE
    maps = np.where(bowl < 0.4, bowl, np.nan).astype(np.float32)
    frames = np.full((2, SIDE, SIDE, 3), 128, np.uint8)
    arrays = {
        "frames": frames, "truth": np.stack([maps] * 2), "found": np.stack([maps + 0.01] * 2), "mean": maps,
        "real": frames[:1], "real_found": maps[None],
    }  # fmt: skip
    weights.save(tmp_path / "pictures.safetensors", arrays, {"names": ["embedded/1, shot 0", "<b>, shot 1"]})
    (tmp_path / "metrics.json").write_text(json.dumps(FIGURES))
    return str(tmp_path / "metrics.json"), str(tmp_path / "pictures.safetensors")


def test_the_page_shows_figures_and_pictures(files):
    page = build(collect_depth(*files))
    assert "What was run on what" not in page  # nothing was, on any corpus
    assert "How deep a face is" in page and "60% less" in page
    for told in ("5.00", "12.50", "depth network", "mean face", "36", "without ImageNet weights"):
        assert told in page
    assert page.count("<img") == 2 * 4 + 2
    assert "&lt;b&gt;, shot 1" in page and "<b>, shot" not in page


def test_a_worse_network_is_called_worse(files, tmp_path):
    figures = FIGURES | {"network": FIGURES["mean_face"] | {"mae_mm": 15.0}}
    (tmp_path / "metrics.json").write_text(json.dumps(figures))
    assert "20% more" in build(collect_depth(*files))


def test_without_a_network_there_is_no_section():
    assert depth.section(ReportData("toy", True, clips.table([]))) is None
