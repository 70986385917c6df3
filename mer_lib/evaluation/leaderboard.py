"""The leaderboard: one row an experiment and part, in the contract's columns, and what may be ranked at all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

COLUMNS = (
    "experiment", "method", "protocol", "part", "clips", "subjects", "seeds", "uf1", "uf1_low", "uf1_high", "uar",
    "uar_low", "uar_high", "accuracy", "selection", "subject_disjoint", "ranked", "parameters", "synthetic",
)  # fmt: skip
TEXT = ("experiment", "method", "protocol", "part", "selection")
FULL = "full"


def rows(
    summary: dict[str, Any],
    *,
    experiment: str,
    method: str,
    protocol: str,
    selection: str,
    subject_disjoint: bool,
    parameters: int | None,
    synthetic: bool,
    control: bool = False,
) -> list[dict[str, Any]]:
    """An experiment's rows from its metrics: 'full', then one a data set where it has several.

    ``selection`` is fixed, inner or oracle; ``parameters`` the count of trained weights (None: no network); ``control``
    marks permuted labels. Ranked is only what chose its epoch without the test subjects, kept subjects apart and
    learned from the true labels.
    """
    facts = {
        "experiment": experiment,
        "method": method,
        "protocol": protocol,
        "seeds": len(summary["seeds"]["each"]),
        "selection": selection,
        "subject_disjoint": subject_disjoint,
        "ranked": subject_disjoint and selection != "oracle" and not control,
        "parameters": parameters,
        "synthetic": synthetic,
    }
    parts = summary["parts"] if len(summary["parts"]) > 1 else {}
    return [{**facts, "part": name, **_figures(part)} for name, part in {FULL: summary, **parts}.items()]


def leaderboard(found: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """The table: ranked rows first, the whole corpus before its parts, the highest UF1 first; ties by name."""
    board = pd.DataFrame(list(found), columns=list(COLUMNS))
    board = board.astype({name: "Int64" for name in ("clips", "subjects", "seeds", "parameters")})
    board = board.astype({name: bool for name in ("subject_disjoint", "ranked", "synthetic")})
    order = board.assign(whole=board["part"] == FULL)
    by = ["ranked", "whole", "part", "uf1", "protocol", "experiment"]
    order = order.sort_values(by, ascending=[False, False, True, False, True, True], kind="stable")
    return order[list(COLUMNS)].reset_index(drop=True)


def _figures(part: dict[str, Any]) -> dict[str, Any]:
    bounds = {name: part["intervals"][name] or (None, None) for name in ("uf1", "uar")}
    return {
        **{name: part[name] for name in ("clips", "subjects", "uf1", "uar", "accuracy")},
        **{f"{name}_low": low for name, (low, _) in bounds.items()},
        **{f"{name}_high": high for name, (_, high) in bounds.items()},
    }
