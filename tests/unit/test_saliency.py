"""What in the input speaks for the answer: against a gradient known beforehand, and the picture of it."""

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from report_toys import made_up, shown
from torch import nn

from mer_lib.commands.predict import Prediction
from mer_lib.commands.saliency import picture
from mer_lib.learning import saliency
from mer_lib.learning.learner import Fitted, Recipe
from mer_lib.learning.network import Network
from mer_lib.models.micro_exp_stcnn import micro_exp_stcnn_18
from mer_lib.problems import BadInput
from mer_lib.report import images


class Planes(nn.Module):
    """(n, 2, 4, 4) -> (n, 3), linear: a class's gradient is its weights wherever one looks."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(32, 3)

    def forward(self, x):
        return self.head(x.flatten(1))


def test_it_is_the_positive_part_of_the_gradient_of_the_predicted_class():
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(3, 32)).astype(np.float32), rng.normal(size=(5, 4, 4, 2)).astype(np.float32)
    state = {"head.weight": weight, "head.bias": np.zeros(3, np.float32)}
    learner = Network(Planes, Recipe(), 3)
    found, classes = learner.saliency(state, x), learner.probabilities(state, x).argmax(1)
    assert found.shape == x.shape and len(set(classes)) > 1
    for one, chosen in zip(found, classes, strict=True):
        np.testing.assert_allclose(one, np.maximum(weight[chosen].reshape(2, 4, 4), 0).transpose(1, 2, 0), rtol=1e-6)


def fitted(kind="model", name="micro_exp_stcnn_18"):
    torch.manual_seed(0)
    state = {name: tensor.numpy() for name, tensor in micro_exp_stcnn_18(3).state_dict().items()}
    return Fitted(kind, name, ("negative", "positive", "surprise"), {}, state)


def prediction(features, model):
    still = np.zeros((8, 8, 3), np.uint8)
    return Prediction(
        probabilities={"negative": 0.2, "positive": 0.5, "surprise": 0.3}, onset=0, apex=4, spotted=False,
        pictures=(still, still), flow=np.zeros((8, 8, 2)), strain=np.zeros((8, 8)), warning="", features=features,
        fitted=model,
    )  # fmt: skip


def test_a_network_says_what_a_step_against_each_value_would_change():
    model = fitted()
    x = np.random.default_rng(1).integers(60, 200, (1, 18, 64, 64, 1)).astype(np.float32)
    found = model.saliency(x)
    network = micro_exp_stcnn_18(3).eval()
    network.load_state_dict({name: torch.tensor(array) for name, array in model.state.items()})
    scores = lambda x: network.double()(torch.tensor(x).double().movedim(-1, 1))[0].detach()  # noqa: E731
    chosen = int(scores(x).argmax())
    for at in np.argsort(found.ravel())[-3:]:
        moved = x.ravel().astype(float)
        moved[at] += 1e-3
        slope = (scores(moved.reshape(x.shape))[chosen] - scores(x)[chosen]) / 1e-3
        assert float(slope) == pytest.approx(found.ravel()[at], rel=1e-3)


def test_a_tenth_is_marked_and_nothing_where_nothing_speaks():
    values = np.random.default_rng(2).permutation(1000).reshape(10, 10, 10) + 1.0
    assert saliency.marked(values).sum() == 100 and saliency.marked(values).ravel()[values.ravel() > 900].all()
    assert not saliency.marked(np.zeros((3, 4, 4))).any()


@pytest.mark.parametrize(("positive", "marked"), [(300, 100), (60, 60)])
def test_the_tenth_is_of_all_places_and_the_report_says_so(positive, marked):
    values = np.maximum(np.random.default_rng(2).permutation(1000).reshape(10, 10, 10) - (999.0 - positive), 0)
    assert (values > 0).sum() == positive and saliency.marked(values).sum() == marked
    assert "the strongest 10% of all places, where the gradient is positive" in shown(made_up(), "saliency")


def test_maps_of_a_fold_are_of_tested_clips_and_of_its_own_model():
    """One of each class by turns; the second seed's model, which differs, is not asked; other views are not shown."""
    rng, network = np.random.default_rng(4), fitted()
    other = {name: -array for name, array in network.state.items()}
    tensors = {f"split@{seed}|{n}": a for seed, state in ((0, network.state), (1, other)) for n, a in state.items()}
    films = {f"d/s/{n}": rng.integers(60, 200, (18, 64, 64, 1), np.uint8) for n in range(8)}
    truths = ["negative"] * 5 + ["positive", "surprise", "surprise"]
    tested = pd.DataFrame([
        {"clip": clip, "fold": "split", "seed": seed, "yaw": yaw, "truth": truth, "predicted": "negative"}
        for seed in (0, 1) for yaw in (0, 15) for clip, truth in zip(films, truths, strict=True)
    ])  # fmt: skip
    arrays, card = saliency.of_fold(tensors, network.meta, tested, films.get)
    assert [told["clip"] for told in card["clips"]] == ["d/s/0", "d/s/5", "d/s/6", "d/s/1"] and card["seed"] == 0
    assert card["clips"][0]["frames"] == [0, 3, 6, 8, 11, 14, 17] and len(arrays) == 8
    _, frames, marks = saliency.shown(network, films["d/s/5"])
    np.testing.assert_array_equal(arrays["1|frames"], frames)
    np.testing.assert_array_equal(arrays["1|marks"], marks)
    assert not np.array_equal(marks, saliency.shown(Fitted.from_state(other, network.meta), films["d/s/5"])[2])


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_strips_of_the_report_show_frames_above_marks(kind):
    frames = np.random.default_rng(5).integers(60, 200, (3, 8, 8, 2)).astype(kind)
    frames[0, 0, 0], frames[0, 0, 1] = 50, 210
    marks = frames > 150
    data = re.search('base64,([^"]+)"', images.strips(frames, marks, "alt"))[1]
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        drawn = np.asarray(image.convert("L"), float)[::2, ::2]
    film, mark, other, _ = (row.reshape(8, 3, 8).swapaxes(0, 1) for row in drawn.reshape(4, 8, 24))
    np.testing.assert_allclose(film, (frames[..., 0].astype(float) - 50) * 255 / 160, atol=1)
    np.testing.assert_allclose(other, (frames[..., 1].astype(float) - 50) * 255 / 160, atol=1)
    np.testing.assert_array_equal(mark, 255 * marks[..., 0])


def test_picture_of_a_clip(tmp_path):
    x = np.random.default_rng(3).integers(0, 256, (18, 64, 64, 1), np.uint8)
    picture(prediction(x, fitted()), tmp_path / "why.png")
    with Image.open(tmp_path / "why.png") as image:
        grey = np.asarray(image.convert("L"))
    assert image.format == "PNG" and grey.shape[1] > 2 * grey.shape[0]
    assert (grey == 0).any() and (grey == 255).any()  # marked and not


@pytest.mark.parametrize(
    ("features", "model", "told"),
    [
        (np.zeros(20, np.float32), fitted(), "reads no pictures"),
        (np.zeros((28, 28, 3), np.float32), fitted("classifier", "svm_linear"), "has no gradient"),
    ],
)
def test_what_has_no_picture_or_gradient_is_refused(tmp_path, features, model, told):
    with pytest.raises(BadInput, match=told):
        picture(prediction(features, model), tmp_path / "why.png")
    assert not list(tmp_path.iterdir())
