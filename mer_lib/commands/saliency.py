"""``mer predict --saliency``: where in the input of a network its answer comes from (paper B's Fig. 4)."""

from __future__ import annotations

from pathlib import Path

from mer_lib.commands.predict import Prediction
from mer_lib.learning.saliency import MARKED, shown
from mer_lib.whole import replacing


def picture(found: Prediction, path: Path) -> None:
    """PNG: for each channel of the network's input, frames evenly spaced over the clip and what in them counts most.

    Raises BadInput for a classifier, and for a network that reads no pictures.
    """
    from matplotlib.figure import Figure

    at, films, marks = shown(found.fitted, found.features)
    channels = films.shape[-1]
    figure = Figure(figsize=(1.6 * len(at) + 0.5, 3.3 * channels + 0.5), layout="constrained")
    panels = figure.subplots(2 * channels, len(at), squeeze=False)
    for channel in range(channels):
        film, mark = films[..., channel], marks[..., channel]
        low, high = film.min(), max(film.max(), film.min() + 1e-6)
        for column, frame in enumerate(at):
            panels[2 * channel, column].imshow(film[column], cmap="gray", vmin=low, vmax=high)
            panels[2 * channel + 1, column].imshow(mark[column], cmap="gray", vmin=0, vmax=1)
            panels[2 * channel, column].set_title(f"{frame}", fontsize=8)
    for axes in panels.flat:
        axes.set_axis_off()
    winner = max(found.probabilities, key=found.probabilities.get)
    figure.suptitle(f"what speaks for {winner}: {MARKED}", fontsize=8)
    with replacing(path) as part:
        figure.savefig(part, dpi=120, format="png")
