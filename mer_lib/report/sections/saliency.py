"""What in a network's input speaks for its answers (paper B's Fig. 4)."""

from __future__ import annotations

from markupsafe import Markup

from mer_lib.learning.saliency import MARKED
from mer_lib.registry import register
from mer_lib.report import images, ui
from mer_lib.report.data import ReportData, Salient


@register("section", "saliency", order=46, title="What speaks for an answer")
def section(data: ReportData) -> Markup | None:
    """Frames of a few tested clips and, below each, the places that raise the score of the class that was answered."""
    if not data.saliency:
        return None
    told = (
        "Clips that a model was tested on and had not trained on, the first of each class by turns; frames as the "
        f"network reads them, evenly spaced. Below each frame {MARKED}: that of the score of the class that it "
        "answered, over the clip and by channel. It is what would make the answer surer. Reddy et al. (2019, Fig. 4) "
        "binarise such maps and do not say where. A map says where a network looks, not whether it is right to."
    )
    return Markup("\n").join([ui.paragraph(told), *(_clip(data, each) for each in data.saliency)])


def _clip(data: ReportData, each: Salient) -> Markup:
    frames = ui.listing(each.at)
    alt = f"Frames {frames} of {each.clip} and what in them speaks for {each.predicted}"
    caption = f"{each.experiment}: {each.clip}, {each.truth}, taken for {each.predicted}; frames {frames} of its input"
    return ui.figure(images.strips(each.frames, each.marks, alt), caption, synthetic=data.synthetic)
