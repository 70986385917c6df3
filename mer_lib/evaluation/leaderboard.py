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
ORACLE = "@oracle"  # behind the name of an experiment whose epoch was chosen on the test subjects


def may_rank(
    *, selection: str, subject_disjoint: bool, control: bool = False, quick: bool = False, **others: Any
) -> bool:
    """Only what chose its epoch without the test subjects, kept subjects apart, learned from the true labels and was no
    quick look.

    Takes all facts of an experiment, and reads these.
    """
    return subject_disjoint and selection != "oracle" and not control and not quick


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
    quick: bool = False,
    baseline: bool = False,
) -> list[dict[str, Any]]:
    """An experiment's rows from its metrics: 'full', then one a data set where it has several.

    ``selection`` is fixed, inner or oracle; ``parameters`` the count of trained weights (None: no network); ``control``
    marks permuted labels and constant answers, ``quick`` a few folds trained for a few steps, ``baseline`` what every
    network must beat.
    """
    facts = {
        "experiment": experiment,
        "method": method,
        "protocol": protocol,
        "seeds": len(summary["seeds"]["each"]),
        "selection": selection,
        "subject_disjoint": subject_disjoint,
        "ranked": may_rank(selection=selection, subject_disjoint=subject_disjoint, control=control, quick=quick),
        "parameters": parameters,
        "synthetic": synthetic,
        "baseline": baseline,
    }
    parts = summary["parts"] if len(summary["parts"]) > 1 else {}
    return [{**facts, "part": name, **_figures(part)} for name, part in {FULL: summary, **parts}.items()]


def leaderboard(found: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """The table: ranked rows first, the whole corpus before its parts, protocol by protocol (figures of two protocols
    say nothing about each other), in each the baselines on top, then the highest UF1 first; ties by name.
    """
    board = pd.DataFrame(list(found), columns=[*COLUMNS, "baseline"])
    board = board.astype({name: "Int64" for name in ("clips", "subjects", "seeds", "parameters")})
    board = board.astype({name: bool for name in ("subject_disjoint", "ranked", "synthetic", "baseline")})
    order = board.assign(whole=board["part"] == FULL)
    by = {"ranked": False, "whole": False, "part": True, "protocol": True, "baseline": False, "uf1": False}
    order = order.sort_values([*by, "experiment"], ascending=[*by.values(), True], kind="stable")
    return order[list(COLUMNS)].reset_index(drop=True)


def _figures(part: dict[str, Any]) -> dict[str, Any]:
    bounds = {name: part["intervals"][name] or (None, None) for name in ("uf1", "uar")}
    return {
        **{name: part[name] for name in ("clips", "subjects", "uf1", "uar", "accuracy")},
        **{f"{name}_low": low for name, (low, _) in bounds.items()},
        **{f"{name}_high": high for name, (_, high) in bounds.items()},
    }
