"""Depth of a clip by a network whose answer is known: what is face, what is told, what is refused."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from mer_lib import weights
from mer_lib.faces.align import template
from mer_lib.geometry import depth as depth_module
from mer_lib.geometry.depth import DepthModel, load, of_clip, predict
from mer_lib.geometry.depth_error import errors, mean_errors, normals
from mer_lib.geometry.depth_net import DepthNet
from mer_lib.problems import BadInput, collect

SIZE = 64
LANDMARKS = np.repeat(template(SIZE, 0.15)[None], 3, axis=0)


class Brightness(torch.nn.Module):
    """Says depth from brightness: white is near, black is no face."""

    near, far = -1.0, 2.0

    def forward(self, pictures):
        return self.far - (self.far - self.near) * pictures.mean(dim=1)


@pytest.fixture
def model():
    return DepthModel(Brightness(), {"size": SIZE}, torch.device("cpu"))


def frames_of(depth):
    """Crops (T, S, S, 3) that :class:`Brightness` sees as depth (T, S, S), NaN black."""
    level = np.where(np.isnan(depth), 0, (2.0 - depth) / 3.0)
    return np.repeat(np.rint(255 * level)[..., None], 3, axis=-1).astype(np.uint8)


def a_face():
    rows, columns = np.mgrid[:SIZE, :SIZE]
    middle = template(SIZE, 0.15)[2]
    away = np.hypot((columns - middle[0]) / 25, (rows - middle[1]) / 30)
    return np.repeat(np.where(away < 1, -0.4 + away**2, np.nan)[None], 3, axis=0).astype(np.float32)


def test_depth_is_the_networks_and_nan_where_no_face_is(model):
    truth = a_face()
    depth, quality = predict(frames_of(truth), LANDMARKS, model)
    assert depth.dtype == np.float32 and depth.shape == truth.shape
    assert np.array_equal(np.isnan(depth), np.isnan(truth))
    inner = ndimage.binary_erosion(~np.isnan(truth), np.ones((1, 3, 3)), iterations=3)
    np.testing.assert_allclose(depth[inner], truth[inner], atol=3 / 255)
    np.testing.assert_allclose(depth[~np.isnan(truth)], truth[~np.isnan(truth)], atol=0.08)  # smoothed at the outline
    assert set(quality) == {"outside", "hidden", "doubt"} and all(q.shape == (3,) for q in quality.values())
    assert all(q.dtype == np.float32 for q in quality.values())
    assert set(of_clip(frames_of(truth), LANDMARKS, model)) == {"depth", *quality}


def test_a_grid_of_the_decoder_is_smoothed_off_and_the_face_is_not(model):
    truth = a_face()
    rows, columns = np.mgrid[:SIZE, :SIZE]
    grid = np.where((rows // 2 + columns // 2) % 2 == 1, 0.05, -0.05).astype(np.float32)
    depth, _ = predict(frames_of(truth + grid), LANDMARKS, model)
    inner = np.zeros((SIZE, SIZE), bool)
    inner[15:50, 18:46] = True
    pitch = 1 / 25
    (true, gridded, found) = (normals(d[0], pitch)[inner] for d in (truth, truth + grid, depth))
    turned = [np.degrees(np.arccos(np.clip((n * true).sum(-1), -1, 1))).mean() for n in (gridded, found)]
    assert turned[0] > 20 and turned[1] < 0.2 * turned[0]
    assert np.abs(depth[0] - truth[0])[inner].max() < 0.03


def test_a_good_face_is_told_nothing_of(model):
    with collect() as found:
        _, quality = predict(frames_of(a_face()), LANDMARKS, model)
    assert found == [] and quality["hidden"].max() == 0 and quality["outside"].max() < 0.05


def test_a_hand_over_the_face_is_a_hole_and_told(model):
    truth = a_face()
    truth[:, 25:45, 10:40] = np.nan
    with collect() as found:
        depth, quality = predict(frames_of(truth), LANDMARKS, model)
    assert np.isnan(depth[:, 30, 30]).all() and quality["hidden"].min() > 0.1
    assert any("hides the face" in problem.what for problem in found)


def test_a_face_at_the_border_is_told(model):
    beside = LANDMARKS + np.array([SIZE * 0.45, 0])
    with collect() as found:
        _, quality = predict(frames_of(a_face()), beside.astype(np.float32), model)
    assert quality["outside"].min() > 0.3 and any("at the border" in problem.what for problem in found)


def test_what_the_mirror_contradicts_is_doubted(model):
    class Lopsided(Brightness):
        def forward(self, pictures):
            return super().forward(pictures) + torch.linspace(0, 0.5, SIZE)

    with collect() as found:
        _, quality = predict(
            frames_of(a_face()), LANDMARKS, DepthModel(Lopsided(), {"size": SIZE}, torch.device("cpu"))
        )
    assert quality["doubt"].min() > 0.12 and any("doubtful" in problem.what for problem in found)
    _, even = predict(frames_of(a_face()), LANDMARKS, model)
    assert even["doubt"].max() < 0.02


def test_only_the_largest_piece_is_a_face(model):
    truth = a_face()
    truth[:, :4, :4] = 0.5
    depth, _ = predict(frames_of(truth), LANDMARKS, model)
    assert np.isnan(depth[:, :4, :4]).all() and not np.isnan(depth[:, 40, 32]).any()


def test_pictures_without_a_face_and_clips_of_one_frame_do_no_harm(model):
    black = np.zeros((1, SIZE, SIZE, 3), np.uint8)
    with collect() as found:
        depth, quality = predict(black, LANDMARKS[:1], model)
    assert np.isnan(depth).all() and quality["hidden"][0] == 1 and found
    depth, _ = predict(frames_of(a_face())[:1], np.zeros((1, 5, 2), np.float32), model)  # landmarks that coincide
    assert depth.shape == (1, SIZE, SIZE)


def test_batches_do_not_show(model, monkeypatch):
    truth = np.concatenate([a_face() + 0.02 * t for t in range(3)])
    marks = np.repeat(LANDMARKS[:1], 9, axis=0)
    whole, _ = predict(frames_of(truth), marks, model)
    monkeypatch.setattr(depth_module, "_BATCH", 2)
    assert np.array_equal(whole, predict(frames_of(truth), marks, model)[0], equal_nan=True)


def test_crops_of_another_size_are_refused(model):
    with pytest.raises(BadInput, match=r"96 × 96 pixels, the depth network learned from 64.*faces\.size"):
        predict(np.zeros((1, 96, 96, 3), np.uint8), LANDMARKS[:1], model)


def test_a_model_comes_back_from_its_file(tmp_path):
    torch.manual_seed(0)
    net = DepthNet(-1.0, 2.0).eval()
    path = tmp_path / "model.safetensors"
    tensors = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    weights.save(path, tensors, {"near": -1.0, "far": 2.0, "size": SIZE})
    frames = frames_of(a_face())
    expected = DepthModel(net, {"size": SIZE}, torch.device("cpu"))
    with collect():
        assert np.array_equal(
            predict(frames, LANDMARKS, load(path))[0], predict(frames, LANDMARKS, expected)[0], equal_nan=True
        )
    weights.save(path, {"w": np.zeros(3)}, {"near": -1.0, "far": 2.0})
    with pytest.raises(BadInput, match=r"holds no depth network.*snakemake depth"):
        load(path)


def test_a_model_of_another_recipe_is_refused(tmp_path):
    path, net = tmp_path / "model.safetensors", DepthNet(-1.0, 2.0)
    card = {"near": -1.0, "far": 2.0, "size": SIZE, "made": {"recipe": "asked"}}
    weights.save(path, {name: tensor.numpy() for name, tensor in net.state_dict().items()}, card)
    assert load(path, recipe="asked").card == card
    with pytest.raises(
        BadInput, match=r"other parameters or code \(recipe asked, expected another\).*delete it and run"
    ):
        load(path, recipe="another")


@pytest.mark.parametrize("made", [None, [], "text", {}])
def test_a_card_that_does_not_say_what_made_it_is_refused_in_one_line(tmp_path, made):
    path, net = tmp_path / "model.safetensors", DepthNet(-1.0, 2.0)
    card = {"near": -1.0, "far": 2.0, "size": SIZE, "made": made}
    weights.save(path, {name: tensor.numpy() for name, tensor in net.state_dict().items()}, card)
    assert load(path).card == card
    with pytest.raises(BadInput, match=r"model\.safetensors.*recipe None, expected asked.*delete it and run"):
        load(path, recipe="asked")


@pytest.mark.parametrize("card", [[], None, {"near": -1.0, "far": 2.0}, {"near": "no", "far": 2.0, "size": SIZE}])
def test_a_card_without_its_keys_is_refused_in_one_line(tmp_path, card):
    path, net = tmp_path / "model.safetensors", DepthNet(-1.0, 2.0)
    weights.save(path, {name: tensor.numpy() for name, tensor in net.state_dict().items()}, card)
    with pytest.raises(BadInput, match=r"model\.safetensors.*holds no depth network.*snakemake depth"):
        load(path)


def test_errors_of_a_plane_are_what_geometry_says():
    """A plane against one 0.1 deeper and one tilted by 10 degrees."""
    pitch = 0.02
    x = np.arange(40) * pitch
    flat = np.repeat((0.1 + 0 * x)[None], 40, axis=0)
    truth = flat.copy()
    truth[:, :10] = np.nan
    deeper = errors(truth + 0.1, truth, 1.7, pitch)
    assert deeper["mae_mm"] == pytest.approx(6.3) and deeper["overlap"] == 1
    assert deeper["normal_degrees"] == pytest.approx(0, abs=1e-3)
    tilted = errors(np.where(np.isnan(truth), np.nan, flat + np.tan(np.radians(10)) * x), truth, 1.7, pitch)
    assert tilted["normal_degrees"] == pytest.approx(10, abs=1e-3)
    assert errors(np.full((40, 40), np.nan), truth, 1.7, pitch)["mae_mm"] == pytest.approx(1.6 * 63)
    assert np.isnan(errors(truth, np.full((40, 40), np.nan), 1.7, pitch)["mae_mm"])


def test_normals_are_those_of_a_sphere():
    """In the picture's axes, x right and y down, and with z towards the camera."""
    rows, columns = (np.mgrid[:64, :64] - 31.5) / 60
    toward = np.sqrt(1 - rows**2 - columns**2)
    found = normals(-toward, 1 / 60)
    expected = np.stack([columns, rows, toward], axis=-1)
    assert np.degrees(np.arccos(np.clip((found * expected).sum(axis=-1), -1, 1)))[2:-2, 2:-2].max() < 0.5


def test_means_skip_what_is_missing():
    rows = [{"mae_mm": 1.0, "normal_degrees": np.nan}, {"mae_mm": 3.0, "normal_degrees": 4.0}]
    assert mean_errors(rows) == {"mae_mm": 2.0, "normal_degrees": 4.0}
