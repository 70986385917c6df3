"""The leaderboard: figures with intervals, how each row stands to the baseline and the best, and what is not ranked."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from markupsafe import Markup

from mer_lib.evaluation.leaderboard import FULL
from mer_lib.registry import register
from mer_lib.report import figures, ui
from mer_lib.report.data import ReportData

COLUMNS = (
    "experiment", "UF1", "UAR", "accuracy", "against the baseline", "against the best", "seeds", "parameters",
    "epoch chosen",
)  # fmt: skip
NOTHING = ui.Cell(ui.MISSING)
TEXT = ("against the baseline", "against the best", "epoch chosen")


@register("section", "leaderboard", order=20, title="Leaderboard")
def section(data: ReportData) -> Markup | None:
    """UF1 and UAR with their intervals, as a figure and as a table, and the parts of a composite corpus."""
    board = data.leaderboard
    if board.empty or not data.metrics:
        return None
    board = board[board["selection"] != "oracle"]  # shown in a section of its own
    full = board[board["part"] == FULL]
    groups = {heading: _rows(data, rows) for heading, rows in full.groupby(_headings(data, full), sort=False)}
    blocks = [
        ui.figure(
            ui.grid(_figure(data, full, name) for name in ("uf1", "uar")),
            "Dots are means over seeds, bars are bootstrap intervals over subjects, ticks are single seeds. "
            "Hollow dots are not ranked.",
            synthetic=data.synthetic,
        ),
        _table(data, groups),
    ]
    blocks += [ui.paragraph(told) for told in (*_unequal(data, full), *_budgets(data, full), *_scratch(data, full))]
    if len(board) > len(full):
        blocks.append(_parts(data, board))
    return Markup("\n").join(blocks)


def _table(data: ReportData, groups: dict[str, list[list[str | ui.Cell]]]) -> Markup:
    """All columns, but for those that compare with what is not there: no baseline on this page, or nothing ranked."""
    rows = [row for body in groups.values() for row in body]
    idle = {n for n, name in enumerate(COLUMNS) if name in TEXT[:2] and all(row[n] == NOTHING for row in rows)}
    shown = {heading: [[c for n, c in enumerate(row) if n not in idle] for row in b] for heading, b in groups.items()}
    columns = [name for n, name in enumerate(COLUMNS) if n not in idle]
    return ui.table("Results on the whole corpus", columns, shown, synthetic=data.synthetic, text=TEXT)


def _unequal(data: ReportData, full: pd.DataFrame) -> Iterator[str]:
    """A warning for each protocol whose rows are not of the same number of clips: losing the hard ones must not pay."""
    for protocol, rows in full.groupby("protocol", sort=False):
        few = rows[rows["clips"] < rows["clips"].max()]
        if len(few):
            named = ui.listing(f"{data.name((protocol, row.experiment))} ({row.clips})" for row in few.itertuples())
            yield (
                f"Scored on fewer than the {rows['clips'].max()} clips of the others, so that the order says little: "
                f"{named}. The differences below are of the clips that both of a pair predicted."
            )


def _budgets(data: ReportData, full: pd.DataFrame) -> Iterator[str]:
    """A warning that names the networks whose training was cut short: their figures are not their papers' methods'."""
    cut: dict[str, list[str]] = {}
    for name in filter(data.cut, full["experiment"].unique()):
        train = data.resolved[name].train
        steps = f"{train.max_steps} step{'s' if train.max_steps > 1 else ''}"
        cut.setdefault(f"{steps} at most; recipe: {train.epochs} epochs", []).append(name)
    if cut:
        found = "; ".join(f"{ui.listing(names)} ({told})" for told, names in cut.items())
        yield f"Trained on a small budget, so that figures say what that is worth and no more: {found}."


def _scratch(data: ReportData, full: pd.DataFrame) -> Iterator[str]:
    """A word on the networks that could start from ImageNet's weights, and did not."""
    if found := [name for name in full["experiment"].unique() if data.resolved[name].options.get("weights") == ""]:
        yield f"Trained from scratch, no file of ImageNet weights being given (option weights): {ui.listing(found)}."


