"""The few building blocks of the page: tables, figures, numbers. All text is escaped by the templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mer_lib import registry

_TEMPLATES = Path(__file__).parent / "templates"
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
MISSING = "–"


@dataclass(frozen=True)
class Cell:
    """A table cell: its text, a smaller line under it, and how strongly it is tinted (0 to 1)."""

    text: str
    sub: str = ""
    tint: float | None = None


def render(template: str, **values: Any) -> Markup:
    """A template of ``templates/`` filled in; every value that is no Markup is escaped."""
    return Markup(_ENVIRONMENT.get_template(template).render(**values))


def style() -> Markup:
    """The page's style sheet."""
    return Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8"))


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Markup | Cell]] | Mapping[str, Iterable[Sequence]],
    *,
    synthetic: bool,
    text: Sequence[str] = (),
    top: str = "",
) -> Markup:
    """A table whose rows are headed by their first cell.

    ``rows`` may be a mapping of headings to rows; columns named in ``text`` are set as text, the others as numbers;
    ``top`` is a heading over all columns but the first. ``synthetic`` marks the caption.
    """
    bodies = rows if isinstance(rows, Mapping) else {"": rows}
    groups = {
        heading: [[c if isinstance(c, Cell) else Cell(c) for c in row] for row in body]
        for heading, body in bodies.items()
    }
    return render(
        "table.html.j2", caption=caption, columns=columns, groups=groups, synthetic=synthetic, text=text, top=top
    )


def figure(content: Markup, caption: str | Markup, *, synthetic: bool = False) -> Markup:
    """A picture with its caption."""
    return render("figure.html.j2", content=content, caption=caption, synthetic=synthetic)


def grid(items: Iterable[Markup], kind: str = "panels") -> Markup:
    """Blocks side by side as far as the page is wide."""
    return Markup('<div class="{}">{}</div>').format(kind, Markup("\n").join(items))


def paragraph(text: str | Markup, kind: str = "") -> Markup:
    """A paragraph."""
    return Markup('<p class="{}">{}</p>').format(kind, text) if kind else Markup("<p>{}</p>").format(text)


def details(summary: str, content: Markup) -> Markup:
    """Content that opens on demand, and stands open on paper."""
    return Markup("<details><summary>{}</summary>{}</details>").format(summary, content)


def number(value: Any, digits: int = 3) -> str:
    """A figure with fixed digits, a dash where it is unknown."""
    return MISSING if pd.isna(value) else f"{value:.{digits}f}"


def count(value: Any) -> str:
    """A whole number with thin spaces between thousands."""
    return MISSING if pd.isna(value) else f"{int(value):,}".replace(",", "\u202f")


def shares(counts: Sequence[int]) -> list[Cell]:
    """A row of a confusion matrix: share over number of each answer, dashes where the class did not occur."""
    total = sum(counts)
    return [Cell(f"{n / total:.0%}", count(n), n / total) if total else Cell(MISSING) for n in counts]


def span(low: Any, high: Any) -> str:
    """An interval, '' where there is none."""
    return "" if pd.isna(low) or pd.isna(high) else f"{low:z.2f} to {high:z.2f}".replace("-", "\u2212")


def signed(value: Any, digits: int = 3) -> str:
    """A difference with its sign, a dash where it is unknown."""
    return MISSING if pd.isna(value) else f"{value:+z.{digits}f}".replace("-", "\u2212")


def chance_of(p: Any) -> str:
    """A p value as papers print it, a dash where nothing was tested."""
    return MISSING if pd.isna(p) else "< .001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"


def degrees(yaw: float) -> str:
    """A yaw with its sign."""
    return f"{yaw:+g}°".replace("-", "\u2212")


def verdict(text: str, right: bool) -> Markup:
    """A word that says how something came out, coloured as good or bad."""
    return Markup('<span class="{}">{}</span>').format("right" if right else "wrong", text)


def duration(seconds: float) -> str:
    """Seconds in the unit a reader would choose."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours = seconds / 60, seconds / 3600
    return f"{minutes:.1f} min" if minutes < 60 else f"{hours:.1f} h"


def title(kind: str, name: str) -> str:
    """What a registered thing is called in a sentence; its name where it has no title or is not registered."""
    entry = registry.entries(kind).get(name)
    return str(entry.meta.get("title", name)) if entry else name


def listing(words: Iterable[str]) -> str:
    """'a', 'a and b', 'a, b and c'; 'a, of d; b; and c' where commas stand in the words themselves."""
    words = [str(word) for word in words]
    comma, last = ("; ", "; and ") if any(", " in word for word in words) else (", ", " and ")
    return last.join([comma.join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
