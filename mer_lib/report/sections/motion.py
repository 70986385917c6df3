"""How the example clips move: flow in colour, strain, and a few of them as films with the movement made larger."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from mer_lib.motion import band
from mer_lib.motion.magnify import magnify
from mer_lib.motion.temporal import uniform
from mer_lib.registry import register
from mer_lib.report import images, ui
from mer_lib.report.data import Example, ReportData

FACTOR = 5
METHOD = "lagrangian"  # for registered faces truer to the factor than the Eulerian one (docs/magnification.md)
LONGEST = 20  # frames of a film, so that a page stays small


@register("section", "motion", order=52, title="How the example clips move")
def section(data: ReportData) -> Markup | None:
    """Flow and strain from onset to apex of each example clip, and the first ones as a film, given beside magnified."""
    if not data.examples:
        return None
    legend = ui.render("legend.html.j2", wheel=images.wheel(), scale=images.strain_scale())
    blocks = [legend, *(_motion(data, example) for example in data.examples)]
    if any(example.frames is not None for example in data.examples):
        blocks.insert(1, ui.paragraph(_what_films_show(data)))
    return Markup("\n").join(blocks)


def _what_films_show(data: ReportData) -> str:
    faces = "rendered faces of the synthetic corpus" if data.synthetic else "faces, registered to the onset"
    return (
        f"The films show {faces}: left as given, right with their movement {FACTOR} times as large (Lagrangian "
        "magnification: warped by the flow, within the band of the expression). Where no motion is wanted, and on "
        "paper, the apex stands still."
    )


def _motion(data: ReportData, example: Example) -> Markup:
    longest = float(np.hypot(*np.moveaxis(example.flow.astype(np.float32), -1, 0)).max())
    flow = images.flow(example.flow, f"Optical flow from onset to apex of {example.clip}")
    strain = images.strain(example.strain, f"Optical strain of {example.clip}")
    film, told = _film(data, example) if example.frames is not None else (None, "")
    return ui.render(
        "motion.html.j2",
        clip=example.clip,
        label=data.label(example.clip),
        pictures=[(f"flow, up to {longest:.1f} px", flow), (f"strain, up to {example.strain.max():.2f}", strain)],
        film=film,
        told=told,
        synthetic=data.synthetic,
    )


def _film(data: ReportData, example: Example) -> tuple[Markup, str]:
    """The clip beside its magnified self, and what it is called."""
    frames, last = example.frames, len(example.frames) - 1
    # One frame is the unit of time here: a band in cycles a frame needs no frame rate. A clip that ends with its apex
    # is taken to fall as it rose.
    chosen = band.choose(1.0, (0, example.at, last if example.at < last else 2 * example.at))
    larger = magnify(frames, METHOD, factor=FACTOR, band=chosen, fps=1.0, flow="dis", preset="fine")
    shown = uniform(np.arange(len(frames)), min(LONGEST, len(frames)))
    beside = np.concatenate([frames, larger], axis=2)[shown]
    still = int(np.abs(shown - example.at).argmin())
    alt = f"{example.clip} as it was given, and magnified {FACTOR} times"
    told = f"magnified {FACTOR} times, {len(shown)} of {len(frames)} frames, slowed down"
    return images.film(beside, alt, still=still), told
