"""``mer predict --saliency``: where in the input of a network its answer comes from (paper B's Fig. 4)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mer_lib.commands.predict import Prediction
from mer_lib.problems import BadInput
from mer_lib.whole import replacing

SHOWN = 7  # frames, as in the figure
SHARE = 0.1  # of a channel's values that are marked; the paper binarises and does not say where


def picture(found: Prediction, path: Path) -> None:
    """PNG: for each channel of the network's input, frames evenly spaced over the clip and what in them counts most.

    Raises BadInput for a classifier, and for a network that reads no pictures.
    """
    from matplotlib.figure import Figure

    if found.features.ndim not in (3, 4):
        raise BadInput(f"'{found.fitted.name}' reads no pictures", "name the model of a network of images")
    salient = found.fitted.saliency(found.features[None])[0]
    films, marks = (a if a.ndim == 4 else a[None] for a in (found.features, salient))
    at = np.unique(np.linspace(0, len(films) - 1, SHOWN).round().astype(int))
    channels = films.shape[-1]
    figure = Figure(figsize=(1.6 * len(at) + 0.5, 3.3 * channels + 0.5), layout="constrained")
    panels = figure.subplots(2 * channels, len(at), squeeze=False)
    for channel in range(channels):
        film, mark = films[..., channel], marked(marks[..., channel])
        low, high = film.min(), max(film.max(), film.min() + 1e-6)
        for column, frame in enumerate(at):
            panels[2 * channel, column].imshow(film[frame], cmap="gray", vmin=low, vmax=high)
            panels[2 * channel + 1, column].imshow(mark[frame], cmap="gray", vmin=0, vmax=1)
            panels[2 * channel, column].set_title(f"{frame}", fontsize=8)
    for axes in panels.flat:
        axes.set_axis_off()
    winner = max(found.probabilities, key=found.probabilities.get)
    figure.suptitle(f"what speaks for {winner}: the strongest {SHARE:.0%} of positive gradients", fontsize=8)
    with replacing(path) as part:
        figure.savefig(part, dpi=120, format="png")


def marked(salient: np.ndarray) -> np.ndarray:
    """The strongest tenth of a channel's saliency (T, H, W) over the clip, none where there is none: (T, H, W) bool."""
    return (salient >= np.quantile(salient, 1 - SHARE)) & (salient > 0)
