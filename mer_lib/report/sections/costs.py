"""What each stage cost."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import ReportData

ALONE = "Jobs of these experiments alone; faces, motion and features, which others read too, are not counted."


@register("section", "costs", order=80, title="Costs")
def section(data: ReportData) -> Markup | None:
    """Jobs, time, share of the total and largest memory of each stage."""
    if data.costs.empty:
        return None
    total = data.costs["seconds"].sum()
    stages = data.costs.groupby("stage", sort=False).agg({"jobs": "sum", "seconds": "sum", "peak_mb": "max"})
    rows = [_row(stage, cost, total) for stage, cost in stages.iterrows()]
    rows.append(["all", ui.count(stages["jobs"].sum()), ui.duration(total), "", _memory(stages["peak_mb"].max())])
    columns = ["stage", "jobs", "time", "share", "largest job"]
    blocks = [ui.paragraph(ALONE)] if data.topic else []
    blocks.append(
        ui.table("Time is summed over jobs; jobs run beside each other", columns, rows, synthetic=data.synthetic)
    )
    by_experiment = data.costs[data.costs["experiment"].fillna("").ne("")]
    if len(by_experiment):
        rows = [_row(f"{cost['stage']}: {cost['experiment']}", cost, total) for _, cost in by_experiment.iterrows()]
        blocks.append(
            ui.details("By experiment", ui.table("Of these, by experiment", columns, rows, synthetic=data.synthetic))
        )
    if trained := _trained(data):
        columns = ["experiment", "parameters", "jobs", "time", "processor", "largest job"]
        blocks.append(ui.table("Training of each network, all folds", columns, trained, synthetic=data.synthetic))
    return Markup("\n").join(blocks)


def _trained(data: ReportData) -> list[list[str]]:
    """What training cost for each experiment with trained weights, the least first."""
    board = data.leaderboard
    if board.empty:
        return []
    parameters = board[board["parameters"].notna()].groupby("experiment")["parameters"].first()
    costs = data.costs[data.costs["stage"].eq("train") & data.costs["experiment"].isin(parameters.index)]
    return [
        [
            cost.experiment, ui.count(parameters[cost.experiment]), ui.count(cost.jobs), ui.duration(cost.seconds),
            ui.MISSING if pd.isna(cost.cpu_seconds) else ui.duration(cost.cpu_seconds), _memory(cost.peak_mb),
        ]
        for cost in costs.sort_values(["cpu_seconds", "seconds"]).itertuples()
    ]  # fmt: skip


def _row(name: str, cost, total: float) -> list[str | ui.Cell]:
    share = cost["seconds"] / total if total else 0.0
    return [
        str(name), ui.count(cost["jobs"]), ui.duration(cost["seconds"]), ui.Cell(f"{share:.0%}", tint=share),
        _memory(cost["peak_mb"]),
    ]  # fmt: skip


def _memory(peak: float) -> str:
    return f"{ui.count(peak)} MB" if peak == peak else ui.MISSING
