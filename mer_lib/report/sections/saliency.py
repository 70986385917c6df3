"""What in a network's input speaks for its answers (paper B's Fig. 4)."""

from __future__ import annotations

from markupsafe import Markup

from mer_lib.learning.saliency import MARKED
from mer_lib.registry import register
from mer_lib.report import images, ui
from mer_lib.report.data import ReportData, Salient

UNREAD = (
    "The last frame has no marks, because MicroExpSTCNN never reads it, nor the last two rows and columns of any: its "
    "convolution is not padded, and its pool leaves out what does not fill a window (of 96 frames, 15 at a time, 82 "
    "places are left, of which 81 are pooled; of 18 frames 4, of which 3 are)."
)


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
    said = [told, UNREAD] if any(_unread(data, each) for each in data.saliency) else [told]
    return Markup("\n").join([*map(ui.paragraph, said), *(_clip(data, each) for each in data.saliency)])


def _unread(data: ReportData, each: Salient) -> bool:
    """Whether a strip ends with the frame that its network never reads."""
    experiment = data.resolved[each.experiment]
    return experiment.method in ("micro_exp_stcnn", "micro_exp_stcnn_18") and not each.marks[-1].any()


def _clip(data: ReportData, each: Salient) -> Markup:
    frames = ui.listing(each.at)
    alt = f"Frames {frames} of {each.clip} and what in them speaks for {each.predicted}"
    caption = f"{each.experiment}: {each.clip}, {each.truth}, taken for {each.predicted}; frames {frames} of its input"
    return ui.figure(images.strips(each.frames, each.marks, alt), caption, synthetic=data.synthetic)
