"""Whether a method is as sure as it is right."""

from __future__ import annotations

from markupsafe import Markup

from mer_lib.evaluation.leaderboard import FULL
from mer_lib.registry import register
from mer_lib.report import figures, ui
from mer_lib.report.data import Key, ReportData

COLUMNS = ("experiment", "ECE", "expected of an honest method", "scores are")
CAPTION = (
    "Predictions by the probability they state, in ten bins: the share that is right over the mean that is stated. The "
    "area is the number of predictions. Below the dashed line a method is surer than it should be."
)
TOLD = (
    "ECE is the mean distance from the dashed line. Few clips scatter around it even where every stated probability is "
    "true: the third column is what such a method would show. The scores of support vector machines are a softmax of "
    "decision values, not probabilities; their curve says how far they may be read as if they were."
)


@register("section", "calibration", order=35, title="Calibration")
def section(data: ReportData) -> Markup | None:
    """A reliability curve an experiment, and the expected calibration errors."""
    known = {key: found["calibration"] for key, found in data.metrics.items() if found.get("calibration")}
    if not known:
        return None
    panels = [_panel(data, key, found, number) for number, (key, found) in enumerate(known.items())]
    networks = _networks(data)
    rows = [
        [
            data.name(key), ui.number(found["ece"]), ui.number(found["ece_if_calibrated"]),
            "softmax of a network" if key in networks else "no probabilities",
        ]
        for key, found in known.items()
    ]  # fmt: skip
    table = ui.table("Expected calibration error", COLUMNS, rows, synthetic=data.synthetic, text=("scores are",))
    figure = ui.figure(ui.grid(panels, "small"), CAPTION, synthetic=data.synthetic)
    return Markup("\n").join([figure, table, ui.paragraph(TOLD)])


def _panel(data: ReportData, key: Key, found: dict, number: int) -> Markup:
    said = f"Reliability curve of {data.name(key)}: expected calibration error {ui.number(found['ece'])}"
    return figures.reliability(f"calibration-{number}", data.name(key), found["reliability"], said)


def _networks(data: ReportData) -> set[Key]:
    """The experiments with trained weights; the others are classifiers."""
    board = data.leaderboard
    rows = board[board["part"].eq(FULL) & board["parameters"].notna()] if len(board) else board
    return {(row.protocol, row.experiment) for row in rows.itertuples()}
