"""Clips to look at: onset, apex, and what each method made of them. Their motion is a section of its own."""

from __future__ import annotations

from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import images, ui
from mer_lib.report.data import Example, ReportData


@register("section", "examples", order=50, title="Example clips")
def section(data: ReportData) -> Markup | None:
    """Pictures of a few clips, with what each method said of them."""
    if not data.examples:
        return None
    blocks = [_example(data, example) for example in data.examples]
    if not data.synthetic:
        note = "These are pictures of people. Check what the licence of the data set allows before passing the page on."
        blocks.append(ui.paragraph(note, "warning"))
    return Markup("\n").join(blocks)


def _example(data: ReportData, example: Example) -> Markup:
    label = data.label(example.clip)
    pictures = [
        ("onset", images.photo(example.onset, f"Onset of {example.clip}")),
        ("apex", images.photo(example.apex, f"Apex of {example.clip}, {label}")),
    ]
    return ui.render(
        "example.html.j2", clip=example.clip, label=label, pictures=pictures, said=_said(data, example.clip),
        synthetic=data.synthetic,
    )  # fmt: skip


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
