"""AlexNet: the sizes and the count that its published weights have, and a file of them taken up and refused."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch.nn import functional as F

from mer_lib import registry
from mer_lib.models.alexnet import alexnet
from mer_lib.problems import BadInput, collect
from mer_lib.weights import digest, foreign

# Of the published file: each convolution's and dense layer's weight.
SHAPES = {
    "features.0": (64, 3, 11, 11), "features.3": (192, 64, 5, 5), "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3), "features.10": (256, 256, 3, 3),
    "classifier.1": (4096, 9216), "classifier.4": (4096, 4096), "classifier.6": (1000, 4096),
}  # fmt: skip


@pytest.fixture(scope="module")
def published():
    """Weights of those shapes, a thousand classes; small whole numbers, as 8-bit values are quick to draw."""
    rng, found = np.random.default_rng(0), {}
    for name, shape in SHAPES.items():
        found[f"{name}.weight"] = np.float32(1e-3) * rng.integers(-50, 50, shape, np.int8)
        found[f"{name}.bias"] = np.float32(1e-3) * rng.integers(-50, 50, shape[0], np.int8)
    return found


def test_count_and_shapes_are_those_of_the_published_weights(published):
    assert sum(array.size for array in published.values()) == 61_100_840
    with torch.device("meta"):
        model = alexnet(3)
    count = sum(p.numel() for p in model.parameters())
    assert count == registry.get("model", "alexnet").meta["parameters"] == 61_100_840 - 997 * 4097
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert {n: s for n, s in own.items() if "classifier.6" not in n} == {
        n: array.shape for n, array in published.items() if "classifier.6" not in n
    }


def test_a_file_of_weights_is_taken_up(published, tmp_path):
    """Against the layers written out on what torch's ImageNet pictures are: 0 to 1, less mean, by deviation."""
    path = tmp_path / "weights.safetensors"
    save_file(published, path)
    model = alexnet(3, weights=str(path), sha256=digest(path)).eval()
    model.warm_start()
    x = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (1, 3, 224, 224)).astype(np.float32))
    w = {n: torch.from_numpy(array) for n, array in published.items()}
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    z, sides = (x / 255 - mean) / deviation, []
    for k, (stride, pad, pool) in {0: (4, 2, 1), 3: (1, 2, 1), 6: (1, 1, 0), 8: (1, 1, 0), 10: (1, 1, 1)}.items():
        z = F.relu(F.conv2d(z, w[f"features.{k}.weight"], w[f"features.{k}.bias"], stride, pad))
        sides.append(z.shape[-1])
        z = F.max_pool2d(z, 3, 2) if pool else z
    assert sides == [55, 27, 13, 13, 13]
    torch.testing.assert_close(model.forward_features(x), z, rtol=1e-4, atol=1e-4)
    z = z.flatten(1)
    for k in (1, 4):
        z = F.relu(z @ w[f"classifier.{k}.weight"].T + w[f"classifier.{k}.bias"])
    last = model.classifier[6]
    assert last.weight.shape == (3, 4096)
    torch.testing.assert_close(model(x), z @ last.weight.T + last.bias, rtol=1e-3, atol=1e-3)


def test_other_files_are_refused_in_words(tmp_path):
    other = tmp_path / "other.safetensors"
    save_file({"fc.weight": np.zeros((2, 2), np.float32)}, other)
    with torch.device("meta"):
        for path, sha256, says in (
            (other, digest(other), "no AlexNet weights"),
            (other, "abc", "its SHA-256 is"),
            (tmp_path / "none.pth", "abc", "cannot be read"),
        ):
            with pytest.raises(BadInput, match=says):
                alexnet(3, weights=str(path), sha256=sha256).warm_start()


def test_without_a_file_the_run_says_so():
    with torch.device("meta"), collect() as found:
        alexnet(3).warm_start()
    assert "trained from scratch" in found[0].what


def test_a_file_with_code_in_it_is_refused_unread(tmp_path):
    import pickle

    class Planted:
        def __reduce__(self):
            return (open, (str(tmp_path / "planted"), "w"))

    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps({"fc.weight": Planted()}))
    with pytest.raises(BadInput, match="no file of weights"):
        foreign(path)
    assert not (tmp_path / "planted").exists()


def test_wrappers_are_taken_off(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": {"module.fc.weight": torch.ones(2, 3)}}, path)
    found = foreign(path)
    assert list(found) == ["fc.weight"] and found["fc.weight"].tolist() == np.ones((2, 3)).tolist()
