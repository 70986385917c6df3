"""How training went."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import figures, ui
from mer_lib.report.data import Key, ReportData

FIGURES = (("loss", "loss"), ("uf1", "UF1"))


@register("section", "curves", order=60, title="Training curves")
def section(data: ReportData) -> Markup | None:
    """Loss and UF1 by epoch, the median and the middle 80% of folds and seeds."""
    known = {key: table for key, table in data.curves.items() if len(table)}
    if not known:
        return None
    panels = [
        panel
        for key, table in known.items()
        for column, label in FIGURES
        if (panel := _panel(data, key, table, column, label))
    ]
    caption = "Median and middle 80% of folds and seeds. No curve of a held-out subject chose an epoch that is ranked."
    return ui.figure(ui.grid(panels), caption, synthetic=data.synthetic)


def _panel(data: ReportData, key: Key, table: pd.DataFrame, column: str, label: str) -> Markup | None:
    curves = {
        str(split): _band(rows, column) for split, rows in table.dropna(subset=[column]).groupby("split", sort=False)
    }
    if not curves:
        return None
    name = "-".join(("curve", column, str(list(data.curves).index(key))))
    last = "; ".join(f"{split} ends at {mean[-1]:.3f}" for split, (_, mean, _, _) in curves.items())
    return figures.lines(
        name, f"{data.name(key)}: {label}", ("epoch", label), curves, f"{label} of {data.name(key)} by epoch: {last}",
        share=column == "uf1",
    )  # fmt: skip


def _band(rows: pd.DataFrame, column: str) -> tuple[np.ndarray, ...]:
    """Epochs, median, and the 10 % and 90 % quantiles over folds and seeds."""
    bands = rows.groupby("epoch")[column].quantile([0.5, 0.1, 0.9]).unstack()
    return bands.index.to_numpy(), *(bands[q].to_numpy() for q in (0.5, 0.1, 0.9))
