"""What made an output: digests of the library files behind it, of its parameters and of the recipes above it."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_LIBRARY = Path(__file__).parent
PACKAGES = ("torch", "numpy", "scipy", "opencv-contrib-python", "scikit-learn", "facenet-pytorch", "pyrender", "h5py")


def digest(value: Any) -> str:
    """16 hex digits of a JSON-able value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def recipe(stage: str, options: Any, code: str, above: Iterable[str] = ()) -> str:
    """The digest of what a stage will do: its options, its code and the recipes of the stages above."""
    return digest([stage, options, code, list(above)])


def file_digest(paths: Iterable[str | Path]) -> str:
    """32 hex digits of the contents of files, in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(map(str, paths)):
        with open(path, "rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:32]


def files_below(path: str | Path) -> list[Path]:
    """The file itself, or all files of a folder, in the order of their names."""
    path = Path(path)
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def stat_digest(paths: Iterable[str | Path]) -> str:
    """The digest of the sizes and times of files, and of all files of folders: cheap, where contents are large."""
    found = []
    for path in paths:
        for file in files_below(path):
            told = file.stat()
            found.append([file.name, told.st_size, told.st_mtime_ns])
    return digest(found)


def versions() -> dict[str, str]:
    """The versions of the packages that shape results."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


@cache
def code_digest(*modules: str, files: tuple[str, ...] = ()) -> str:
    """The digest of the named modules of mer_lib, of all they import from it, of the data files beside these, and of
    further ``files``.

    An edit of a library file that a rule uses reruns the rule, an edit of any other does not. Files are digested,
    never the git commit: a commit would rerun everything.
    """
    todo, seen = [_file(name) for name in modules], set()
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo.extend(_imports(path))
    rooms = {path.parent for path in seen} - {_LIBRARY}
    return file_digest(seen.union(map(Path, files), *(_data(room) for room in rooms)))[:16]


def _file(module: str) -> Path:
    stem = _LIBRARY.joinpath(*module.split(".")[1:])
    path = stem.with_suffix(".py") if stem.with_suffix(".py").exists() else stem / "__init__.py"
    if not path.exists():
        raise ModuleNotFoundError(f"{module} is no module of mer_lib")
    return path


@cache
def _data(folder: Path) -> frozenset[Path]:
    """What a room's code reads: templates, styles, shaders, the head. Documents beside it change nothing."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".md"))
    return frozenset(path for path in found if path.parent.name != "__pycache__" and not path.name.startswith("."))


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [_file(a.name) for a in node.names if a.name.split(".")[0] == "mer_lib"]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mer_lib":
            for alias in node.names:
                try:
                    found.append(_file(f"{node.module}.{alias.name}"))
                except ModuleNotFoundError:
                    found.append(_file(node.module))
    return tuple(found)
