"""Weights that others made, as they come: both kinds of file are read alike."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mer_lib.problems import BadInput
from mer_lib.weights import foreign

WRITERS = {"w.pth": torch.save, "w.safetensors": save_file}


@pytest.fixture(params=WRITERS)
def written(request, tmp_path):
    """A function: the path of a file that holds a state."""

    def write(state):
        WRITERS[request.param](state, tmp_path / request.param)
        return tmp_path / request.param

    return write


def test_what_parallel_training_puts_before_names_is_taken_off(written):
    found = foreign(written({"module.fc.weight": torch.ones(2, 3), "module.seen": torch.tensor(4)}))
    assert set(found) == {"fc.weight", "seen"} and found["seen"].dtype == np.int64
    np.testing.assert_array_equal(found["fc.weight"], np.ones((2, 3)))


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_any_precision_is_read(written, precision):
    found = foreign(written({"fc.bias": torch.tensor([0.5, -2.0], dtype=precision)}))["fc.bias"]
    assert found.dtype == np.float32 and found.tolist() == [0.5, -2.0]


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"module.fc.bias": torch.zeros(3), "fc.bias": torch.ones(3)}, "'fc.bias' stands in it with 'module.' and"),
        ({"fc.bias": torch.ones(3, dtype=torch.complex64)}, "'fc.bias' holds complex numbers"),
    ],
    ids=["twice", "complex"],
)
def test_what_would_be_lost_in_silence_is_refused_in_one_line(written, state, told):
    path = written(state)
    with pytest.raises(BadInput, match=told) as error:
        foreign(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
