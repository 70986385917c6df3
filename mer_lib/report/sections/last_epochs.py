"""Accuracy on the tested side over the last epochs: what papers with one split print beside their best epoch."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from mer_lib.learning.curves import LAST, last_epochs
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
    """A row a seed."""
    figures = ("last", "mean", "deviation", "lowest", "highest", "best")
    return [
        [name, str(seed), *(ui.number(found[figure]) for figure in figures), ui.count(found["at"])]
        for seed, found in last_epochs(table)
    ]
