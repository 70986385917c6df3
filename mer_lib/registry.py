"""The one registry: data sets, flows, descriptors, networks, protocols, classifiers and report sections by name.

``@register(kind, name, **meta)`` marks a function in the room of its kind. The registry finds it by reading the syntax
tree of that room's files, so planning a run or listing what exists imports neither torch nor OpenCV; a function is
imported when it is used. The price: the decorator's arguments and the options' defaults are literals.
"""

from __future__ import annotations

import ast
import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from mer_lib.problems import BadInput

ROOMS = {
    "corpus": "corpora",
    "flow": "motion",
    "descriptor": "descriptors",
    "model": "models",
    "protocol": "learning",
    "classifier": "learning",
    "section": "report",
}
_LIBRARY = Path(__file__).parent
F = TypeVar("F", bound=Callable[..., Any])


class RegistryError(RuntimeError):
    """A name registered twice, or a registration that the syntax tree cannot tell."""


@dataclass(frozen=True)
class Entry:
    """One registered function: where it lives, what it declares (``meta``) and its options with their defaults."""

    kind: str
    name: str
    module: str
    function: str
    doc: str
    meta: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def load(self) -> Callable[..., Any]:
        """Import the function."""
        return getattr(importlib.import_module(self.module), self.function)

    def complete(self, given: dict[str, Any] | None) -> dict[str, Any]:
        """All options: ``given`` over the defaults. Raises BadInput for a name that is no option of this entry."""
        for key in given or {}:
            if key not in self.options:
                raise BadInput(
                    f"{self.kind} '{self.name}' has no option '{key}'",
                    f"its options: {', '.join(self.options) or 'none'}",
                )
            default, value = self.options[key], given[key]
            if default is not None and not _fits(value, default):
                kind = type(default).__name__
                raise BadInput(
                    f"{self.kind} '{self.name}', option {key}: {value!r} is no {kind}", f"such as {default!r}"
                )
        return {**self.options, **(given or {})}


def _fits(value: Any, default: Any) -> bool:
    """Whether a value is of a default's type; a whole number is a float, true is no number."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    return isinstance(value, (int, float) if isinstance(default, float) else type(default))


def register(kind: str, name: str | None = None, **meta: Any) -> Callable[[F], F]:
    """Mark a function as ``kind`` under ``name`` (default: the function's own), with literal facts about it."""
    if kind not in ROOMS:
        raise RegistryError(f"no kind '{kind}': {', '.join(ROOMS)}")
    return lambda function: function


def get(kind: str, name: str) -> Entry:
    """The entry, or BadInput with the nearest names."""
    known = entries(kind)
    if name not in known:
        raise BadInput(f"no {kind} '{name}'", suggestion(name, known))
    return known[name]


def suggestion(name: str, known) -> str:
    """'did you mean …?' where a known name is near, else the whole list."""
    near = difflib.get_close_matches(name, [str(k) for k in known], n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(known)) or 'none'}"


@cache
def entries(kind: str) -> dict[str, Entry]:
    """All entries of a kind by name, in the order of files and lines. Raises RegistryError on a name clash."""
    return scan(kind, _LIBRARY / ROOMS[kind], f"mer_lib.{ROOMS[kind]}")


def scan(kind: str, room: Path, package: str) -> dict[str, Entry]:
    """Read the registrations of ``kind`` in the files of ``room`` without importing them."""
    found: dict[str, Entry] = {}
    for path in sorted(room.rglob("*.py")):
        module = ".".join([package, *path.relative_to(room).with_suffix("").parts])
        for node in ast.parse(path.read_text(encoding="utf-8"), str(path)).body:
            for entry in _registrations(node, module, path):
                if entry.kind != kind:
                    continue
                if entry.name in found:
                    first = found[entry.name].module
                    raise RegistryError(f"{path}:{node.lineno}: {kind} '{entry.name}' is registered in {first} already")
                found[entry.name] = entry
    return found


def _registrations(node: ast.stmt, module: str, path: Path) -> list[Entry]:
    """The entries that the decorators of one top-level statement declare."""
    calls = [call for call in getattr(node, "decorator_list", []) if isinstance(call, ast.Call) and _is_register(call)]
    found = []
    for call in calls:
        where = f"{path}:{node.lineno}: {node.name}"
        if not isinstance(node, ast.FunctionDef):
            raise RegistryError(f"{where}: only a plain function can be registered")
        try:
            kind, *names = [ast.literal_eval(argument) for argument in call.args]
            meta = {_named(keyword): ast.literal_eval(keyword.value) for keyword in call.keywords}
            options = {
                argument.arg: ast.literal_eval(default)
                for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                if default is not None
            }
        except ValueError:
            message = "arguments of @register and defaults of options must be literals, the kind first"
            raise RegistryError(f"{where}: {message}") from None
        if kind not in ROOMS or len(names) > 1:
            raise RegistryError(f"{where}: @register takes a kind ({', '.join(ROOMS)}), a name and named facts")
        name = names[0] if names else meta.pop("name", node.name)
        doc = (ast.get_docstring(node) or "").split("\n")[0]
        found.append(Entry(kind, name, module, node.name, doc, meta, options))
    return found


def _is_register(call: ast.Call) -> bool:
    return (call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")) == "register"


def _named(keyword: ast.keyword) -> str:
    """The keyword's name; ``**facts`` has none and cannot be read without running the file."""
    if keyword.arg is None:
        raise ValueError
    return keyword.arg
