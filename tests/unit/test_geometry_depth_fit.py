"""The depth network's training on faces that are quick to draw: people apart, what is learned from, what is drawn."""

import numpy as np
import pytest
import torch

from mer_lib import weights
from mer_lib.geometry import depth_fit
from mer_lib.geometry.depth import load, predict
from mer_lib.geometry.depth_draws import drawn, jittered
from mer_lib.geometry.depth_fit import Shots, fit, mean_face, share_of_rate, split, target
from mer_lib.problems import BadInput, collect
from mer_lib.store import Header, write_shard

SIZE, PEOPLE, COUNT = 32, 10, 6
RECIPE = {
    "near": -1.0,
    "far": 2.0,
    "threshold": 0.03,
    "lr": 2e-3,
    "lr_last": 5e-4,
    "batch": 4,
    "epochs": 2,
    "held_out": 0.2,
    "seed": 3,
}


class Row:
    def __init__(self, clip):
        self.clip = clip


def bowls(row):
    """Shots (n, S, S) of bowls before black, each in its own place; white is near, as in a head-lit room."""
    rng = np.random.default_rng(int(row.clip.split("/")[1]))
    rows, columns = np.mgrid[:SIZE, :SIZE]
    depth = []
    for _ in range(COUNT):
        x, y = rng.uniform(10, 22, 2)
        away = np.hypot(columns - x, rows - y) / rng.uniform(8, 12)
        depth.append(np.where(away < 1, -0.4 + away**2, np.nan))
    depth = np.stack(depth).astype(np.float32)
    grey = np.where(np.isnan(depth), 0, 230 - 120 * (depth + 0.4)).astype(np.uint8)
    marks = np.tile(np.float32([[12, 12], [20, 12], [16, 16], [13, 20], [19, 20]]), (COUNT, 1, 1))
    return {"frames": np.repeat(grey[..., None], 3, axis=-1), "depth": depth, "landmarks": marks}


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shots")
    paths = []
    for shard in range(2):
        rows = [Row(f"embedded/{n}") for n in range(shard, PEOPLE, 2)]
        paths.append(folder / f"{shard}.h5")
        write_shard(paths[-1], Header("shots", "depth", str(shard), "toy"), rows, bowls)
    with Shots(paths) as opened:
        yield opened


@pytest.fixture(scope="module")
def fitted(shots):
    return fit(shots, **RECIPE, told=lambda text: None)


def test_people_not_pictures_are_kept_apart():
    for people, share in ((2, 0.1), (10, 0.1), (40, 0.1), (7, 0.9)):
        learn, test = split(people, share, 1)
        assert sorted(learn + test) == list(range(people)) and learn and test
    assert len(split(40, 0.1, 1)[1]) == 4
    assert split(40, 0.1, 1) != split(40, 0.1, 2)
    with pytest.raises(BadInput, match=r"scans\.people"):
        split(1, 0.1, 1)


def test_nothing_of_those_held_out_is_learned_from(shots, monkeypatch):
    read = []
    original = Shots.read
    monkeypatch.setattr(Shots, "read", lambda self, at, name: read.append(at[0]) or original(self, at, name))
    monkeypatch.setattr(depth_fit, "_tested", lambda *given: {"mae_mm": 0.0})
    found = fit(shots, **RECIPE | {"epochs": 1}, told=lambda text: None)
    assert found.held_out and not set(read) & set(found.held_out)
    assert set(read) | set(found.held_out) == set(range(PEOPLE))


def test_the_loss_falls_and_the_figures_say_on_whom(fitted):
    assert [row["epoch"] for row in fitted.curve] == [1, 2]
    assert fitted.curve[-1]["loss"] < 0.8 * fitted.curve[0]["loss"]
    assert set(fitted.figures["network"]) == set(fitted.figures["mean_face"])
    counted = {key: fitted.figures[key] for key in ("people", "people_held_out", "shots", "shots_held_out", "steps")}
    assert counted == {"people": 8, "people_held_out": 2, "shots": 48, "shots_held_out": 12, "steps": 24}
    assert fitted.figures["embedded"] is True and fitted.figures["imagenet"] is False


