"""What was run on what."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from mer_lib.evaluation.leaderboard import FULL
from mer_lib.problems import auxiliary
from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import ReportData


@register("section", "overview", order=10, title="What was run on what")
def section(data: ReportData) -> Markup | None:
    """Clips, subjects and classes of the corpus, the experiments and the best ranked figure; not of a lone network."""
    if data.topic == "depth":
        return None
    clips = data.clips
    skipped = None
    if "severity" in data.problems:
        skipped = (data.problems["severity"].eq("skipped") & ~auxiliary(data.problems)).sum()
    tiles = [
        (ui.count(len(clips)), "clips"),
        (ui.count(clips["subject"].nunique()), "subjects"),
        (ui.count(clips["label"].ne("").sum()), "labelled"),
        (_rates(clips["fps"]), "frames a second"),
        (ui.count(clips["frames"].sum()) if clips["frames"].notna().any() else ui.MISSING, "frames"),
        (ui.count(skipped), "skipped"),
    ]
    return Markup("\n").join([_lead(data), ui.render("tiles.html.j2", tiles=tiles), _classes(data)])


def _lead(data: ReportData) -> Markup:
    if not data.metrics and len(data.controls):
        return ui.paragraph(f"What must come out if nothing leaks, tried on {data.corpus}.", "lead")
    if not data.metrics:
        return ui.paragraph(f"No experiment was evaluated on {data.corpus}.", "lead")
    experiments = dict.fromkeys(experiment for _, experiment in data.metrics)
    protocols = dict.fromkeys(ui.title("protocol", protocol) for protocol, _ in data.metrics)
    text = f"{ui.listing(experiments)}, tested by {ui.listing(protocols)}."
    board = data.leaderboard
    ranked = board[board["ranked"] & board["part"].eq(FULL)] if len(board) else board
    if len(ranked):
        best = ranked.loc[ranked["uf1"].idxmax()]
        interval = ui.span(best["uf1_low"], best["uf1_high"])
        text += f" Best ranked: {best['experiment']}, UF1 {ui.number(best['uf1'])}"
        text += f" (interval {interval})." if interval else "."
        text += _against_the_line(data, best)
    return ui.paragraph(text, "lead")


def _against_the_line(data: ReportData, best: pd.Series) -> str:
    """Whether the best really beats the baseline; '' where there is none to beat."""
    line = data.better_baseline(best["protocol"])
    if line == best["experiment"]:
        return " It is the baseline: nothing beats it."
    found = data.compared(best["protocol"], best["experiment"], line) if line else None
    if found is None:
        return ""
    beats = "really beats" if found.real else "cannot be told apart from"
    return f" It {beats} the baseline, {line} (difference {ui.signed(found.value)}, p {ui.chance_of(found.p)})."


def _rates(fps: pd.Series) -> str:
    known = fps.dropna().astype(float)
    if known.empty:
        return ui.MISSING
    low, high = known.min(), known.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _classes(data: ReportData) -> Markup:
    """Clips of each class by data set, in the metrics' order of classes."""
    labelled = data.clips[data.clips["label"].ne("")]
    if labelled.empty:
        return Markup("")
    scheme = [name for metrics in data.metrics.values() for name in metrics["classes"]]
    names = list(dict.fromkeys([*scheme, *sorted(labelled["label"].unique())]))
    counts = pd.crosstab(labelled["dataset"], labelled["label"]).reindex(columns=names, fill_value=0)
    people = labelled.groupby("dataset")["subject"].nunique()
    rows = [
        [str(dataset), ui.count(people[dataset]), *(ui.count(n) for n in row), ui.count(row.sum())]
        for dataset, row in counts.iterrows()
    ]
    if len(rows) > 1:
        rows.append(["all", ui.count(people.sum()), *(ui.count(n) for n in counts.sum()), ui.count(len(labelled))])
    return ui.table("Labelled clips", ["data set", "subjects", *names, "all"], rows, synthetic=data.synthetic)
