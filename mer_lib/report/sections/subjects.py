"""Whom the methods read and whom they do not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from mer_lib.registry import register
from mer_lib.report import figures, ui
from mer_lib.report.data import ReportData

WIDEST = 6  # experiments beside each other: more do not fit on paper


@register("section", "subjects", order=40, title="Subject by subject")
def section(data: ReportData) -> Markup | None:
    """Share of each subject's tested clips that were classified rightly."""
    tables = {key: _shares(table) for key, table in data.predictions.items() if "subject" in table}
    if not tables:
        return None
    shares = {data.name(key): table["right"].to_numpy() for key, table in tables.items()}
    said = "; ".join(f"{name}: median {np.median(values):.2f}" for name, values in shares.items())
    figure = figures.histograms(
        "subjects", "Subjects by accuracy", shares, f"Histograms of accuracy over subjects. {said}"
    )
    caption = (
        "Tested subjects around each accuracy; the triangle is the median. Accuracy, not UF1: the few clips of one "
        "person seldom hold every class."
    )
    blocks = [ui.figure(figure, caption, synthetic=data.synthetic)]
    by_protocol: dict[str, dict[str, pd.DataFrame]] = {}
    for (protocol, experiment), table in tables.items():
        by_protocol.setdefault(protocol, {})[experiment] = table
    whole = [
        part
        for protocol, found in by_protocol.items()
        for part in _tables(data, f", {ui.title('protocol', protocol)}" if len(by_protocol) > 1 else "", found)
    ]
    blocks.append(ui.details("All subjects, hardest first", Markup("\n").join(whole)))
    return Markup("\n").join(blocks)


def _shares(predictions: pd.DataFrame) -> pd.DataFrame:
    """Per subject: share of right predictions over clips and seeds, and its number of clips (original views)."""
    original = predictions[predictions["yaw"] == 0] if predictions["yaw"].eq(0).any() else predictions
    right = original["truth"].eq(original["predicted"]).groupby(original["subject"]).mean()
    return pd.DataFrame({"right": right, "clips": original.groupby("subject")["clip"].nunique()})


def _tables(data: ReportData, named: str, tables: dict[str, pd.DataFrame]) -> Iterator[Markup]:
    """The experiments of one protocol, as many side by side as a page of paper is wide; of a subject's clips those of
    the experiment that was tested on most.
    """
    right = pd.DataFrame({name: table["right"] for name, table in tables.items()})
    clips = pd.DataFrame({name: table["clips"] for name, table in tables.items()}).max(axis=1)
    order = right.mean(axis=1).sort_values(kind="stable").index
    for at in range(0, right.shape[1], WIDEST):
        names = [*right][at : at + WIDEST]
        rows = [
            [str(subject), ui.count(clips[subject])]
            + [ui.Cell(ui.MISSING) if pd.isna(r) else ui.Cell(f"{r:.0%}", tint=r) for r in right.loc[subject, names]]
            for subject in order
        ]
        columns = ["subject", "clips", *map(_breaking, names)]
        yield ui.table(f"Share of clips classified rightly{named}", columns, rows, synthetic=data.synthetic)


def _breaking(name: str) -> Markup:
    """A name that may break behind its underscores."""
    return Markup(escape(name).replace("_", Markup("_<wbr>")))
