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


def save(path: str | Path, tensors: dict[str, np.ndarray], card: dict[str, Any]) -> None:
    """Write named arrays and their card; the file appears whole or not at all.

    The card is one metadata entry, so that equal contents are equal bytes.
    """
    with replacing(path) as part:
        whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
        save_file(whole, part, metadata={"card": json.dumps(card, sort_keys=True)})


def load(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the card that :func:`save` wrote. Raises BadInput for anything else."""
    try:
        with safe_open(path, framework="numpy") as file:
            card = json.loads((file.metadata() or {})["card"])
            return {name: file.get_tensor(name) for name in file.keys()}, card  # noqa: SIM118 (safe_open is no dict)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise BadInput(f"no model of this project ({error})", "name a file of results/*/models/", file=path) from None