def _headings(data: ReportData, full: pd.DataFrame) -> pd.Series:
    """The heading that each row stands under; it names the protocol where there are several."""
    several = full["protocol"].nunique() > 1
    return full.apply(
        lambda row: (f"{ui.title('protocol', row['protocol'])}: " if several else "") + _standing(data, row), axis=1
    )


def _standing(data: ReportData, row: pd.Series) -> str:
    if row["experiment"] in data.baselines and row["ranked"]:
        return "The line that every network must beat"
    if row["ranked"]:
        return "Ranked"
    return "Not ranked: a control or a quick look" if row["subject_disjoint"] else "Not ranked: subjects on both sides"


def _figure(data: ReportData, full: pd.DataFrame, name: str) -> Markup:
    dots = []
    for row in full.itertuples():
        metrics = data.metrics.get((row.protocol, row.experiment), {})
        value, low, high = (getattr(row, column) for column in (name, f"{name}_low", f"{name}_high"))
        seeds = [each[name] for each in metrics.get("seeds", {}).get("each", {}).values()]
        key, several = (row.protocol, row.experiment), seeds if len(seeds) > 1 else ()
        dots.append(figures.Dot(data.name(key), value, low, high, data.chance(key), several, row.ranked))
    lines = full.loc[full["experiment"].isin(data.baselines), name] if full["protocol"].nunique() == 1 else ()
    said = "; ".join(f"{d.label} {ui.number(d.value)}" for d in dots)
    return figures.dots(
        f"board-{name}", name.upper(), dots, f"Dot plot of {name.upper()}: {said}",
        baseline=max(lines) if len(lines) else None,
    )  # fmt: skip


def _rows(data: ReportData, board: pd.DataFrame) -> list[list[str | ui.Cell]]:
    return [
        [
            ui.Cell(row.experiment, row.method if row.method != row.experiment else ""),
            ui.Cell(ui.number(row.uf1), ui.span(row.uf1_low, row.uf1_high)),
            ui.Cell(ui.number(row.uar), ui.span(row.uar_low, row.uar_high)),
            ui.number(row.accuracy),
            _against(data, row, data.better_baseline(row.protocol), "the line", "beats it"),
            _against(data, row, _best(data, row.protocol), "the best", "better"),
            ui.count(row.seeds),
            ui.count(row.parameters),
            row.selection,
        ]
        for row in board.itertuples()
    ]


def _best(data: ReportData, protocol: str) -> str | None:
    board = data.leaderboard
    ranked = board[board["ranked"] & board["part"].eq(FULL) & board["protocol"].eq(protocol)]
    return str(ranked.loc[ranked["uf1"].idxmax(), "experiment"]) if len(ranked) else None


def _against(data: ReportData, row, other: str | None, itself: str, won: str) -> ui.Cell:
    """How a row stands to another: the word, and the difference with its corrected p under it."""
    if row.experiment == other:
        return ui.Cell(itself)
    found = data.compared(row.protocol, row.experiment, other) if other else None
    if found is None:
        return NOTHING
    word = ui.verdict(won if found.value > 0 else "worse", found.value > 0) if found.real else "not separable"
    return ui.Cell(word, f"{ui.signed(found.value)}, p {ui.chance_of(found.p)}")


def _parts(data: ReportData, board: pd.DataFrame) -> Markup:
    """The data sets of a composite, cut from the same folds."""
    parts = board[board["part"] != FULL]
    names = sorted(parts["part"].unique())
    rows = []
    for (experiment, protocol), group in parts.groupby(["experiment", "protocol"], sort=False):
        by_part = group.set_index("part")
        rows.append([data.name((protocol, experiment)), *(_both(by_part, name) for name in names)])
    return ui.table("Parts of the same folds: UF1 over UAR", ["experiment", *names], rows, synthetic=data.synthetic)


def _both(by_part: pd.DataFrame, name: str) -> ui.Cell:
    if name not in by_part.index:
        return ui.Cell(ui.MISSING)
    return ui.Cell(ui.number(by_part.at[name, "uf1"]), ui.number(by_part.at[name, "uar"]))
