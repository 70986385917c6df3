"""What registered networks must keep, through the door that training uses: shapes, determinism, save and load; and
parameter counts of all that declare theirs.
"""

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from mer_lib import registry
from mer_lib.learning.learner import Fitted, Recipe, make

COUNTED = [name for name, entry in registry.entries("model").items() if entry.meta.get("parameters")]
QUICK = ("offapexnet", "rcn", "ststnet", "ststnet_published", "micro_exp_stcnn_18", "mjfn_bbn")


def shape(entry) -> tuple[int, ...]:
    """Of a sample, as the registration declares it."""
    facts = entry.meta
    frames = (facts["frames"],) if facts.get("frames") else ()
    return (*frames, facts["side"], facts["side"], facts["channels"])


def samples(entry, n: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (n, *shape(entry))).astype(np.float32), np.arange(n) % 3


@pytest.mark.parametrize("name", QUICK)
def test_a_network_keeps_the_contract(name, tmp_path):
    entry = registry.get("model", name)
    x, y = samples(entry)
    learner = make("model", name, 3, {}, Recipe(batch=2, max_steps=2, epochs=1))
    state, again = learner.fit(x, y, seed=1), learner.fit(x, y, seed=1)
    assert all(state[key].tobytes() == again[key].tobytes() for key in state), "the same seed, the same bytes"
    other = learner.fit(x, y, seed=2)
    assert any(not np.array_equal(state[key], other[key]) for key in state)
    shares = learner.probabilities(state, x)
    assert shares.shape == (4, 3) and np.isfinite(shares).all()
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    fitted = Fitted("model", name, ("a", "b", "c"), entry.complete({}), state)
    save_file(fitted.state, tmp_path / "m.safetensors", fitted.meta)
    back = Fitted.from_state(load_file(tmp_path / "m.safetensors"), fitted.meta)
    np.testing.assert_array_equal(back.probabilities(x), shares)


@pytest.mark.parametrize("name", COUNTED)
def test_it_has_as_many_parameters_as_it_declares(name):
    """Built without memory, so that the largest take no longer than the smallest."""
    entry = registry.get("model", name)
    with torch.device("meta"):
        network = entry.load()(3, **entry.options)
    assert sum(p.numel() for p in network.parameters()) == entry.meta["parameters"]
