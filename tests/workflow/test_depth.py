"""The depth network as `snakemake depth` makes it: its files, its errors, and the order of real faces' features."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
import yaml
from recordings import hard_to_see
from running import TRACEBACK, count
from skimage.data import astronaut

from mer_lib import weights
from mer_lib.faces.crop import crop_clip
from mer_lib.faces.detect import Detector
from mer_lib.geometry.depth import load, predict
from mer_lib.geometry.shots import Still
from mer_lib.geometry.views import YAWS
from mer_lib.ingest.video import VideoSource
from mer_lib.store import Store

CROP = {"size": 128, "margin": 0.15, "min_probability": 0.9}
TINY = {"scans": {"people": 2, "shots": 1, "shard": 1}, "depth": {"epochs": 1}}
SIDES = 0.25  # interocular distances that a cheek may be deeper than the other: people do not look straight ahead
BEHIND = 2.0  # interocular distances: where no face is
# Places in interocular distances from the middle between the eyes, across and down the face.
BROW, LIPS, CHEEK, OUTLINE = (0, -0.3), (0, 1.15), (0.62, 0.62), (1.0, 0.45)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # on a machine with other work


@cache
def detector():
    return Detector()


@pytest.fixture(scope="module")
def small(fresh):
    project = fresh(**TINY)
    done = project.snakemake("depth")
    assert done.rc == 0, done.output
    return project


@pytest.fixture(scope="module")
def trained(repository, fresh):
    """The default run: minutes."""

    told = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    project = fresh(scans=told["scans"], depth=told["depth"])
    done = project.run("snakemake", "depth", "--cores", "2", timeout=3600)
    assert done.rc == 0, done.output
    return project


def test_the_files_of_the_contract(small):
    folder = small.root / "results/depth"
    _, card = weights.load(folder / "model.safetensors")
    figures = json.loads((folder / "metrics.json").read_text())
    assert card["figures"] == figures and card["size"] == 128 and card["made"]["recipe"]
    assert set(figures) >= {"network", "mean_face", "people", "people_held_out", "shots", "steps"}
    assert list(pd.read_csv(folder / "curve.csv")) == ["epoch", "loss"]
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "How deep a face is" in page and page.count("<img") >= 3
    assert sorted(path.name for path in (folder / "shots").glob("*.h5")) == ["000.h5", "001.h5"]


def test_what_reruns_is_what_changed(small):
    assert small.planned("depth") == []
    assert count(small.planned("depth", depth={"epochs": 2})) == {"depth_model": 1, "depth_page": 1}
    assert count(small.planned("depth", scans={"seed": 2}))["shots_shard"] == 2


def test_a_network_of_other_parameters_is_refused(small):
    """Where rules are isolated, as DVC does it, an old model may lie there when depth is asked for."""
    faces, depth = (f"results/synthetic/{stage}/0000.h5" for stage in ("faces", "depth"))
    assert small.snakemake(faces).rc == 0
    done = small.snakemake(depth, "--allowed-rules", "depth_shard", depth={"epochs": 2})
    assert done.rc != 0 and not (small.root / depth).exists()
    assert "model.safetensors: was made by other parameters or code" in done.output and TRACEBACK not in done.output
    done = small.snakemake(depth, "--allowed-rules", "depth_shard")
    assert done.rc == 0, done.output


def test_it_beats_the_mean_face_clearly(trained):
    figures = json.loads((trained.root / "results/depth/metrics.json").read_text())
    network, mean = figures["network"], figures["mean_face"]
    assert network["mae_mm"] <= 0.7 * mean["mae_mm"] and network["relative"] <= 0.7 * mean["relative"]
    assert network["normal_degrees"] < mean["normal_degrees"]
    assert network["overlap"] > mean["overlap"]
    assert figures["people_held_out"] == 4


def near(depth: np.ndarray, marks: np.ndarray, place: tuple[float, float]) -> float:
    """Depth about a place of the face: median of 5 × 5 pixels."""
    across = marks[1] - marks[0]
    down = np.array([-across[1], across[0]])
    x, y = np.rint(marks[:2].mean(axis=0) + place[0] * across + place[1] * down).astype(int)
    return float(np.median(np.nan_to_num(depth[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3], nan=BEHIND)))


def in_order(depth: np.ndarray, marks: np.ndarray) -> None:
    x, y = np.rint(marks[2]).astype(int)
    nose = float(np.nanmin(depth[y - 8 : y + 9, x - 8 : x + 9]))
    brow, lips = near(depth, marks, BROW), near(depth, marks, LIPS)
    cheeks = [near(depth, marks, (side * CHEEK[0], CHEEK[1])) for side in (-1, 1)]
    outline = [near(depth, marks, (side * OUTLINE[0], OUTLINE[1])) for side in (-1, 1)]
    print("nose, brow, lips:", np.round([nose, brow, lips], 2), "cheeks, outline:", np.round(cheeks + outline, 2))
    assert nose < min(brow, lips) and max(brow, lips) < np.mean(cheeks) < min(outline)
    assert abs(cheeks[0] - cheeks[1]) < SIDES


def test_a_photographed_face_keeps_its_order(trained):
    model = load(trained.root / "results/depth/model.safetensors")
    face = crop_clip(Still(astronaut()), 0, 1, detector(), every=1, **CROP)
    depth, quality = predict(face.frames, face.landmarks, model)
    in_order(depth[0], face.landmarks[0])
    assert quality["hidden"][0] < 0.1


def test_a_filmed_face_keeps_its_order(trained, shared):
    model = load(trained.root / "results/depth/model.safetensors")
    face = crop_clip(VideoSource(shared / "data/video/single_face.mp4"), 0, 10, detector(), every=5, **CROP)
    depth, _ = predict(face.frames, face.landmarks, model)
    for at in (0, len(depth) - 1):
        in_order(depth[at], face.landmarks[at])


def test_faces_that_are_hard_to_see_are_told_and_lose_nothing(trained):
    """A face at the border, one behind a mitten, one behind dark glasses, a clip of one frame: up to their views."""
    hard_to_see(trained.root / "data/hard")
    config = {
        "corpora": [{"name": "hard", "adapter": "folder"}],
        "experiments": {"turned": {"method": "bi_woof", "protocol": "loso_to_views"}},
    }
    done = trained.snakemake("results/hard/problems.csv", **config)
    assert done.rc == 0 and TRACEBACK not in done.output, done.output
    problems = pd.read_csv(trained.root / "results/hard/problems.csv", dtype=str)
    lost = problems[problems["severity"] == "skipped"]
    assert list(lost["clip"]) == ["hard/ben/single"] and "one frame" in lost["what"].iloc[0]
    told = problems.groupby("clip")["what"].agg("; ".join)
    assert "of the crop lie outside the frame" in told["hard/ben/border"]
    assert "something hides the face" in told["hard/anna/mitten"] and "hard/anna/plain" not in told
    hidden, views = {}, {}
    for depths in sorted((trained.root / "results/hard/depth").glob("*.h5")):
        shown = trained.root / "results/hard/multiview/views/onset_apex" / depths.name
        with Store(depths) as depth, Store(shown) as sides:
            hidden |= {clip: float(depth.read(clip, "hidden").max()) for clip in depth.clips}
            views |= {clip: sides.read(clip, "frames") for clip in sides.clips}
    seen = {f"hard/{clip}" for clip in ("anna/plain", "anna/mitten", "ben/border", "ben/glasses")}
    assert set(hidden) == set(views) == seen
    assert hidden["hard/anna/mitten"] > 0.1 > 0.05 > hidden["hard/anna/plain"]
    for clip, frames in views.items():
        assert frames.shape == (2 * len(YAWS), 128, 128, 3) and frames.std(axis=(1, 2, 3)).min() > 5, clip
