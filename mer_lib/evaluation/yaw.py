"""How a method holds up as a face turns away: its figures view by view, as a table to plot."""

from __future__ import annotations

from typing import Any

import pandas as pd

COLUMNS = ("yaw", "uf1", "uf1_low", "uf1_high", "uar", "uar_low", "uar_high", "accuracy")


def curve(summary: dict[str, Any]) -> pd.DataFrame:
    """A row a yaw (degrees, rising) out of ``metrics.summary``; bounds are empty where there is one subject only."""
    rows = []
    for yaw, found in sorted(summary["by_yaw"].items(), key=lambda view: float(view[0])):
        bounds = {name: found["intervals"][name] or (None, None) for name in ("uf1", "uar")}
        ends = {f"{name}_{end}": bounds[name][at] for name in bounds for at, end in enumerate(("low", "high"))}
        rows.append({"yaw": float(yaw), **{name: found[name] for name in ("uf1", "uar", "accuracy")}, **ends})
    return pd.DataFrame(rows, columns=COLUMNS)
