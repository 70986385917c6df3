"""What went wrong, and what to do about it."""

from __future__ import annotations

from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import ReportData

HEADINGS = {"skipped": "Skipped: the clip is missing from figures above", "warning": "Warnings: nothing was lost"}
COLUMNS = ("clip", "stage", "what", "remedy")


@register("section", "problems", order=70, title="What went wrong")
def section(data: ReportData) -> Markup | None:
    """Every clip that was skipped and every warning, with its remedy."""
    found = data.problems
    if found.empty:
        return None
    groups = {}
    for severity, heading in HEADINGS.items():
        rows = found[found["severity"] == severity].fillna("")
        if len(rows):
            groups[f"{heading} ({len(rows)})"] = [
                [
                    ui.Cell(str(row.clip or row.file or "all clips"), str(row.file) if row.clip else ""),
                    row.stage,
                    row.what,
                    row.remedy,
                ]
                for row in rows.itertuples()
            ]
    return ui.table("Problems", COLUMNS, groups, synthetic=data.synthetic, text=COLUMNS)
