"""How to read the figures, in the words of someone who has been misled by some."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from mer_lib.evaluation.metrics import scores
from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import ReportData

LINES = (
    "UF1 and UAR are pooled: hits and misses of each class are summed over all folds, then F1 or recall is taken per "
    "class and averaged over the classes. Averages of per-fold F1 are another, incomparable figure.",
    "Several seeds: each figure is computed for each seed and then averaged. Confusion matrices add the seeds up.",
    "Intervals come from resampling subjects, since clips of one face are not independent. Two methods whose intervals "
    "overlap may still differ: that takes a paired test.",
    "Not ranked: an epoch chosen on the test subject (oracle), subjects on both sides of a split, permuted labels.",
    "A class that does not occur in a part is left out of that part's means.",
)


@register("section", "reading", order=95, title="How to read the figures")
def section(data: ReportData) -> Markup | None:
    """What UF1, UAR, intervals and ranking mean here, and what answering always the same would reach."""
    if not data.metrics:
        return None
    lines = [*LINES, _constant(next(iter(data.metrics.values())), data.chance)]
    return ui.render("list.html.j2", lines=lines)


def _constant(metrics: dict, chance: float) -> str:
    """What the most frequent class for every clip would score, and guessing."""
    truth = np.sum(metrics["confusion"], axis=1)
    always = np.zeros((len(truth), len(truth)))
    always[:, truth.argmax()] = truth
    reached = scores(always)
    return (
        f"Always answering '{metrics['classes'][truth.argmax()]}' would reach accuracy {ui.number(reached.accuracy)}, "
        f"UF1 {ui.number(reached.uf1)} and UAR {ui.number(reached.uar)}; guessing in proportion to the classes reaches "
        f"about {chance:.2f} in both, which the figures call chance."
    )
