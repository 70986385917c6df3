"""The report: one HTML file that carries everything it shows, works offline, in light and dark, and on paper.

A section is a function marked ``@register("section", name, order=…, title=…)`` in a file of ``sections/``: it gets the
:class:`ReportData` and returns Markup, or None where it has nothing to show, and then leaves no trace on the page.
"""

from __future__ import annotations

from pathlib import Path

from mer_lib import registry
from mer_lib.report import ui
from mer_lib.report.data import ReportData
from mer_lib.whole import write_text


def build(data: ReportData) -> str:
    """The page as text."""
    declared = sorted(registry.entries("section").values(), key=lambda entry: entry.meta["order"])
    made = [(entry, entry.load()(data)) for entry in declared]
    sections = [{"id": e.name, "title": e.meta["title"], "body": body} for e, body in made if body]
    return ui.render("page.html.j2", data=data, sections=sections, style=ui.style())


def write_page(path: str | Path, data: ReportData) -> None:
    """Write the page; the file appears whole or not at all."""
    write_text(build(data), path)
