"""How deep a face was seen to be, and what it looks like from the sides."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import images, ui
from mer_lib.report.data import ReportData, Sides


@register("section", "sides", order=55, title="The face from the sides")
def section(data: ReportData) -> Markup | None:
    """The depth of a few clips' onsets and the views rendered from it."""
    if not data.sides:
        return None
    told = (
        "Depth as the network reads it from one frontal picture: pale is near, dark is far, grey is no face. From it "
        "the picture is drawn as a camera beside would see it; what no pixel of the frontal picture shows takes the "
        "colour of the surroundings. Yaw in degrees, positive to the subject's left."
    )
    return Markup("\n").join([ui.paragraph(told), *(_sides(data, each) for each in data.sides)])


def _sides(data: ReportData, shown: Sides) -> Markup:
    order = np.argsort(shown.yaws)
    views = [(ui.degrees(shown.yaws[i]), images.photo(shown.views[i], _alt(shown, i))) for i in order]
    near, far = np.nanmin(shown.depth), np.nanmax(shown.depth)
    front = [
        ("onset", images.photo(shown.onset, f"Onset of {shown.clip}")),
        (f"depth, {far - near:.1f} eye distances", images.depth(shown.depth, f"Depth of {shown.clip}", (near, far))),
    ]
    return ui.render(
        "sides.html.j2", clip=shown.clip, label=data.label(shown.clip), pictures=[*front, *views],
        synthetic=data.synthetic,
    )  # fmt: skip


def _alt(shown: Sides, at: int) -> str:
    return f"{shown.clip} seen at a yaw of {shown.yaws[at]:g} degrees"
