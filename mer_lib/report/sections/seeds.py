"""How much of a figure is the luck of the draw."""

from __future__ import annotations

from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import Key, ReportData

COLUMNS = ("experiment", "seeds", "UF1", "deviation", "lowest", "highest", "UAR", "deviation of UAR")


@register("section", "seeds", order=26, title="From seed to seed")
def section(data: ReportData) -> Markup | None:
    """Mean, deviation and range over seeds of every experiment that draws."""
    rows = [_row(data, key, found["seeds"]) for key, found in data.metrics.items() if len(found["seeds"]["each"]) > 1]
    if not rows:
        return None
    told = (
        "The same clips and folds, other initial weights and orders of samples. A paper's single run is one draw from "
        "such a range; the best of them is no result. Intervals over subjects do not contain this spread."
    )
    return ui.paragraph(told) + ui.table("Spread over seeds", COLUMNS, rows, synthetic=data.synthetic)


def _row(data: ReportData, key: Key, seeds: dict) -> list[str]:
    each = [one["uf1"] for one in seeds["each"].values()]
    return [
        data.name(key), ui.count(len(each)), ui.number(seeds["mean"]["uf1"]), ui.number(seeds["std"]["uf1"]),
        ui.number(min(each)), ui.number(max(each)), ui.number(seeds["mean"]["uar"]), ui.number(seeds["std"]["uar"]),
    ]  # fmt: skip
