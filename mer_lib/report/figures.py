"""Charts as inline SVG whose colours are the page's own, so that one drawing reads in light, in dark and on paper.

They are drawn with stand-in colours that the SVG text then trades for the style sheet's variables.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

INK, MUTED, LINE, PAPER = "#010101", "#020202", "#030303", "#040404"
SERIES = ("#0a0001", "#0a0002", "#0a0003", "#0a0004", "#0a0005", "#0a0006")
_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    PAPER: "paper",
    **{c: f"s{i + 1}" for i, c in enumerate(SERIES)},
}
_WIDTH = 4.6  # inches of 72 px: narrow enough for a telephone, wide enough for two beside each other on a desk
_SMALL = 3.0  # three beside each other
_LETTERS = 9.5  # of a title to the inch, in the widest of the page's fonts
_ROW = 38  # letters of a row's label at its full size
_MARGIN = 0.6  # inches left of the axes, which a title does not use
_PLATE = {"facecolor": PAPER, "edgecolor": "none", "pad": 1}  # behind words that a line would cross
_LOOK = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.labelcolor": INK,
}


@dataclass(frozen=True)
class Dot:
    """One row of a dot plot: a value with its interval, what guessing reaches, and the values of single seeds."""

    label: str
    value: float
    low: float
    high: float
    chance: float
    seeds: Sequence[float] = ()
    ranked: bool = True


def dots(name: str, title: str, rows: Sequence[Dot], alt: str, *, baseline: float | None = None) -> Markup:
    """Values between 0 and 1 with their intervals, one row each, the label above its row; dashed lines at the chance of
    each row and, where given, at the baseline.
    """
    chance = [row.chance for row in rows]
    marks = [(chance[0], "chance", MUTED)] + ([(baseline, "baseline", SERIES[1])] if baseline is not None else [])
    sides = ["center"] if len(marks) == 1 else ["right", "left"] if chance[0] <= baseline else ["left", "right"]
    dashed = {"linewidth": 1.2, "linestyle": (0, (4, 3))}
    with matplotlib.rc_context(_LOOK):
        figure, axes = _rows(title, len(rows))
        edges = [-0.75, *np.arange(1, len(rows)) - 0.5, len(rows) - 0.42]
        axes.plot(np.repeat(chance, 2), np.repeat(edges, 2)[1:-1], color=MUTED, **dashed)  # goes over where rows meet
        if baseline is not None:
            axes.axvline(baseline, color=SERIES[1], **dashed)
        for (x, text, colour), side in zip(marks, sides, strict=True):
            axes.text(x, -0.72, f" {text} ", color=colour, fontsize=9, ha=side, va="bottom")
        for y, row in enumerate(rows):
            axes.text(0, y - 0.28, row.label, fontsize=_size(row.label), fontweight="bold", va="center", bbox=_PLATE)
            axes.text(1, y - 0.28, f"{row.value:.3f}", va="center", ha="right", bbox=_PLATE)
            axes.plot([row.low, row.high], [y + 0.14, y + 0.14], color=SERIES[0], linewidth=3, solid_capstyle="round")
            axes.plot(row.seeds, np.full(len(row.seeds), y + 0.14), "|", color=INK, markersize=11, markeredgewidth=1)
            fill = SERIES[0] if row.ranked else PAPER
            axes.plot(row.value, y + 0.14, "o", color=SERIES[0], markerfacecolor=fill, markersize=9, markeredgewidth=2)
        return _svg(figure, name, alt)


def reliability(name: str, title: str, bins: Sequence[Mapping[str, float]], alt: str) -> Markup:
    """Accuracy over stated confidence, a dot a bin whose area is its share of the predictions; the diagonal is honest.

    ``bins``: confidence, accuracy and predictions of each.
    """
    x, y, n = (np.array([each[key] for each in bins]) for key in ("confidence", "accuracy", "predictions"))
    with matplotlib.rc_context(_LOOK):
        title = _broken(title, _SMALL - _MARGIN)
        figure = Figure(figsize=(_SMALL, _SMALL + 0.19 * title.count("\n")), layout="constrained")
        axes = figure.add_subplot(xlabel="stated", ylabel="right", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        axes.set(title=title, xticks=np.linspace(0, 1, 6), yticks=np.linspace(0, 1, 6), aspect="equal")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.vlines(x, x, y, color=SERIES[0], linewidth=1.5, alpha=0.6)
        axes.scatter(x, y, s=20 + 400 * n / n.sum(), color=SERIES[0], alpha=0.85, linewidth=0, clip_on=False)
        return _svg(figure, name, alt)


def histograms(name: str, title: str, rows: Mapping[str, np.ndarray], alt: str) -> Markup:
    """How shares between 0 and 1 (N,) are distributed, one row a label: counts around 0, .1, …, 1 and the median."""
    centres = np.linspace(0, 1, 11)
    counts = [np.histogram(values, np.append(centres - 0.05, 1.05))[0] for values in rows.values()]
    tallest = max(count.max() for count in counts)
    with matplotlib.rc_context(_LOOK):
        figure, axes = _rows(title, len(rows))
        axes.set(xlim=(-0.07, 1.07))
        for y, (label, values), count in zip(range(len(rows)), rows.items(), counts, strict=True):
            height = 0.36 * count / tallest  # its number stays below the label
            axes.bar(centres, -height, width=0.07, bottom=y + 0.42, color=SERIES[0])
            for x, n, h in zip(centres[count > 0], count[count > 0], height[count > 0], strict=True):
                axes.text(x, y + 0.4 - h, str(n), ha="center", va="bottom", color=MUTED, fontsize=9)
            axes.plot(np.median(values), y + 0.48, "^", color=INK, markersize=7, clip_on=False)
            axes.text(-0.05, y - 0.28, label, fontsize=_size(label), fontweight="bold", va="center")
        return _svg(figure, name, alt)


def lines(
    name: str,
    title: str,
    axes: tuple[str, str],
    curves: Mapping[str, tuple[np.ndarray, ...]],
    alt: str,
    *,
    share: bool = False,
) -> Markup:
    """Curves by label (x, value, low, high), the band from low to high shaded; ``axes`` are the names of both. The
    values of a ``share`` have all from 0 to 1 to lie in, so that noise around 0 does not fill the picture.
    """
    with matplotlib.rc_context(_LOOK):
        figure = Figure(figsize=(_WIDTH, 2.5 + 0.22 * len(curves)), layout="constrained")
        drawn = figure.add_subplot(title=_broken(title, _WIDTH - _MARGIN), xlabel=axes[0], ylabel=axes[1])
        for colour, (label, (x, value, low, high)) in zip(SERIES, curves.items(), strict=False):
            drawn.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
            drawn.plot(x, value, color=colour, linewidth=2, label=label, marker="o" if len(x) < 20 else "")
        drawn.xaxis.set_major_locator(MaxNLocator(integer=True))
        if share:
            drawn.set(ylim=(-0.03, 1.03), yticks=np.linspace(0, 1, 6))
        if len(curves) > 1:
            figure.legend(loc="outside lower left")  # below the axes: inside it would cover curves
        return _svg(figure, name, alt)


def _broken(title: str, inches: float) -> str:
    """A title in lines that fit; names break behind an underscore."""
    lines = [""]
    for word in re.split(r"(?<=[ _])", title):
        if lines[-1] and len(lines[-1] + word.rstrip()) > inches * _LETTERS:
            lines.append("")
        lines[-1] += word
    return "\n".join(line.rstrip() for line in lines)


def _size(label: str) -> float:
    """Points at which a row's label leaves room for the row's value."""
    return min(10, 10 * _ROW / max(1, len(label)))


def _rows(title: str, count: int) -> tuple[Figure, Axes]:
    """Axes from 0 to 1 with ``count`` rows, the first on top."""
    figure = Figure(figsize=(_WIDTH, 0.85 + 0.62 * count), layout="constrained")
    axes = figure.add_subplot(title=title, xlim=(-0.02, 1.02), ylim=(count - 0.42, -0.75), yticks=[])
    axes.set_xticks(np.linspace(0, 1, 6))
    return figure, axes


def _svg(figure: Figure, name: str, alt: str) -> Markup:
    """The figure as an SVG element: no metadata, the page's colours and font, ids of its own, a text beside it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"(font(?:-family)?: [^;\"]*?)'[^;\"]*", r"\1var(--sans)", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{name}-", text).replace("xlink:href", "href")
    width, height = (float(v) for v in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text).groups())
    head = (
        f'<svg class="chart" role="img" aria-label="{escape(alt)}" viewBox="0 0 {width:g} {height:g}" '
        f'style="max-width: {width * 1.6:g}px">'
    )
    return Markup(re.sub(r"<svg[^>]*>", lambda _: head, text, count=1))
