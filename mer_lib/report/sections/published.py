"""A paper's figures beside ours: one table for each of its tables and figures."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from markupsafe import Markup

from mer_lib import registry
from mer_lib.evaluation.leaderboard import FULL, ORACLE
from mer_lib.learning.curves import last_epochs
from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import Key, ReportData

NAMES = {"accuracy": "accuracy", "uf1": "UF1", "uar": "UAR", "last_mean": "mean", "last_deviation": "deviation"}
TOLD = (
    "Published figures can be compared with ours of the same data set and protocol only; what stands under another "
    "name shows that the experiment runs. A dash: not printed, or not run here."
)
VIEWS = (
    "Ours under a protocol that tests views: the mean over the generated views, as the paper tests them; the "
    "leaderboard has the recording's."
)
BEST = (
    "Below our figures 'best epoch': the accuracy at the recorded epoch that read most tested clips rightly, which is "
    "what a paper reports that chooses its epoch on the tested clips. It is never ranked."
)
LAST = (
    "Mean and deviation of the accuracy on the tested clips over the last ten epochs, averaged over seeds; a single "
    "epoch has no deviation."
)
DRAWN = "Of a confusion matrix that the paper draws and does not print, ours stands alone."
CUT = "Networks that were trained on a small budget are named below the leaderboard: ours say what that is worth."


@register("section", "published", order=15, title="Published and ours")
def section(data: ReportData) -> Markup | None:
    """Published figures by data set, and ours on this corpus and its parts; confusion matrices side by side."""
    if data.published.empty:
        return None
    groups = data.published.groupby("exhibit", sort=False)
    tables = [_table(data, name, rows) for name, rows in groups]
    said = [TOLD, *(text for text, holds in _notes(data) if holds)]
    return Markup("\n").join([*map(ui.paragraph, said), *tables, *_confusions(data)])


def _notes(data: ReportData) -> Iterator[tuple[str, bool]]:
    named = data.published[["protocol", "experiment"]].itertuples(index=False, name=None)
    keys = {key for key in named if key in data.metrics}
    yield VIEWS, any(_tests_views(protocol) for protocol, _ in keys)
    yield BEST, any(_best(data, key, FULL) for key in keys)
    yield LAST, data.published["metric"].eq("last_mean").any()
    drawn = data.confusions["dataset"].eq("") if len(data.confusions) else pd.Series(dtype=bool)
    yield DRAWN, drawn.any()
    yield CUT, any(data.cut(experiment) for _, experiment in keys)


def _table(data: ReportData, exhibit: str, rows: pd.DataFrame) -> Markup:
    metrics, datasets = list(dict.fromkeys(rows["metric"])), list(dict.fromkeys(rows["dataset"]))
    parts = list(dict.fromkeys(data.leaderboard["part"])) if len(data.leaderboard) else []
    ours, digits = {part: data.corpus if part == FULL else part for part in parts}, _digits(rows["value"])
    columns = [
        "method",
        "protocol",
        *(f"published: {name}" for name in datasets),
        *(f"ours: {n}" for n in ours.values()),
    ]
    body = []
    for (method, experiment, protocol), group in rows.groupby(["method", "experiment", "protocol"], sort=False):
        told = {(row.dataset, row.metric): row.value for row in group.itertuples()}
        found = _ours(data, (protocol, experiment))
        body.append([
            ui.Cell(method, experiment),
            protocol,
            *(_cell([told.get((name, metric)) for metric in metrics], digits) for name in datasets),
            *(_mine(data, (protocol, experiment), part, [found.get((part, m)) for m in metrics]) for part in parts),
        ])  # fmt: skip
    over = " over ".join(NAMES[metric] for metric in metrics)
    return ui.table(f"{exhibit}: {over}", columns, body, synthetic=data.synthetic, text=("protocol",))


def _ours(data: ReportData, key: Key) -> dict[tuple[str, str], float]:
    """(part, metric) -> our figure of an experiment under a protocol."""
    figures = ("accuracy", "uf1", "uar")
    if key in data.metrics and _tests_views(key[0]):
        views = [found for yaw, found in data.metrics[key]["by_yaw"].items() if float(yaw)]
        return {(FULL, m): sum(view[m] for view in views) / len(views) for m in figures if views}
    found = {(part, metric): row[metric] for part, row in _rows(data, key).items() for metric in figures}
    last = pd.DataFrame([each for _, each in last_epochs(data.curves.get(key, pd.DataFrame()))])
    return found | ({(FULL, f"last_{m}"): last[m].mean() for m in ("mean", "deviation")} if len(last) else {})


def _rows(data: ReportData, key: Key) -> dict[str, pd.Series]:
    """Part -> the row of the leaderboard."""
    board = data.leaderboard
    if board.empty:
        return {}
    rows = board[board["protocol"].eq(key[0]) & board["experiment"].eq(key[1])]
    return {row["part"]: row for _, row in rows.iterrows()}


def _best(data: ReportData, key: Key, part: str) -> float | None:
    """The accuracy of the oracle beside an experiment of one split, where it was recorded."""
    found = _rows(data, (key[0], key[1] + ORACLE)).get(part)
    return None if found is None or _tests_views(key[0]) else float(found["accuracy"])


def _tests_views(protocol: str) -> bool:
    known = registry.entries("protocol").get(protocol)
    return known is not None and known.meta.get("tests_on", "original") != "original"


def _mine(data: ReportData, key: Key, part: str, values: list) -> ui.Cell:
    cell, best = _cell(values), _best(data, key, part)
    told = best is not None and values[0] is not None and len(values) == 1
    return ui.Cell(cell.text, f"best epoch {ui.number(best)}") if told else cell


def _digits(printed: pd.Series) -> int:
    """How many digits of its figures a paper prints, trailing zeros among them."""
    return max(len(f"{value}".partition(".")[2]) for value in printed.dropna())


def _cell(values: list, digits: int = 3) -> ui.Cell:
    first, *others = (ui.number(value, digits) for value in values)
    return ui.Cell(first, ", ".join(others))


def _confusions(data: ReportData) -> list[Markup]:
    """Each printed matrix, and ours of the same experiment; of one that is only drawn ours alone, part by part."""
    found = []
    if data.confusions.empty:
        return found
    for (exhibit, experiment, dataset, protocol), rows in data.confusions.groupby(
        ["exhibit", "experiment", "dataset", "protocol"], sort=False
    ):
        printed = [_printed(f"{exhibit}: published, {dataset}", rows)] if dataset else []
        key = (protocol, experiment)
        ours = _ours_by_part(data, exhibit, key, parts=not dataset) if key in data.predictions else []
        if pair := [*printed, *ours]:
            found.append(ui.grid(pair))
    return found


def _printed(caption: str, rows: pd.DataFrame) -> Markup:
    names = list(dict.fromkeys(rows["truth"]))
    return _matrix(
        caption, rows.pivot(index="truth", columns="predicted", values="clips").loc[names, names], synthetic=False
    )


def _ours_by_part(data: ReportData, exhibit: str, key: Key, *, parts: bool) -> list[Markup]:
    """Our matrix of the whole corpus and, where asked, of each data set of a composite."""
    told = data.predictions[key]
    names = sorted(told["dataset"].unique()) if parts and "dataset" in told else []
    of_part = {name: told[told["dataset"].eq(name)] for name in names} if len(names) > 1 else {}
    return [
        _matrix(f"{exhibit}: ours, {name}, {key[1]}", _answers(data, key, rows), synthetic=data.synthetic)
        for name, rows in {data.corpus: told, **of_part}.items()
    ]


def _answers(data: ReportData, key: Key, told: pd.DataFrame) -> pd.DataFrame:
    """Our confusion matrix, of all seeds: of the generated views where the protocol tests them."""
    told = told[told["yaw"].ne(0) if _tests_views(key[0]) else told["yaw"].eq(0)]
    names = data.metrics[key]["classes"]
    return pd.crosstab(told["truth"], told["predicted"]).reindex(index=names, columns=names, fill_value=0)


def _matrix(caption: str, counts: pd.DataFrame, *, synthetic: bool) -> Markup:
    rows = [[str(name), *ui.shares(row)] for name, row in counts.iterrows()]
    right = sum(counts.at[name, name] for name in counts.index) / max(1, counts.to_numpy().sum())
    caption = f"{caption}: {right:.0%} right"
    return ui.table(caption, ["truth", *map(str, counts)], rows, synthetic=synthetic, top="predicted")
