"""Where a network looks for each expression, and which views of it were left out of training for hiding that place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import images, ui
from mer_lib.report.data import ReportData, Sides


@register("section", "attention", order=44, title="Where the network looks, and which views show it")
def section(data: ReportData) -> Markup | None:
    """The share of training views kept by class and yaw, the classes' activation, and a few clips with their views."""
    if data.attention.empty:
        return None
    told = (
        "In each fold a network is trained on the fold's training clips alone; its class activation (Grad-CAM) says "
        "where on the face it finds each class, and the mesh how much of that place each view shows. A training view "
        "that shows too little of it is left out; test views never are."
    )
    blocks = [ui.paragraph(told), _table(data)]
    if data.attended and data.sides:
        blocks += [_maps(data), *(_views(data, shown) for shown in data.sides)]
    return Markup("\n").join(blocks)


def _table(data: ReportData) -> Markup:
    """Rows are classes, columns yaws: the share of training views that were kept, over all folds."""
    kept = data.attention.groupby(["label", "yaw"])[["kept", "seen"]].mean()
    yaws = sorted(data.attention["yaw"].unique())
    rows = [[label, *(_cell(kept, label, yaw) for yaw in yaws)] for label in _classes(data)]
    caption = "Training views kept by class and yaw, over all folds; below it the mean share of the attention they show"
    return ui.table(caption, ["class", *map(ui.degrees, yaws)], rows, synthetic=data.synthetic)


def _cell(kept: pd.DataFrame, label: str, yaw: float) -> ui.Cell | str:
    if (label, yaw) not in kept.index:
        return ui.MISSING
    share, seen = kept.loc[(label, yaw)]
    return ui.Cell(f"{share:.0%}", f"sees {seen:.0%}", tint=float(share))


def _classes(data: ReportData) -> Sequence[str]:
    return list(dict.fromkeys([*data.attended, *data.attention["label"]]))


def _maps(data: ReportData) -> Markup:
    """The classes' activation over one face."""
    face = data.sides[0]
    pictures = [
        (label, images.attended(face.onset, each, f"Activation of {label} over {face.clip}"))
        for label, each in data.attended.items()
    ]
    return ui.render(
        "sides.html.j2", clip="Activation of each class", label="mean over folds", pictures=pictures,
        synthetic=data.synthetic,
    )  # fmt: skip


def _views(data: ReportData, shown: Sides) -> Markup | str:
    """A clip's views, those faded that were left out in most folds."""
    judged = data.attention[data.attention["clip"] == shown.clip].groupby("yaw")["kept"].agg(["mean", "size"])
    pictures = []
    for at in np.argsort(shown.yaws):
        yaw, picture = float(shown.yaws[at]), shown.views[at]
        if yaw in judged.index:
            share, folds = judged.loc[yaw]
            said = f"{ui.degrees(yaw)}, kept in {round(share * folds):g} of {folds:g} folds"
            alt = f"{shown.clip} at {yaw:g} degrees, {said}"
            pictures.append((said, images.photo(picture if share >= 0.5 else images.faded(picture), alt)))
    if not pictures:
        return ""
    return ui.render(
        "sides.html.j2", clip=shown.clip, label=data.label(shown.clip), pictures=pictures, synthetic=data.synthetic
    )
