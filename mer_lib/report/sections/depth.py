"""How well the depth network sees: its errors beside the mean face's, and faces to look at."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import images, ui
from mer_lib.report.data import Depth, ReportData

COLUMNS = ("what", "mean error, mm", "share of the face's depth", "normals, degrees", "overlap")
NAMES = {"network": "depth network", "mean_face": "mean face"}
MILLIMETRES = 63.0  # an interocular distance
_ENDS = (-0.6, 1.6)  # interocular distances: colours of depth
_WRONG = 0.15  # and of errors: the brightest is this or more


@register("section", "depth", order=54, title="How deep a face is")
def section(data: ReportData) -> Markup | None:
    """Errors on faces held out, with pictures, and pictures of photographs."""
    if data.depth is None:
        return None
    return Markup("\n").join([*_errors(data.depth), *_held_out(data.depth), *_real(data.depth)])


def _errors(depth: Depth) -> list[Markup]:
    told, figures = depth.figures, {key: depth.figures[key] for key in NAMES}
    less = 1 - figures["network"]["mae_mm"] / figures["mean_face"]["mae_mm"]
    rows = [
        [
            NAMES[key], ui.number(found["mae_mm"], 2), ui.number(found["relative"]),
            ui.number(found["normal_degrees"], 1), ui.number(found["overlap"]),
        ]
        for key, found in figures.items()
    ]  # fmt: skip
    text = (
        f"Learned from {ui.count(told['shots'])} pictures of {ui.count(told['people'])} people in "
        f"{ui.count(told['steps'])} steps, {'with' if told['imagenet'] else 'without'} ImageNet weights; measured on "
        f"{ui.count(told['shots_held_out'])} pictures of {ui.count(told['people_held_out'])} others. The mean face is "
        "the average depth at each pixel of the crop, which says much, since crops are aligned; the network is wrong "
        f"by {abs(less):.0%} {'less' if less > 0 else 'more'}. An interocular distance counts as {MILLIMETRES:.0f} mm."
    )
    caption = "Depth of faces held out"
    return [ui.paragraph(text), ui.table(caption, COLUMNS, rows, synthetic=bool(told["embedded"]))]


def _held_out(depth: Depth) -> list[Markup]:
    shown = depth.pictures
    panels = []
    for name, frame, truth, found in zip(depth.names, shown["frames"], shown["truth"], shown["found"], strict=True):
        wrong = np.abs(found - truth)
        pictures = [
            ("picture", images.photo(frame, f"Picture of {name}")),
            ("true depth", images.depth(truth, f"True depth of {name}", _ENDS)),
            ("found", images.depth(found, f"Depth found for {name}", _ENDS)),
            (f"error, up to {_WRONG * MILLIMETRES:.0f} mm", images.depth(wrong, f"Error for {name}", (_WRONG, 0))),
        ]
        panels.append(_panel(name, "held out", pictures, synthetic=bool(depth.figures["embedded"])))
    return panels


def _real(depth: Depth) -> list[Markup]:
    told = (
        "The same network on a photograph, of which no true depth is known. Pale is near, dark is far, grey is no face."
    )
    panels = [
        _panel(
            "Photograph (NASA, public domain)",
            "real face",
            [
                ("picture", images.photo(frame, "Photograph of a face")),
                ("found", images.depth(found, "Depth found in the photograph", _ENDS)),
            ],
            synthetic=False,
        )
        for frame, found in zip(depth.pictures["real"], depth.pictures["real_found"], strict=True)
    ]
    return [ui.paragraph(told), *panels]


def _panel(name: str, label: str, pictures: list, *, synthetic: bool) -> Markup:
    return ui.render(
        "motion.html.j2", clip=name, label=label, pictures=pictures, film=None, told="", synthetic=synthetic
    )
