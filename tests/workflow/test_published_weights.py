"""Weights that others have published, from their file to the answer, against the same layout written apart."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from recordings import take
from safetensors.torch import save_file
from torch import nn
from typer.testing import CliRunner

from mer_lib import weights
from mer_lib.cli import app
from mer_lib.commands.predict import STAGES, given, predict
from mer_lib.ingest.writer import write_video
from mer_lib.learning.learner import Fitted
from mer_lib.problems import BadInput

CLASSES = ("negative", "positive", "surprise")


class Authors(nn.Module):
    """(N, 3, 28, 28) of strain, v, u within 0 and 255 → (N, 3) logits."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 3, 3, padding=2), nn.BatchNorm2d(3)
        self.conv2, self.bn2 = nn.Conv2d(3, 5, 3, padding=2), nn.BatchNorm2d(5)
        self.conv3, self.bn3 = nn.Conv2d(3, 8, 3, padding=2), nn.BatchNorm2d(8)
        self.relu, self.drop = nn.ReLU(), nn.Dropout(0.5)
        self.maxpool, self.avgpool = nn.MaxPool2d(3, 3, padding=1), nn.AvgPool2d(2, 2)
        self.fc = nn.Linear(5 * 5 * 16, 3)

    def forward(self, x):
        a = self.drop(self.maxpool(self.bn1(self.relu(self.conv1(x)))))
        b = self.drop(self.maxpool(self.bn2(self.relu(self.conv2(x)))))
        c = self.drop(self.maxpool(self.bn3(self.relu(self.conv3(x)))))
        return self.fc(self.avgpool(torch.cat((a, b, c), 1)).flatten(1))


@pytest.fixture(scope="module")
def network():
    """It has seen a few pictures, so that its running means and variances are no one's defaults."""
    torch.manual_seed(4)
    model = Authors()
    for _ in range(3):
        model(torch.rand(8, 3, 28, 28) * 255)
    return model.eval()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "face.avi"
    write_video(path, take(1, 8), 25)
    return path


def test_a_clip_is_told_as_the_authors_code_tells_it(network, clip, repository, tmp_path, monkeypatch):
    monkeypatch.chdir(repository)  # where params.yaml is
    file = tmp_path / "006.pth"
    torch.save(network.state_dict(), file)
    found = predict(clip, given(file))
    strain_v_u = torch.from_numpy(found.features[..., ::-1].copy()).movedim(-1, 0)[None]
    assert found.features.min() == 0 and found.features.max() == 255
    shares = network(strain_v_u).softmax(1)[0].tolist()
    assert list(found.probabilities) == list(CLASSES) and max(shares) - min(shares) > 0.01
    np.testing.assert_allclose(list(found.probabilities.values()), shares, atol=1e-5)
    words = ["predict", clip, "--weights", file, "--picture", tmp_path / "a.png", "--json"]
    told = CliRunner().invoke(app, [str(word) for word in words])
    assert told.exit_code == 0, told.output
    printed = json.loads(told.stdout)
    np.testing.assert_allclose([printed["probabilities"][name] for name in CLASSES], shares, atol=1e-5)
    assert "006.pth are weights that others have published for STSTNet" in printed["warning"]


def test_the_features_are_the_authors_whatever_ours_are_set_to(network, repository, tmp_path):
    """Unstretched pixels of flow would be noise to weights that expect 0 to 255."""
    torch.save(network.state_dict(), tmp_path / "a.pth")
    text = (repository / "params.yaml").read_text().replace("descriptors: {}", "descriptors: {flow28: {scaling: none}}")
    (tmp_path / "params.yaml").write_text(text)
    assert "scaling: none" in text
    stages = given(tmp_path / "a.pth", tmp_path / "params.yaml").stages
    assert (stages["descriptor"], stages["features"]) == ("flow28", {"scaling": "image"})


