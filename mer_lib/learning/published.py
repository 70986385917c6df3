"""Weights that the authors of a network have published: which network they are of, and that network with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mer_lib import registry, weights
from mer_lib.learning.learner import Fitted
from mer_lib.problems import BadInput

COUNTER = "num_batches_tracked"  # of batch norm, which no answer depends on: old files have none


def adopt(path: Path) -> Fitted:
    """The network whose tensors a file holds by name and shape, with default options and its authors' classes.

    Networks that have published weights declare it: ``published`` are the classes, in the order of their outputs.
    Raises BadInput for a file that holds anything else.
    """
    state = weights.foreign(path)
    known = [entry for entry in registry.entries("model").values() if "published" in entry.meta]
    entry = next((entry for entry in known if _shapes(_tensors(entry)) == _shapes(state)), None)
    if entry is None:
        titles = " or ".join(f"{entry.meta['title']}: {', '.join(_layers(_tensors(entry)))}" for entry in known)
        raise BadInput("its tensors are of no network with published weights", f"give those of {titles}", file=path)
    if not all(np.isfinite(array).all() for array in state.values()):
        raise BadInput("it holds values that are no numbers", "take another file of these weights", file=path)
    return Fitted("model", entry.name, tuple(entry.meta["published"]), entry.complete({}), state)


def _tensors(entry: registry.Entry) -> dict:
    """The network's state without its memory."""
    import torch

    with torch.device("meta"):
        return entry.load()(len(entry.meta["published"]), **entry.options).state_dict()


def _shapes(state: dict) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items() if not name.endswith(COUNTER)}


def _layers(state: dict) -> list[str]:
    return list(dict.fromkeys(name.split(".")[0] for name in state))
