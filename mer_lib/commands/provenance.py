"""``mer provenance``: what made an output, and what made that, down to the sources."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mer_lib import weights
from mer_lib.ledger import Ledger, content
from mer_lib.problems import BadInput
from mer_lib.store import Store

LEDGER = ".mer/made"
SHOWN = 3  # inputs of one rule that are followed; the others differ in their clips only
WIDTH = 160  # characters of params on a line


@dataclass(frozen=True)
class Origin:
    """What is known of one file. ``told`` by: the ledger, the file (store, card), dvc.lock, or nobody (source)."""

    path: str
    told: str
    rule: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    changed: bool = False

    def row(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "inputs": list(self.inputs)}


def trace(file: Path) -> Iterator[tuple[int, Origin, int]]:
    """(depth, origin, how many more inputs of the same rule its user has) of a file and all it was made from."""
    folder = _project(file)
    seen: set[str] = set()

    def follow(depth: int, path: str, more: int) -> Iterator[tuple[int, Origin, int]]:
        found = origin(folder, path)
        yield depth, found, more
        if path in seen:
            return
        seen.add(path)
        for rule, paths in _by_rule(folder, found.inputs).items():
            shown = paths if not rule else paths[:SHOWN]
            for at, above in enumerate(shown, 1):
                yield from follow(depth + 1, above, len(paths) - at if at == len(shown) else 0)

    if not file.exists():
        raise BadInput("is not there", "name a file below results/, models or data", file=file)
    yield from follow(0, os.path.relpath(file.resolve(), folder), 0)


def origin(folder: Path, path: str) -> Origin:
    """What the ledger says of a path of a project folder, else what the file says, else what dvc.lock says."""
    entry, whole = Ledger(folder / LEDGER).entry(path), folder / path
    if entry and whole.exists():
        changed = content(whole) != entry["digest"]
        facts = (entry["params"], tuple(entry["inputs"]), entry["versions"])
        return Origin(path, "ledger", entry["rule"], *facts, changed=changed)
    if whole.suffix == ".h5" and whole.is_file():
        with Store(whole) as store:
            head = store.header
        return Origin(path, "store", head.stage, {**head.params, "code": head.code}, versions=head.versions)
    if whole.suffix == ".safetensors" and whole.is_file():
        return Origin(path, "card", params=weights.load(whole)[1])
    return _by_dvc(folder, path) or Origin(path, "source")


def text(found: Iterator[tuple[int, Origin, int]]) -> str:
    """A line a file, indented by its distance from the one that was asked for, and what it was made under."""
    lines, used = [], {}
    told_before: set[str] = set()
    for depth, each, more in found:
        pad = "  " * depth
        by = {"ledger": f"rule {each.rule}", "store": f"stage {each.rule} (its own header)", "card": "its card"}
        by |= {"dvc": f"DVC stage {each.rule} (dvc.lock)", "source": "a source"}
        again = each.path in told_before and each.inputs
        remark = "; see above" if again else "; CHANGED SINCE" if each.changed else ""
        lines.append(f"{pad}{each.path}  <- {by[each.told]}{remark}")
        if each.params and not again:
            told = json.dumps(_short(each.params), sort_keys=True, default=str, ensure_ascii=False)
            lines.append(f"{pad}    {told if len(told) <= WIDTH else told[: WIDTH - 1] + '…'}")
        if more > 0:
            lines.append(f"{pad}… and {more} more by the same rule")
        told_before.add(each.path)
        used |= each.versions
    versions = ", ".join(f"{name} {number}" for name, number in sorted(used.items()))
    return "\n".join([*lines, *([f"versions: {versions}"] if versions else [])])


def _short(params: dict[str, Any]) -> dict[str, Any]:
    """The params of a rule without the rows of its shard."""
    made = params.get("made")
    if isinstance(made, dict):
        return {k: made[k] for k in ("recipe", "code", "options", "shard") if k in made}
    return params


def _by_rule(folder: Path, inputs: tuple[str, ...]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for path in inputs:
        entry = Ledger(folder / LEDGER).entry(path)
        grouped.setdefault(entry["rule"] if entry else "", []).append(path)
    return grouped


def dvc_stages(folder: Path) -> dict[str, dict[str, Any]]:
    """The stages of dvc.lock; none where there is no such file."""
    try:
        return yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    except (OSError, KeyError, TypeError, yaml.YAMLError):
        return {}


def _by_dvc(folder: Path, path: str) -> Origin | None:
    for name, stage in dvc_stages(folder).items():
        if any(path == out["path"] or path.startswith(f"{out['path']}/") for out in stage.get("outs", [])):
            inputs = tuple(d["path"] for d in stage.get("deps", []) if d["path"].startswith(("data/", "results/")))
            return Origin(path, "dvc", name, stage.get("params", {}), inputs)
    return None


def _project(file: Path) -> Path:
    """The folder that the run was started in: the nearest one above the file with a ledger or a dvc.lock; else here."""
    above = file.resolve().parents
    return next((p for p in above if (p / LEDGER).is_dir() or (p / "dvc.lock").is_file()), Path.cwd())
