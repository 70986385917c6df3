"""How a method does on faces that are turned away."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import figures, ui
from mer_lib.report.data import Key, ReportData


@register("section", "views", order=42, title="View by view")
def section(data: ReportData) -> Markup | None:
    """UF1 over yaw, for the experiments that tested more than one view."""
    known = {key: found["by_yaw"] for key, found in data.metrics.items() if len(found["by_yaw"]) > 1}
    if not known:
        return None
    panels = [_panel(data, key, views, number) for number, (key, views) in enumerate(known.items())]
    caption = (
        "UF1 of the same test clips seen from the side, with intervals over subjects. Yaw in degrees, positive to the "
        "subject's left; 0 is the recording, of which the leaderboard's figures are."
    )
    return ui.figure(ui.grid(panels), caption, synthetic=data.synthetic)


def _panel(data: ReportData, key: Key, views: dict, number: int) -> Markup:
    order = sorted(views, key=float)
    yaw, value = np.array([float(view) for view in order]), np.array([views[view]["uf1"] for view in order])
    bounds = [views[view]["intervals"]["uf1"] or (views[view]["uf1"],) * 2 for view in order]
    low, high = np.transpose(bounds)
    said = "; ".join(f"{view} degrees {ui.number(views[view]['uf1'])}" for view in order)
    return figures.lines(
        f"views-{number}", data.name(key), ("yaw", "UF1"), {"UF1": (yaw, value, low, high)},
        f"UF1 of {data.name(key)} by view: {said}",
    )  # fmt: skip
