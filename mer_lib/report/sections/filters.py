"""How many clips of each class are longer than a paper's networks need (Reddy et al. 2019, Table IV)."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import ReportData

SPLIT = "clip_split_80_20"


@register("section", "filters", order=12, title="Clips that are long enough")
def section(data: ReportData) -> Markup | None:
    """Clips of each class, and those that a filter of frames keeps, by side of the split; the paper's and ours."""
    if data.counted.empty:
        return None
    told = (
        "The paper keeps clips of more than so many frames. Here shorter ones are stretched to the length that a "
        "network reads, unless the descriptor is told to take the first frames (take: first); then they are left "
        "out, by name. Frames are those of the expression with onset and offset. The paper's clips are all = trained "
        "on + tested, ours all = not tested + tested: not tested are those trained on and those that no network saw, "
        "skipped at some stage or of a label that is none of the classes."
    )
    theirs = {
        name: [[row.label, ui.count(row.longer_than), _sum(row.train, row.test)] for row in rows.itertuples()]
        for name, rows in data.counted.groupby("dataset", sort=False)
    }
    exhibit, text = data.counted["exhibit"].iloc[0], ("more than, frames", "clips")
    printed = ui.table(
        f"{exhibit}: published", ["class", "more than, frames", "clips"], theirs, synthetic=False, text=text[1:]
    )
    limits = sorted(data.counted["longer_than"].unique())
    columns = ["class", "any length", *(f"more than {limit} frames" for limit in limits)]
    mine = ui.table(f"{exhibit}: ours, {data.corpus}", columns, _ours(data, limits), synthetic=data.synthetic,
                    text=columns[1:])  # fmt: skip
    return ui.paragraph(told) + ui.grid([printed, mine])


def _ours(data: ReportData, limits: list[int]) -> list[list[str]]:
    clips = data.clips[data.clips["label"].ne("")]
    tested = {clip for (protocol, _), told in data.predictions.items() if protocol == SPLIT for clip in told["clip"]}
    length = (clips["offset"] - clips["onset"] + 1).fillna(clips["frames"])
    kept = [clips[length.gt(limit).fillna(False)] for limit in (-1, *limits)]
    return [[name, *(_sides(each[each["label"].eq(name)], tested) for each in kept)] for name in _classes(data, clips)]


def _classes(data: ReportData, clips: pd.DataFrame) -> list[str]:
    scheme = [name for metrics in data.metrics.values() for name in metrics["classes"]]
    return list(dict.fromkeys([*scheme, *sorted(clips["label"].unique())]))


def _sides(clips: pd.DataFrame, tested: set[str]) -> str:
    test = int(clips["clip"].isin(tested).sum())
    return _sum(len(clips) - test, test)


def _sum(train: int, test: int) -> str:
    return f"{train + test} = {train} + {test}".replace(" ", "\u00a0")
