"""Which differences between experiments are real."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import ReportData

COLUMNS = ("better − worse", "UF1", "p", "corrected", "difference", "UAR", "its p", "corrected p", "subjects")
WIDEST = 8  # experiments beside each other in a table that can still be read


@register("section", "comparisons", order=22, title="Which differences are real")
def section(data: ReportData) -> Markup | None:
    """Every pair of ranked experiments: the difference, its interval and its p, corrected for the number of pairs."""
    if data.comparisons.empty:
        return None
    tested = data.comparisons[data.comparisons["p"].notna()]
    blocks = [
        block for protocol, pairs in tested.groupby("protocol") for block in _protocol(data, str(protocol), pairs)
    ]
    if not blocks:
        return None
    told = (
        f"Pairs compared: {len(tested)}; really different: {tested['real'].sum()}. A difference is real where a paired "
        "permutation test over subjects says that it would be rare if both methods were equal, corrected for all pairs "
        "under the protocol (Holm). Not separable is not equal: more people might tell."
    )
    return Markup("\n").join([ui.paragraph(told), *blocks])


def _protocol(data: ReportData, protocol: str, pairs: pd.DataFrame) -> list[Markup]:
    named = f" under {ui.title('protocol', protocol)}" if data.comparisons["protocol"].nunique() > 1 else ""
    ordered = pairs.sort_values(["p_corrected", "p"], kind="stable")
    rows = ui.table(
        f"Differences{named}, the surest first", COLUMNS, [_row(pair) for pair in ordered.itertuples()],
        synthetic=data.synthetic, text=("difference",),
    )  # fmt: skip
    names = _order(data, protocol, pairs)
    if len(names) == 2:
        return [rows]
    matrix = [_matrix(data, protocol, names, named)] if len(names) <= WIDEST else []
    return [*matrix, ui.details(f"Each pair{named}, with interval and UAR", rows)]


def _order(data: ReportData, protocol: str, pairs: pd.DataFrame) -> list[str]:
    """The experiments of the pairs, as the leaderboard has them."""
    there = {*pairs["experiment_a"], *pairs["experiment_b"]}
    board = data.leaderboard
    known = board.loc[board["protocol"].eq(protocol), "experiment"] if len(board) else []
    return [name for name in dict.fromkeys([*known, *sorted(there)]) if name in there]


def _matrix(data: ReportData, protocol: str, names: list[str], named: str) -> Markup:
    rows = [[name, *(_cell(data, protocol, name, other) for other in names)] for name in names]
    caption = f"UF1 of the row minus UF1 of the column{named}; tinted where real, with the corrected p"
    return ui.table(caption, ["UF1", *names], rows, synthetic=data.synthetic)


def _cell(data: ReportData, protocol: str, one: str, other: str) -> ui.Cell:
    found = data.compared(protocol, one, other)
    if found is None:
        return ui.Cell("")
    return ui.Cell(ui.signed(found.value), f"p {ui.chance_of(found.p)}", 0.6 if found.real else None)


def _row(pair) -> list[str | ui.Cell]:
    return [
        f"{pair.experiment_a} − {pair.experiment_b}",
        ui.Cell(ui.signed(pair.uf1_difference), ui.span(pair.low, pair.high)),
        ui.chance_of(pair.p),
        ui.chance_of(pair.p_corrected),
        ui.verdict("real", True) if pair.real else "not separable",
        ui.Cell(ui.signed(pair.uar_difference), ui.span(pair.uar_low, pair.uar_high)),
        ui.chance_of(pair.uar_p),
        ui.chance_of(pair.uar_p_corrected),
        ui.count(pair.subjects),
    ]
