"""What choosing the epoch on the test subject would have been worth."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from mer_lib.evaluation.leaderboard import FULL, ORACLE
from mer_lib.learning.curves import EVERY, LAST
from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import ReportData

COLUMNS = ("experiment", "honest UF1", "oracle UF1", "inflation", "honest UAR", "oracle UAR", "inflation of UAR")


@register("section", "oracle", order=24, title="Oracle inflation")
def section(data: ReportData) -> Markup | None:
    """The oracle figures beside the honest ones of the same training runs, and the difference."""
    boards = [board[board["part"] == FULL] for board in (data.leaderboard, data.controls) if len(board)]
    rows = [row for board in boards for row in _rows(data, board)]
    if not rows:
        return None
    told = (
        "The same training runs, read twice: at the epoch that the recipe names, and at the recorded epoch at which "
        "most tested clips of each fold happened to be read rightly. The second is what is published where the epoch "
        "was chosen on the tested clips; who looks at every epoch gains more than is shown here, where the first, each "
        f"{EVERY}th and the last {LAST} are recorded. It is never ranked; a figure in a paper may hold this much of it."
    )
    table = ui.table("Best epoch on the tested clips, never ranked", COLUMNS, rows, synthetic=data.synthetic)
    return ui.paragraph(told) + table


def _rows(data: ReportData, board: pd.DataFrame) -> list[list[str | ui.Cell]]:
    by_name = board.set_index(["protocol", "experiment"])
    rows = []
    for (protocol, name), oracle in by_name[by_name["selection"] == "oracle"].iterrows():
        honest = (protocol, name.removesuffix(ORACLE))
        if honest not in by_name.index:
            continue
        sibling, found = by_name.loc[honest], data.compared(protocol, name, honest[1])
        rows.append([
            data.name(honest),
            ui.number(sibling["uf1"]),
            ui.number(oracle["uf1"]),
            ui.Cell(ui.signed(oracle["uf1"] - sibling["uf1"]), ui.span(found.low, found.high) if found else ""),
            ui.number(sibling["uar"]),
            ui.number(oracle["uar"]),
            ui.signed(oracle["uar"] - sibling["uar"]),
        ])  # fmt: skip
    return rows
