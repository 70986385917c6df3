"""``mer metrics`` and ``mer compare``: tables of truth and prediction read from files, and their figures as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mer_lib.evaluation import predictions
from mer_lib.evaluation.comparisons import Difference
from mer_lib.problems import BadInput
from mer_lib.registry import suggestion


def read(path: Path, truth: str, predicted: str) -> pd.DataFrame:
    """The table with its columns of truth and prediction under those names. Raises BadInput."""
    table = predictions.read(path, truth, predicted)
    for option, column in (("--truth", truth), ("--predicted", predicted)):
        if column not in table:
            near = suggestion(column, table.columns)
            raise BadInput(f"no column '{column}'", f"name it with {option} ({near})", file=path)
    return table.assign(truth=table[truth], predicted=table[predicted])


def named(table: pd.DataFrame, classes: str) -> tuple[str, ...]:
    """The classes to score: ``classes`` cut at its commas, or what the table speaks of. Raises BadInput."""
    if not classes:
        return predictions.infer_classes(table)
    names = tuple(name.strip() for name in classes.split(","))
    if "" in names or len(set(names)) < len(names):
        raise BadInput(f"--classes '{classes}' holds an empty name or one twice", "write it as a,b,c")
    return names


def numbered(table: pd.DataFrame, classes: Sequence[str]) -> str:
    """What the numbers of a table without names were taken for; '' where it has names."""
    if set(table["truth"]) & set(classes):
        return ""
    return "classes by number: " + ", ".join(f"{k} {name}" for k, name in enumerate(classes))


def text(found: dict[str, Any]) -> str:
    """What ``evaluation.metrics.summary`` found, for a terminal."""
    lines = [_counts(found), ""]
    for name, label in (("uf1", "UF1"), ("uar", "UAR"), ("accuracy", "accuracy")):
        interval = found["intervals"].get(name)
        bounds = f"   95% interval over subjects {interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
        lines.append(f"{label:9}{_figure(found[name])}{bounds}")
    lines.append("F1       " + ", ".join(f"{name} {_figure(found[f'f1_{name}'])}" for name in ("macro", "weighted")))
    if found["calibration"]:
        honest = _figure(found["calibration"]["ece_if_calibrated"])
        lines.append(f"ECE      {_figure(found['calibration']['ece'])}   {honest} expected of an honest method")
    lines += ["", "confusion matrix: truth in rows, predicted in columns"]
    rows = zip(found["classes"], found["confusion"], strict=True)
    lines += _columns(["", *found["classes"]], ([name, *map(str, row)] for name, row in rows))
    figures = ("precision", "recall", "f1")
    lines += ["", *_columns(["class", "precision", "recall", "F1", "clips"], (
        [name, *(_figure(each[f]) for f in figures), str(each["support"])] for name, each in found["per_class"].items()
    ))]  # fmt: skip
    for heading, parts in (("part", found["parts"]), ("yaw", found["by_yaw"]), ("seed", found["seeds"]["each"])):
        if len(parts) > 1:
            rows = ([name, *(_figure(part.get(f)) for f in ("uf1", "uar"))] for name, part in parts.items())
            lines += ["", *_columns([heading, "UF1", "UAR"], rows)]
    return "\n".join(lines)


def difference(found: Difference) -> str:
    """What ``evaluation.comparisons.difference`` found, for a terminal."""
    rows = [
        [name, f"{value:+.4f}", "–" if math.isnan(low) else f"{low:+.3f} to {high:+.3f}", _figure(p)]
        for name, value, low, high, p in zip(("UF1", "UAR"), *found[2:], strict=True)
    ]
    return "\n".join([
        f"{found.clips} clips of {found.subjects} subjects in both; the first table minus the second", "",
        *_columns(["", "difference", "95% interval", "p"], rows), "",
        "p: whole subjects swapped between the two, two-sided, for this one comparison",
    ])  # fmt: skip


def _counts(found: dict[str, Any]) -> str:
    subjects = f" of {found['subjects']} subjects" if found["subjects"] else ""
    seeds = len(found["seeds"]["each"])
    return f"{found['clips']} clips{subjects}" + (f", mean over {seeds} seeds" if seeds > 1 else "")


def _figure(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.4f}"


def _columns(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column to the left, the others to the right."""
    table = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in table
    ]
