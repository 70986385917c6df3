"""Weights and what they are: safetensors with a model card inside, never a pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialise

from mer_lib.problems import BadInput, BadPackage
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
    with _opened(path) as (file, told, digest):
        whole = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no dict)
    if _digest(whole, told) != digest:
        raise BadInput("its bytes are not those that were written", "delete it and run again", file=path)
    return whole, json.loads(told)


def packaged(path: Path) -> dict[str, np.ndarray]:
    """The arrays, in single precision, of a file that comes with the package. Raises BadPackage for a broken one."""
    try:
        arrays, _ = load(path)
    except BadInput as error:
        remedy = "it is a part of mer_lib: restore it or install again"
        raise BadPackage(f"{path}: {error.problem.what}; {remedy}") from None
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def card(path: str | Path) -> dict[str, Any]:
    """The card alone: no array is read, nor told of where its bytes are broken. Raises BadInput."""
    with _opened(path) as (_, told, _):
        return json.loads(told)


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[safe_open, str, str]]:
    """The open file, the text of its card and the digest of both. Raises BadInput, for what is read inside as well."""
    try:
        with safe_open(path, framework="numpy") as file:
            told, digest = json.loads((file.metadata() or {})["card"])
            yield file, told, digest
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"no model of this project ({error})", "name a file of results/*/models/", file=path) from None


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

    A wrapping ``state_dict`` and the prefix ``module.`` that parallel training leaves are taken off; fractions of any
    precision are float32. Raises BadInput, also for complex numbers and for a name that stands twice.
    """
    path = Path(path)
    try:
        found = [(name.removeprefix("module."), _array(tensor)) for name, tensor in _tensors(path).items()]
    except Exception as error:  # a file that is something else raises whatever its bytes come to
        told = f"no file of weights ({' '.join(str(error).split())[:60]}…)"
        raise BadInput(told, "give a state dict of tensors, as .safetensors or .pth", file=path) from None
    names = [name for name, _ in found]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise BadInput(f"'{doubled}' stands in it with 'module.' and without", "leave one of them", file=path)
    if odd := next((name for name, array in found if np.iscomplexobj(array)), None):
        raise BadInput(f"'{odd}' holds complex numbers", "give weights that are real numbers", file=path)
    return dict(found)


def _tensors(path: Path) -> dict[str, Any]:
    """Name -> tensor of torch, as the file has them."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    import torch

    found = torch.load(path, map_location="cpu", weights_only=True)
    return found.get("state_dict", found)


def _array(tensor: Any) -> np.ndarray:
    return (tensor.float() if tensor.is_floating_point() else tensor).detach().numpy()


def digest(path: str | Path) -> str:
    """A file's SHA-256. Raises BadInput where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", "name a file of weights", file=Path(path)) from None
