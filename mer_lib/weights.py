"""Weights and what they are: safetensors with a model card inside, never a pickle."""

from __future__ import annotations

import hashlib
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

    Card and digest are one metadata entry, so that equal contents are equal bytes.
    """
    with replacing(path) as part:
        whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
        told = json.dumps(card, sort_keys=True)
        save_file(whole, part, metadata={"card": json.dumps([told, _digest(whole, told)])})


def load(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the card that :func:`save` wrote. Raises BadInput for anything else, and for broken bytes."""
    try:
        with safe_open(path, framework="numpy") as file:
            told, digest = json.loads((file.metadata() or {})["card"])
            card = json.loads(told)
            whole = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no dict)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"no model of this project ({error})", "name a file of results/*/models/", file=path) from None
    if _digest(whole, told) != digest:
        raise BadInput("its bytes are not those that were written", "delete it and run again", file=path)
    return whole, card


def _digest(tensors: dict[str, np.ndarray], card: str) -> str:
    total = hashlib.sha256(card.encode())
    for name, array in sorted(tensors.items()):
        total.update(f"|{name}|{array.dtype.str}|{array.shape}|".encode())
        total.update(array.data if array.size else b"")
    return total.hexdigest()[:32]
