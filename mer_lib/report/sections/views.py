"""How a method does on faces that are turned away."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from mer_lib import registry
from mer_lib.registry import register
from mer_lib.report import figures, ui
from mer_lib.report.data import Key, ReportData

TRAINED = {"original": "trained on recordings", "all": "trained on all views", "attended": "trained on attended views"}


@register("section", "views", order=42, title="View by view")
def section(data: ReportData) -> Markup | None:
    """UF1 over yaw, for the experiments that tested more than one view: a panel a method, a line an experiment."""
    panels: dict[str, dict[Key, dict]] = {}
    for key, found in data.metrics.items():
        if len(found["by_yaw"]) > 1:
            panels.setdefault(_method(data, key), {})[key] = found["by_yaw"]
    if not panels:
        return None
    drawn = [_panel(method, curves, number) for number, (method, curves) in enumerate(panels.items())]
    caption = (
        "UF1 of the same test clips seen from the side, with intervals over subjects. Yaw in degrees, positive to the "
        "subject's left; 0 is the recording, of which the leaderboard's figures are, all others are rendered from it. "
        "All views of a person are on one side of every fold."
    )
    return ui.figure(ui.grid(drawn), caption, synthetic=data.synthetic)


def _method(data: ReportData, key: Key) -> str:
    """What an experiment was made with, as the leaderboard has it."""
    board = data.leaderboard
    if len(board):
        rows = board[board["protocol"].eq(key[0]) & board["experiment"].eq(key[1])]
        if len(rows):
            return str(rows["method"].iloc[0])
    return key[1]


def _panel(method: str, found: dict[Key, dict], number: int) -> Markup:
    curves, said = {}, []
    for key, views in found.items():
        order = sorted(views, key=float)
        value = np.array([views[view]["uf1"] for view in order])
        bounds = [views[view]["intervals"]["uf1"] or (views[view]["uf1"],) * 2 for view in order]
        curves[_label(key)] = (np.array([float(view) for view in order]), value, *np.transpose(bounds))
        each = "; ".join(f"{view} degrees {ui.number(views[view]['uf1'])}" for view in order)
        said.append(f"{_label(key)}: {each}")
    alt = f"UF1 of {method} by view. {'. '.join(said)}"
    return figures.lines(f"views-{number}", method, ("yaw", "UF1"), curves, alt, share=True)


def _label(key: Key) -> str:
    """An experiment and the views that it was trained on."""
    protocol, experiment = key
    known = registry.entries("protocol").get(protocol)
    trained = known.meta.get("trains_on", "original") if known else "original"
    return f"{experiment}, {TRAINED[trained]}"
