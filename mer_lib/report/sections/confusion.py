"""Which classes are taken for which."""

from __future__ import annotations

from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import Key, ReportData


@register("section", "confusion", order=30, title="Confusion matrices")
def section(data: ReportData) -> Markup | None:
    """One matrix an experiment, pooled over folds and seeds, and the figures of each class."""
    if not data.metrics:
        return None
    return Markup("\n").join(
        [
            ui.grid(_matrix(data, key, metrics) for key, metrics in data.metrics.items()),
            ui.details("Precision, recall and F1 of each class", _per_class(data)),
        ]
    )


def _matrix(data: ReportData, key: Key, metrics: dict) -> Markup:
    """Rows are the truth; a cell holds the share of its row and the number of predictions."""
    rows = [[name, *ui.shares(row)] for name, row in zip(metrics["classes"], metrics["confusion"], strict=True)]
    seeds = len(metrics["seeds"]["each"])
    caption = data.name(key) + (f", {seeds} seeds together" if seeds > 1 else "")
    return ui.table(caption, ["truth", *metrics["classes"]], rows, synthetic=data.synthetic, top="predicted")


def _per_class(data: ReportData) -> Markup:
    rows = {
        data.name(key): [
            [name, *(ui.number(each[figure]) for figure in ("precision", "recall", "f1")), ui.count(each["support"])]
            for name, each in metrics["per_class"].items()
        ]
        for key, metrics in data.metrics.items()
    }
    columns = ["class", "precision", "recall", "F1", "clips"]
    return ui.table("Figures of each class, means over seeds", columns, rows, synthetic=data.synthetic)
