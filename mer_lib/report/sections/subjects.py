"""Whom the methods read and whom they do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import figures, ui
from mer_lib.report.data import ReportData


@register("section", "subjects", order=40, title="Subject by subject")
def section(data: ReportData) -> Markup | None:
    """Share of each subject's tested clips that were classified rightly."""
    tables = {data.name(key): _shares(table) for key, table in data.predictions.items() if "subject" in table}
    if not tables:
        return None
    shares = {name: table["right"].to_numpy() for name, table in tables.items()}
    said = "; ".join(f"{name}: median {np.median(values):.2f}" for name, values in shares.items())
    figure = figures.histograms(
        "subjects", "Subjects by accuracy", shares, f"Histograms of accuracy over subjects. {said}"
    )
    caption = (
        "Tested subjects around each accuracy; the triangle is the median. Accuracy, not UF1: the few clips of one "
        "person seldom hold every class."
    )
    blocks = [ui.figure(figure, caption, synthetic=data.synthetic)]
    blocks.append(ui.details("All subjects, hardest first", _table(data, tables)))
    return Markup("\n").join(blocks)


def _shares(predictions: pd.DataFrame) -> pd.DataFrame:
    """Per subject: share of right predictions over clips and seeds, and its number of clips (original views)."""
    original = predictions[predictions["yaw"] == 0] if predictions["yaw"].eq(0).any() else predictions
    right = original["truth"].eq(original["predicted"]).groupby(original["subject"]).mean()
    return pd.DataFrame({"right": right, "clips": original.groupby("subject")["clip"].nunique()})


def _table(data: ReportData, tables: dict[str, pd.DataFrame]) -> Markup:
    right = pd.DataFrame({name: table["right"] for name, table in tables.items()})
    clips = pd.DataFrame({name: table["clips"] for name, table in tables.items()}).max(axis=1)
    order = right.mean(axis=1).sort_values(kind="stable").index
    rows = [
        [str(subject), ui.count(clips[subject])]
        + [ui.Cell(ui.MISSING) if pd.isna(r) else ui.Cell(f"{r:.0%}", tint=r) for r in right.loc[subject]]
        for subject in order
    ]
    return ui.table("Share of clips classified rightly", ["subject", "clips", *tables], rows, synthetic=data.synthetic)
