"""What made this page: versions, digests, settings."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import ReportData


@register("section", "provenance", order=99, title="What made this")
def section(data: ReportData) -> Markup | None:
    """Versions and digests by group, and the settings in force."""
    blocks = [
        ui.table(group.capitalize(), ["name", "value"], _rows(facts), synthetic=False, text=("value",))
        for group, facts in data.provenance.items()
        if facts
    ]
    parts = [ui.grid(blocks)] if blocks else []
    if data.settings:
        parts.append(ui.details("Settings in force", Markup("<pre>{}</pre>").format(data.settings)))
    return Markup("\n").join(parts) if parts else None


def _rows(facts: Mapping[str, str]) -> list[list[str | Markup]]:
    return [[name, Markup("<code>{}</code>").format(value)] for name, value in facts.items()]
