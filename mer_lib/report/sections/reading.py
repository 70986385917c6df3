"""How to read the figures, in the words of someone who has been misled by some."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from mer_lib.evaluation.metrics import scores
from mer_lib.learning.guard import KINDS
from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import ReportData

BASELINES = (
    "The baselines are support vector machines on the raw 28 × 28 × 3 input of flow and strain. A network that does "
    "not beat the better of them adds nothing to them."
)
LINES = (
    "UF1 and UAR are pooled: hits and misses of each class are summed over all folds, then F1 or recall is taken per "
    "class and averaged over the classes. Averages of per-fold F1 are another, incomparable figure.",
    "Several seeds: each figure is computed for each seed and then averaged. Confusion matrices add the seeds up.",
    "Intervals come from resampling subjects, since clips of one face are not independent. Two methods whose intervals "
    "overlap may still differ: read the paired differences for that.",
    "A difference is called real where its p, from swapping whole subjects between the two methods and corrected for "
    "all pairs under the protocol, is below one minus the confidence. It speaks of other people, not of other data.",
    BASELINES,
    "Not ranked: an epoch chosen on the test subject (oracle), subjects on both sides of a split, controls.",
    "A class that does not occur in a part is left out of that part's means; a class that is never predicted counts as "
    "0. A subject of whom nothing was scored is in no figure.",
)
REFUSED = "What the guard refuses at every fit"


@register("section", "reading", order=95, title="How to read the figures")
def section(data: ReportData) -> Markup | None:
    """What the figures mean here, what answering always the same would reach, and the leaks that are refused."""
    if not data.metrics:
        return None
    lines = [line for line in LINES if data.baselines or line != BASELINES]
    lines += _guessing(data)
    refused = ui.table(REFUSED, ("leak", "what it is"), KINDS.items(), synthetic=False, text=("what it is",))
    return ui.render("list.html.j2", lines=lines) + ui.details(REFUSED, refused)


def _guessing(data: ReportData) -> list[str]:
    """What a constant answer and guessing reach: a line a protocol where they do not all test the same truth."""
    told: dict[str, str] = {}
    for key, metrics in data.metrics.items():
        told.setdefault(key[0], _constant(metrics, data.chance(key)))
    if len(set(told.values())) == 1:
        return [*set(told.values())]
    return [f"Under {ui.title('protocol', protocol)}: {line}" for protocol, line in told.items()]


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