def test_the_same_seed_gives_the_same_bytes_whatever_was_drawn_before(shots, fitted):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    again = fit(shots, **RECIPE, told=lambda text: None).tensors()
    assert all(np.array_equal(array, again[name]) for name, array in fitted.tensors().items())
    assert torch.equal(torch.get_rng_state(), before)


def test_the_file_holds_the_network_that_was_trained(fitted, shots, tmp_path):
    path = tmp_path / "model.safetensors"
    weights.save(path, fitted.tensors(), dict(fitted.model.card))
    at = shots.of(fitted.held_out)[:3]
    frames, marks = (np.stack([shots.read(shot, name) for shot in at]) for name in ("frames", "landmarks"))
    with collect():
        found, expected = predict(frames, marks, load(path)), predict(frames, marks, fitted.model)
    assert np.array_equal(found[0], expected[0], equal_nan=True)


def test_a_training_that_diverges_says_so(shots):
    with pytest.raises(BadInput, match=r"diverged in epoch 1.*depth\.lr"):
        fit(shots, **RECIPE | {"lr": 1e30, "lr_last": 1e30}, told=lambda text: None)


def test_weights_that_are_no_encoder_are_refused(shots, tmp_path):
    path = tmp_path / "other.safetensors"
    weights.save(path, {"w": np.zeros(3, np.float32)}, {})
    with pytest.raises(BadInput, match=r"other\.safetensors"):
        fit(shots, **RECIPE, imagenet=str(path), told=lambda text: None)


def test_the_rate_rises_stays_and_falls():
    rate = np.array([share_of_rate(step, 200, 0.1) for step in range(200)])
    assert rate[0] == pytest.approx(0.05) and (rate[20:101] == 1).all()
    assert (np.diff(rate[100:]) < 0).all() and rate[-1] == pytest.approx(0.1, rel=0.03)
    assert share_of_rate(150, 200, 0.1) == pytest.approx(0.1**0.5)  # geometric: half way is the root


def test_what_is_no_face_lies_at_the_far_end():
    depth = np.float32([[np.nan, 1.9], [0.5, -0.4]])
    assert np.array_equal(target(depth, 2.0, 1.7), np.float32([[2.0, 2.0], [0.5, -0.4]]))


def test_the_mean_face_is_the_mean_where_most_have_a_face(shots):
    which = shots.of(range(PEOPLE))
    depths = np.stack([shots.read(at, "depth") for at in which])
    found = mean_face(shots, which, 1.7, 2.0)
    most = (~np.isnan(depths)).mean(axis=0) >= 0.5
    assert most.any() and (found[~most] == 2.0).all()
    np.testing.assert_allclose(found[most], np.nanmean(depths[:, most], axis=0), atol=1e-5)


def test_what_is_drawn_moves_picture_and_depth_alike():
    frame = np.zeros((SIZE, SIZE, 3), np.uint8)
    frame[:, : SIZE // 2] = 200
    depth = np.where(frame[..., 0] > 0, np.float32(0.3), np.float32(np.nan))
    mirrored = 0
    for seed in range(60):
        found, deep = drawn(frame, depth, np.random.default_rng(seed))
        assert found.dtype == np.uint8 and deep.dtype == np.float32
        face = ~np.isnan(deep)
        assert set(np.unique(deep[face])) <= {np.float32(0.3)}
        if face.any() and 0.45 < face.mean() < 0.55:  # nothing before it
            mirrored += face[:, SIZE // 2 :].all()
            assert found[face].mean() > found[~face].mean() + 50
    assert 10 < mirrored < 45
    assert np.isnan(depth).any() and frame.max() == 200  # what was given is as it was


def test_jitter_of_hue_keeps_grey_and_brightness(monkeypatch):
    from mer_lib.geometry import depth_draws

    for name in ("BRIGHTNESS", "CONTRAST", "SATURATION"):
        monkeypatch.setattr(depth_draws, name, 0.0)
    picture = np.random.default_rng(0).uniform(90, 150, (8, 8, 3)).astype(np.float32)
    found = jittered(picture, np.random.default_rng(1))
    luma = np.float32([0.299, 0.587, 0.114])
    np.testing.assert_allclose(found @ luma, picture @ luma, atol=0.5)
    assert np.abs(found - picture).max() > 3
    grey = np.full((4, 4, 3), 120, np.float32)
    np.testing.assert_allclose(jittered(grey, np.random.default_rng(1)), grey, atol=0.5)
