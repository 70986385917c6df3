"""Weights and what they are: safetensors with a model card inside, never a pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mer_lib.problems import BadInput
from mer_lib.whole import replacing


def save(path: str | Path, states: dict[str, dict[str, np.ndarray]], card: dict[str, Any]) -> None:
    """Write states ({name: {array name: array}}) and their card; the file appears whole or not at all.

    The card is one metadata entry, so that equal contents are equal bytes.
    """
    flat = {
        f"{state}|{name}": np.ascontiguousarray(a) for state, arrays in states.items() for name, a in arrays.items()
    }
    with replacing(path) as part:
        save_file(flat, part, metadata={"card": json.dumps(card, sort_keys=True)})


def load(path: str | Path) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Any]]:
    """The states and the card that :func:`save` wrote. Raises BadInput for anything else."""
    states: dict[str, dict[str, np.ndarray]] = {}
    try:
        with safe_open(path, framework="numpy") as file:
            card = json.loads((file.metadata() or {})["card"])
            for key in file.keys():  # noqa: SIM118 (safe_open is no dict)
                state, name = key.split("|", 1)
                states.setdefault(state, {})[name] = file.get_tensor(key)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise BadInput(f"no model of this project ({error})", "name a file of results/*/models/", file=path) from None
    return states, card
