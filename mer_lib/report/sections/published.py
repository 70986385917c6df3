"""A paper's figures beside ours: one table for each of its tables and figures."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import ReportData

NAMES = {"accuracy": "accuracy", "uf1": "UF1", "uar": "UAR"}


@register("section", "published", order=15, title="Published and ours")
def section(data: ReportData) -> Markup | None:
    """Published figures by data set, and ours on this corpus and its parts."""
    if data.published.empty:
        return None
    told = (
        "Published figures can be compared with ours of the same data set and protocol only; what stands under another "
        "name shows that the experiment runs. A dash: not printed, or not run here."
    )
    groups = data.published.groupby("exhibit", sort=False)
    return Markup("\n").join([ui.paragraph(told), *(_table(data, name, rows) for name, rows in groups)])


def _table(data: ReportData, exhibit: str, rows: pd.DataFrame) -> Markup:
    metrics, datasets = list(dict.fromkeys(rows["metric"])), list(dict.fromkeys(rows["dataset"]))
    parts = list(dict.fromkeys(data.leaderboard["part"])) if len(data.leaderboard) else []
    ours = {part: data.corpus if part == "full" else part for part in parts}
    columns = [
        "method",
        "protocol",
        *(f"published: {name}" for name in datasets),
        *(f"ours: {n}" for n in ours.values()),
    ]
    body = []
    for (method, experiment, protocol), group in rows.groupby(["method", "experiment", "protocol"], sort=False):
        told = {(row.dataset, row.metric): row.value for row in group.itertuples()}
        found = _ours(data, experiment, protocol)
        body.append([
            ui.Cell(method, experiment),
            protocol,
            *(_cell([told.get((name, metric)) for metric in metrics]) for name in datasets),
            *(_cell([found.get((part, metric)) for metric in metrics]) for part in parts),
        ])  # fmt: skip
    over = " over ".join(NAMES[metric] for metric in metrics)
    return ui.table(f"{exhibit}: {over}", columns, body, synthetic=data.synthetic, text=("protocol",))


def _ours(data: ReportData, experiment: str, protocol: str) -> dict[tuple[str, str], float]:
    """(part, metric) -> our figure of an experiment under a protocol."""
    board = data.leaderboard
    if board.empty:
        return {}
    rows = board[board["experiment"].eq(experiment) & board["protocol"].eq(protocol)]
    return {(row.part, metric): getattr(row, metric) for row in rows.itertuples() for metric in NAMES}


def _cell(values: list) -> ui.Cell:
    first, *others = (ui.number(value) for value in values)
    return ui.Cell(first, ", ".join(others))
