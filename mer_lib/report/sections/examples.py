"""Clips to look at: onset, apex, the motion between them and its strain."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import images, ui
from mer_lib.report.data import Example, ReportData


@register("section", "examples", order=50, title="Example clips")
def section(data: ReportData) -> Markup | None:
    """Pictures of a few clips, with what each method said of them."""
    if not data.examples:
        return None
    legend = ui.render("legend.html.j2", wheel=images.wheel(), scale=images.strain_scale())
    blocks = [legend, *(_example(data, example) for example in data.examples)]
    if not data.synthetic:
        note = "These are pictures of people. Check what the licence of the data set allows before passing the page on."
        blocks.append(ui.paragraph(note, "warning"))
    return Markup("\n").join(blocks)


def _example(data: ReportData, example: Example) -> Markup:
    longest = float(np.hypot(*np.moveaxis(example.flow, -1, 0)).max())
    label = _label(data, example.clip)
    pictures = [
        ("onset", images.photo(example.onset, f"Onset of {example.clip}")),
        ("apex", images.photo(example.apex, f"Apex of {example.clip}, {label}")),
        (
            f"flow, up to {longest:.1f} px",
            images.flow(example.flow, f"Optical flow from onset to apex of {example.clip}"),
        ),
        (
            f"strain, up to {example.strain.max():.2f}",
            images.strain(example.strain, f"Optical strain of {example.clip}"),
        ),
    ]
    return ui.render(
        "example.html.j2", clip=example.clip, label=label, pictures=pictures, said=_said(data, example.clip),
        synthetic=data.synthetic,
    )  # fmt: skip


def _label(data: ReportData, clip: str) -> str:
    row = data.clips.loc[data.clips["clip"] == clip, "label"]
    return (row.iloc[0] if len(row) else "") or "no label"


def _said(data: ReportData, clip: str) -> list[tuple[str, str, bool]]:
    """(experiment, what it predicted most often over seeds, whether that is right), for experiments that tested it."""
    said = []
    for key, table in data.predictions.items():
        rows = table[(table["clip"] == clip) & (table["yaw"] == 0)]
        if len(rows):
            answer = rows["predicted"].mode().iloc[0]
            share = f" ({(rows['predicted'] == answer).sum()} of {len(rows)} seeds)" if len(rows) > 1 else ""
            said.append((data.name(key), f"{answer}{share}", bool(answer == rows["truth"].iloc[0])))
    return said
