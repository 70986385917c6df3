"""Controls: what must land at chance, and how well features tell people apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from mer_lib.evaluation.leaderboard import FULL, ORACLE
from mer_lib.registry import register
from mer_lib.report import figures, ui
from mer_lib.report.data import ReportData

COLUMNS = ("control", "UAR", "interval", "lands", "UF1", "accuracy", "seeds", "method")
PROBE = ("features", "subjects", "clips", "right", "interval", "guessing", "dealt anew", "p", "verdict")
_LEVEL = 0.05
_ROUNDED = 1e-5  # what a figure may miss chance by because it was rounded in its file


@register("section", "controls", order=28, title="Controls")
def section(data: ReportData) -> Markup | None:
    """UAR of each control against chance, and the identity probe."""
    blocks = [*_chance(data), *_identity(data)]
    return Markup("\n").join(blocks) if blocks else None


def _chance(data: ReportData) -> list[Markup]:
    rows = _without_oracles(data.controls)
    if rows.empty:
        return []
    chance = data.chance()
    dots = [
        figures.Dot(data.name((row.protocol, row.experiment)), row.uar, row.uar_low, row.uar_high, chance, ranked=False)
        for row in rows.itertuples()
    ]
    said = "; ".join(f"{dot.label} {ui.number(dot.value)}" for dot in dots)
    told = (
        f"An answer that knows nothing of the truth has an expected UAR of {chance:.3f}, one over the number of "
        "classes, however often it says which: that is chance. Training labels that were shuffled, and a constant "
        "answer, teach nothing and must not come out above it: an interval above chance shows a leak, but for one in "
        "forty, by bad luck. They may come out below: who is held out takes his classes away from training, so that "
        "answers after the training clips' shares lean away from his, the more so the fewer the clips and the more "
        "even the classes. UF1 at chance depends on how often each class is answered, and is not judged."
    )
    table = [
        [
            dot.label, ui.number(row.uar), ui.span(row.uar_low, row.uar_high), lands(row, chance),
            ui.number(row.uf1), ui.number(row.accuracy), ui.count(row.seeds), row.method,
        ]
        for dot, row in zip(dots, rows.itertuples(), strict=True)
    ]  # fmt: skip
    figure = figures.dots("controls-uar", "UAR", dots, f"Dot plot of the UAR of controls: {said}")
    return [
        ui.paragraph(told),
        ui.figure(figure, "Means over seeds and bootstrap intervals over subjects.", synthetic=data.synthetic),
        ui.table("Controls against chance", COLUMNS, table, synthetic=data.synthetic, text=("lands", "method")),
    ]


def lands(row, chance: float) -> Markup:
    """Where a control's UAR lies, by its interval."""
    low, high = (row.uar, row.uar) if pd.isna(row.uar_low) else (row.uar_low, row.uar_high)
    if low > chance + _ROUNDED:
        return ui.verdict("above chance: look for a leak", False)
    return ui.verdict("below chance: no leak" if high < chance - _ROUNDED else "at chance", True)


def _without_oracles(controls: pd.DataFrame) -> pd.DataFrame:
    """The rows that must land at chance: neither an oracle nor the honest run that it is set against."""
    if controls.empty:
        return controls
    oracles = {name for name in controls["experiment"] if name.endswith(ORACLE)}
    apart = controls["experiment"].isin(oracles | {name.removesuffix(ORACLE) for name in oracles})
    return controls[controls["part"].eq(FULL) & ~apart]


def _identity(data: ReportData) -> list[Markup]:
    if not data.identity:
        return []
    told = (
        "How often a linear machine names the subject of a clip from its features, having seen other clips of the same "
        "people; beside it one over the subjects, and what it reaches when the names are dealt anew among the clips, "
        "from which p comes. Features that know the face are no leak where subjects are kept apart; where they are "
        "not, this is what pays."
    )
    rows = [_probe(found) for found in data.identity]
    return [
        ui.paragraph(told),
        ui.table("Identity probe", PROBE, rows, synthetic=data.synthetic, text=("verdict",)),
    ]


def _probe(found: Mapping[str, Any]) -> list[str | Markup]:
    return [
        str(found["descriptor"]), ui.count(found["subjects"]), ui.count(found["clips"]), ui.number(found["accuracy"]),
        ui.span(found["low"], found["high"]), ui.number(found["chance"]), ui.number(found["permuted"]),
        ui.chance_of(found["p"]), "tells people apart" if found["p"] < _LEVEL else "not seen to tell people apart",
    ]  # fmt: skip
