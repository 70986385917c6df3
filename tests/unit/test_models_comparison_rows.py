"""The networks that paper A compares with: pictures that vote, and three streams of 3-D convolutions."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mer_lib import registry
from mer_lib.models.flow_3d_cnn import flow_3d_cnn
from mer_lib.models.takalkar_cnn import synthetic, takalkar_cnn


def frames(n, channels, length, side, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).uniform(0, 255, (n, channels, length, side, side))).float()


def test_pictures_vote_by_their_mean_probability():
    torch.manual_seed(0)
    model, x = takalkar_cnn(4).eval(), frames(2, 1, 12, 128)
    each = torch.stack([model.forward_each(x[:, :, t]).softmax(1) for t in range(12)]).mean(0)
    torch.testing.assert_close(model(x).softmax(1), each)
    torch.testing.assert_close(model.forward_head(model.forward_features(x)), model(x))
    assert model.forward_features(x).shape == (2, 12, 4096)


def test_order_in_time_does_not_matter_to_pictures_and_does_to_streams():
    torch.manual_seed(0)
    x = frames(2, 1, 12, 128)
    pictures = takalkar_cnn(3).eval()
    torch.testing.assert_close(pictures(x), pictures(x.flip(2)))
    streams, x = flow_3d_cnn(3).eval(), frames(2, 3, 16, 64)
    assert (streams(x) - streams(x.flip(2))).abs().max() > 1e-4


def test_every_picture_is_a_sample_of_the_loss():
    torch.manual_seed(0)
    model, x, truth = takalkar_cnn(3, augment=False, dropout=0.0), frames(2, 1, 12, 128), torch.tensor([0, 2])
    weight = torch.tensor([1.0, 1.0, 3.0])
    logits, loss = model.training_loss(x, truth, weight)
    scores = model.forward_each(x.transpose(1, 2).reshape(24, 1, 128, 128))  # batch norm sees all of them at once
    torch.testing.assert_close(loss, F.cross_entropy(scores, truth.repeat_interleave(12), weight=weight))
    torch.testing.assert_close(logits.softmax(1), scores.softmax(1).reshape(2, 12, 3).mean(1))
    assert takalkar_cnn(3).training_loss(x, truth, weight)[0].shape == (2, 3)


def test_synthetic_pictures_are_moved_by_a_little_and_drawn_from_torch_alone():
    x = torch.zeros(64, 1, 128, 128)
    x[:, :, 60:68, 60:68] = 200
    torch.manual_seed(3)
    made = synthetic(x)
    torch.manual_seed(3)
    assert torch.equal(made, synthetic(x))
    lit = made > 60
    rows, columns = lit.any(3).float(), lit.any(2).float()
    for side in (rows, columns):
        middle = (side[:, 0] * torch.arange(128.0)).sum(1) / side[:, 0].sum(1)
        assert (middle - 63.5).abs().max() < 128 * 0.06 / 2 + 2
        assert middle.std() > 0.5
    assert made.min() >= 0 and made.max() <= 255


def test_synthetic_pictures_are_mirrored_half_of_the_time():
    x = torch.zeros(400, 1, 128, 128)
    x[:, :, 40:90, 20:50] = 255
    torch.manual_seed(0)
    left = synthetic(x)[..., :64].sum((1, 2, 3)) > synthetic(x).sum((1, 2, 3)) / 2
    assert 150 < int(left.sum()) < 250


def test_streams_do_not_touch_before_they_are_joined():
    torch.manual_seed(0)
    model, x = flow_3d_cnn(3).eval(), frames(1, 3, 16, 64)
    other = x.clone()
    other[:, 2] = 128
    assert model.forward_features(x).shape == (1, 3 * 64, 2, 8, 8)
    same = (model.forward_features(x) == model.forward_features(other)).flatten(2).all(2)[0]
    assert same[:128].all() and not same[128:].all()


@pytest.mark.parametrize("name", ["takalkar_cnn", "flow_3d_cnn"])
def test_it_reads_what_its_descriptor_gives_and_every_weight_learns(name):
    meta = registry.get("model", name).meta
    told = registry.get("descriptor", meta["inputs"])
    assert told.options["length"] == meta["frames"] and len(told.meta["channels"]) == meta["channels"]
    model = registry.get("model", name).load()(3)
    F.cross_entropy(model(frames(3, meta["channels"], meta["frames"], meta["side"])), torch.arange(3)).backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())
    assert "ours" in meta["chosen"]  # neither paper's layers are known here, and the listing says so


def test_too_few_frames_are_refused():
    with pytest.raises(ValueError, match="give 8 at least"):
        flow_3d_cnn(3, frames=7)
