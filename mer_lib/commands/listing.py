"""``mer list``: what is registered, as a table on a terminal and as plain lines in a pipe."""

from __future__ import annotations

from mer_lib import registry
from mer_lib.problems import BadInput

PLURALS = {"corpora": "corpus"} | {f"{kind}s": kind for kind in registry.ROOMS if kind != "corpus"}
COLUMNS = ("name", "what", "inputs", "parameters", "flops", "options", "declares", "paper")
_SHOWN = ("title", "paper", "doi", "inputs", "reads", "parameters", "flops")


def kind(word: str) -> str:
    """The registry's kind, from its singular or its plural. Raises BadInput with the nearest word."""
    found = PLURALS.get(word.lower(), word.lower())
    if found not in registry.ROOMS:
        raise BadInput(f"no list of '{word}'", registry.suggestion(word, PLURALS))
    return found


def rows(kind: str) -> list[dict[str, str]]:
    """One row an entry; columns that are empty for all entries are left out."""
    found = [dict(zip(COLUMNS, _row(entry), strict=True)) for entry in registry.entries(kind).values()]
    filled = [name for name in COLUMNS if any(row[name] for row in found)]
    return [{name: row[name] for name in filled} for row in found]


def overview() -> str:
    """Every kind with the names of its entries, one line each."""
    width = max(map(len, PLURALS))
    lines = (f"{many.ljust(width)}  {', '.join(registry.entries(one)) or '–'}" for many, one in PLURALS.items())
    return "\n".join(lines)


def plain(table: list[dict[str, str]]) -> str:
    """Tab-separated lines under a line of names: one line an entry however long it is, for grep and cut."""
    return "\n".join(["\t".join(table[0]), *("\t".join(row.values()) for row in table)])


def rich(table: list[dict[str, str]]):
    """The table for a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in table[0]:
        drawn.add_column(name, overflow="fold", style="bold" if name == "name" else None, no_wrap=name == "name")
    for row in table:
        drawn.add_row(*row.values())
    return drawn


def _row(entry: registry.Entry) -> tuple[str, ...]:
    meta = entry.meta
    doi = f"doi:{meta['doi']}" if meta.get("doi") else ""
    return (
        entry.name,
        entry.doc or str(meta.get("title", "")),
        _value(meta.get("inputs", meta.get("reads", ""))),
        _value(meta.get("parameters", "")),
        _value(meta.get("flops", "")),
        " ".join(f"{name}={_value(default)}" for name, default in entry.options.items()),
        " ".join(f"{name}={_value(value)}" for name, value in meta.items() if name not in _SHOWN),
        ", ".join(part for part in (meta.get("paper", ""), doi) if part),
    )


def _value(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