@pytest.mark.parametrize("form", ["wrapped", "parallel", "safetensors", "parallel safetensors", "old", "parameters"])
def test_files_as_they_come(network, repository, tmp_path, form):
    state, path = network.state_dict(), tmp_path / "w.pth"
    if "safetensors" in form:
        head = "module." if "parallel" in form else ""
        save_file({head + name: tensor for name, tensor in state.items()}, path := tmp_path / "w.safetensors")
    elif form == "wrapped":
        torch.save({"epoch": 800, "state_dict": state}, path)
    elif form == "parallel":
        torch.save({f"module.{name}": tensor for name, tensor in state.items()}, path)
    elif form == "old":
        torch.save({name: tensor for name, tensor in state.items() if "num_batches" not in name}, path)
    else:
        torch.save({**state, **dict(network.named_parameters())}, path)
    x = np.random.default_rng(0).uniform(0, 255, (2, 28, 28, 3)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x[..., ::-1].copy()).movedim(-1, 1)).softmax(1)
    found = given(path, repository / "params.yaml").fitted.probabilities(x)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_model_of_this_project_is_taken_with_its_own_card(network, tmp_path, monkeypatch):
    """Its stages are its own, whatever is set here; models of single folds have none."""
    monkeypatch.chdir(tmp_path)  # no params.yaml
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    fitted = Fitted("model", "ststnet_published", CLASSES, {"dropout": 0.5}, state)
    facts = {"clips": 6, "subjects": 3, "corpus": "toy", "experiment": "one", "synthetic": True}
    facts["made"] = {"options": {"train": {"control": "none"}}}
    stages = {name: {} for name in STAGES} | {"descriptor": "flow28"}
    card = {**fitted.meta, **facts, "pipeline": stages}
    weights.save("one.safetensors", state, card)
    model = given(Path("one.safetensors"))
    assert model.stages == stages and model.warning.startswith("one was trained on 6 clips of 3")
    weights.save("folds.safetensors", state, {**fitted.meta, **facts})
    with pytest.raises(BadInput, match="models of single folds"):
        given(Path("folds.safetensors"))
    for broken in (
        *({name: told for name, told in card.items() if name != lost} for lost in ("learner", "clips", "made")),
        {**card, "pipeline": {}}, {**card, "pipeline": None}, {**card, "learner": "x"}, {**card, "made": None}, None,
    ):  # fmt: skip
        weights.save("broken.safetensors", state, broken)
        with pytest.raises(BadInput, match=r"broken\.safetensors.*its card does not say.*train the model again"):
            given(Path("broken.safetensors"))


class Evil:
    """Runs a command where a pickle of it is read."""

    def __reduce__(self):
        import os

        return os.system, ("touch run-by-a-pickle",)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lambda state: {"conv1.weight": Evil()}, "no file of weights"),
        (lambda state: Authors(), "no file of weights"),
        (lambda state: [1, 2], "no file of weights"),
        (lambda state: {**state, "fc.weight": state["fc.weight"] * torch.nan}, "values that are no numbers"),
        (
            lambda state: {**state, "fc.bias": torch.zeros(5)},
            "of no network with published weights; give those of STSTNet",
        ),
        (lambda state: {"conv1.weight": state["conv1.weight"]}, "conv1, bn1, conv2, bn2, conv3, bn3, fc"),
        (None, "No such file"),
    ],
    ids=["code", "a whole module", "a list", "nan", "five classes", "a part", "absent"],
)
def test_anything_else_is_refused_in_one_line(network, clip, repository, tmp_path, monkeypatch, content, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((repository / "params.yaml").read_text())
    if content:
        torch.save(content(network.state_dict()), "w.pth")
    with pytest.raises(BadInput, match=told):
        given(tmp_path / "w.pth")
    done = CliRunner().invoke(app, ["predict", str(clip), "--weights", "w.pth"])
    assert done.exit_code == 2 and done.stdout == "" and done.stderr.count("\n") == 1 and "w.pth" in done.stderr
    assert not (tmp_path / "run-by-a-pickle").exists()
