"""What went wrong, and what to do about it."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from mer_lib.problems import auxiliary
from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import ReportData

HEADINGS = {"skipped": "Skipped: the clip is missing from figures above", "warning": "Warnings: nothing was lost"}
BESIDE = "Auxiliary clips: some train no network, no figure above misses one"
COLUMNS = ("clip", "stage", "what", "remedy")


@register("section", "problems", order=70, title="What went wrong")
def section(data: ReportData) -> Markup | None:
    """Every clip that was skipped and every warning, with its remedy."""
    found = data.problems
    if found.empty:
        return None
    beside = auxiliary(found)
    told = {heading: found[~beside & found["severity"].eq(severity)] for severity, heading in HEADINGS.items()}
    told[BESIDE] = found[beside]
    groups = {f"{heading} ({len(rows)})": _rows(rows.fillna("")) for heading, rows in told.items() if len(rows)}
    return ui.table("Problems", COLUMNS, groups, synthetic=data.synthetic, text=COLUMNS)


def _rows(found: pd.DataFrame) -> list[list[str | ui.Cell]]:
    return [
        [
            ui.Cell(str(row.clip or row.file or "all clips"), str(row.file) if row.clip else ""),
            row.stage,
            row.what,
            row.remedy,
        ]
        for row in found.itertuples()
    ]
