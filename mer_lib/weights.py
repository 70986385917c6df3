"""Weights and what they are: safetensors with a model card inside, never a pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file
from safetensors.numpy import save as serialise

from mer_lib.problems import BadInput
from mer_lib.whole import replacing


def save(path: str | Path, tensors: dict[str, np.ndarray], card: dict[str, Any]) -> None:
    """Write named arrays and their card; the file appears whole or not at all.

    Card and digest are one metadata entry, so that equal contents are equal bytes.
    """
    with replacing(path) as part:
        whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
        told = json.dumps(card, sort_keys=True)
        # (The library's own writing hides what the disk has refused.)
        part.write_bytes(serialise(whole, metadata={"card": json.dumps([told, _digest(whole, told)])}))


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


def has_card(path: str | Path) -> bool:
    """Whether a file is one that :func:`save` wrote, as far as its head tells; False for what cannot be read."""
    try:
        with safe_open(path, framework="numpy") as file:
            return "card" in (file.metadata() or {})
    except (OSError, SafetensorError):
        return False


def _digest(tensors: dict[str, np.ndarray], card: str) -> str:
    total = hashlib.sha256(card.encode())
    for name, array in sorted(tensors.items()):
        total.update(f"|{name}|{array.dtype.str}|{array.shape}|".encode())
        total.update(array.data if array.size else b"")
    return total.hexdigest()[:32]


def foreign(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file that others made: safetensors, or a state dict of torch that holds tensors and no code.

    A wrapping ``state_dict`` and the prefix ``module.`` that parallel training leaves are taken off. Raises BadInput.
    """
    path = Path(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        import torch

        found = torch.load(path, map_location="cpu", weights_only=True)
        found = found.get("state_dict", found)
        return {name.removeprefix("module."): tensor.detach().numpy() for name, tensor in found.items()}
    except Exception as error:  # a file that is something else raises whatever its bytes come to
        told = f"no file of weights ({' '.join(str(error).split())[:60]}…)"
        raise BadInput(told, "give a state dict of tensors, as .safetensors or .pth", file=path) from None


def digest(path: str | Path) -> str:
    """A file's SHA-256. Raises BadInput where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", "name a file of weights", file=Path(path)) from None
