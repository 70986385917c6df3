"""The leaderboard: figures with their intervals, and what may not be ranked, with the reason."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from mer_lib.evaluation.leaderboard import FULL
from mer_lib.registry import register
from mer_lib.report import figures, ui
from mer_lib.report.data import ReportData

COLUMNS = ("experiment", "UF1", "UAR", "accuracy", "seeds", "parameters", "protocol", "epoch chosen")


@register("section", "leaderboard", order=20, title="Leaderboard")
def section(data: ReportData) -> Markup | None:
    """UF1 and UAR with their intervals, as a figure and as a table, and the parts of a composite corpus."""
    board = data.leaderboard
    if board.empty or not data.metrics:
        return None
    full = board[board["part"] == FULL]
    groups = {_heading(ranked): _rows(part) for ranked, part in full.groupby("ranked", sort=False)}
    blocks = [
        ui.figure(
            ui.grid(_figure(data, full, name) for name in ("uf1", "uar")),
            "Dots are means over seeds, bars are bootstrap intervals over subjects, ticks are single seeds. "
            "Hollow dots are not ranked. The dashed line is chance.",
            synthetic=data.synthetic,
        ),
        ui.table(
            "Results on the whole corpus", COLUMNS, groups, synthetic=data.synthetic, text=("protocol", "epoch chosen")
        ),
    ]
    if len(board) > len(full):
        blocks.append(_parts(data))
    return Markup("\n").join(blocks)


def _heading(ranked: bool) -> str:
    return "Ranked" if ranked else "Not ranked"


def _figure(data: ReportData, full: pd.DataFrame, name: str) -> Markup:
    dots = []
    for row in full.itertuples():
        metrics = data.metrics.get((row.protocol, row.experiment), {})
        value, low, high = (getattr(row, column) for column in (name, f"{name}_low", f"{name}_high"))
        seeds = [each[name] for each in metrics.get("seeds", {}).get("each", {}).values()]
        dots.append(
            figures.Dot(
                data.name((row.protocol, row.experiment)), value, low, high, seeds if len(seeds) > 1 else (), row.ranked
            )
        )
    said = "; ".join(f"{d.label} {ui.number(d.value)}" for d in dots)
    return figures.dots(f"board-{name}", name.upper(), dots, data.chance, f"Dot plot of {name.upper()}: {said}")


def _rows(board: pd.DataFrame) -> list[list[str | ui.Cell]]:
    return [
        [
            ui.Cell(row.experiment, row.method if row.method != row.experiment else ""),
            ui.Cell(ui.number(row.uf1), ui.span(row.uf1_low, row.uf1_high)),
            ui.Cell(ui.number(row.uar), ui.span(row.uar_low, row.uar_high)),
            ui.number(row.accuracy),
            ui.count(row.seeds),
            ui.count(row.parameters),
            ui.Cell(row.protocol, "" if row.subject_disjoint else "subjects on both sides"),
            ui.Cell(row.selection, "on the test subject" if row.selection == "oracle" else ""),
        ]
        for row in board.itertuples()
    ]


def _parts(data: ReportData) -> Markup:
    """The data sets of a composite, cut from the same folds."""
    parts = data.leaderboard[data.leaderboard["part"] != FULL]
    names = sorted(parts["part"].unique())
    rows = []
    for (experiment, protocol), group in parts.groupby(["experiment", "protocol"], sort=False):
        by_part = group.set_index("part")
        rows.append([data.name((protocol, experiment)), *(_both(by_part, name) for name in names)])
    return ui.table("Parts of the same folds: UF1 over UAR", ["experiment", *names], rows, synthetic=data.synthetic)


def _both(by_part: pd.DataFrame, name: str) -> ui.Cell:
    if name not in by_part.index:
        return ui.Cell(ui.MISSING)
    return ui.Cell(ui.number(by_part.at[name, "uf1"]), ui.number(by_part.at[name, "uar"]))
