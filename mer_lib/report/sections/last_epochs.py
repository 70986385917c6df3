"""Accuracy on the tested side over the last epochs: what papers with one split print beside their best epoch."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from mer_lib.learning.curves import LAST
from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import ReportData

COLUMNS = ("experiment", "seed", "last", "mean", "deviation", "lowest", "highest", "best, never ranked", "its epoch")


@register("section", "last_epochs", order=62, title="The last epochs")
def section(data: ReportData) -> Markup | None:
    """Mean and deviation of the tested clips' accuracy over the last epochs, of experiments with one split."""
    rows = [row for key, table in data.curves.items() for row in _rows(data.name(key), table)]
    if not rows:
        return None
    told = (
        f"One split has no folds to show how far a figure can be trusted; how much it moves over the last {LAST} "
        "epochs is the least that it can be wrong by. Reddy et al. (2019, Table VIII) print mean and deviation so (of "
        "the sample, as here; they do not say). The best epoch was chosen on the tested clips: it is what such papers "
        "report, and it is never ranked."
    )
    return ui.paragraph(told) + ui.table(
        "Accuracy on the tested clips", COLUMNS, rows, synthetic=data.synthetic, text=("experiment",)
    )


def _rows(name: str, table: pd.DataFrame) -> list[list[str]]:
    """A row a seed; none where clips were held out by turns, since a fold's accuracy is not the experiment's."""
    tested = table[table["split"].eq("test")] if len(table) else table
    if tested.empty or tested["fold"].nunique() > 1:
        return []
    rows = []
    for seed, found in tested.sort_values("epoch").groupby("seed"):
        accuracy = found.set_index("epoch")["accuracy"]
        last = accuracy[accuracy.index > accuracy.index.max() - LAST]
        figures = (accuracy.iloc[-1], last.mean(), last.std(ddof=1), last.min(), last.max(), accuracy.max())
        rows.append([name, str(seed), *map(ui.number, figures), ui.count(accuracy.idxmax())])
    return rows
