"""What descriptors declare that they read, and that they are handed just that."""

import numpy as np
import pytest

from mer_lib import registry
from mer_lib.descriptors import reading
from mer_lib.registry import Entry, RegistryError


def entry(function, reads):
    made = Entry("descriptor", "toy", "some.room", "toy", "", meta={"reads": reads})
    object.__setattr__(made, "load", lambda: function)
    return made


def arrays(stage, name):
    stored = {
        ("registered", "frames"): np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3),
        ("registered", "landmarks"): np.ones((1, 5, 2), np.float32),
        ("motion", "flow"): np.full((1, 2, 2, 2), 0.5, np.float16),
    }
    return stored[stage, name]


@pytest.mark.parametrize("name", registry.entries("descriptor"))
def test_every_descriptor_takes_what_it_declares(name):
    found = reading.arguments(registry.get("descriptor", name))
    assert found and set(found.values()) <= {"registered", "motion"}


def test_arguments_are_handed_over_by_name_and_motion_in_single_precision():
    def toy(landmarks, frames, flow, *, plus):
        assert (landmarks.shape, frames.dtype, flow.dtype) == ((1, 5, 2), np.uint8, np.float32)
        return (frames[:, 0, 0, :1] + plus).astype(np.uint8)

    found = reading.describe(entry(toy, ("registered", "onset_apex")), arrays, {"plus": 3})
    assert found.dtype == np.uint8 and found.tolist() == [[3]]


def test_frames_alone_ask_for_no_motion():
    told = entry(lambda frames: frames, "registered")
    assert reading.stages(told) == ("registered",)
    assert reading.arguments(told) == {"frames": "registered"}


@pytest.mark.parametrize("reads", [(), "faces", ("onset_apex", "frames"), ("registered", "registered")])
def test_declarations_that_cannot_be(reads):
    with pytest.raises(RegistryError, match="descriptor 'toy' reads"):
        reading.stages(entry(lambda frames: frames, reads))


def test_an_array_of_a_stage_that_is_not_read_is_refused():
    with pytest.raises(RegistryError, match="takes 'frames', and reads flow, strain, pair only"):
        reading.arguments(entry(lambda frames: frames, "onset_apex"))
