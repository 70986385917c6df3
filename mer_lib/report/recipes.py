"""How an experiment's network was trained, out of the text of the settings in force."""

from __future__ import annotations

from typing import Any

import yaml


def read(settings: str) -> dict[str, Any]:
    """The blocks of the settings; none where there is no text."""
    return (yaml.safe_load(settings) if settings else None) or {}


def own(settings: dict[str, Any], experiment: str) -> dict[str, Any]:
    """What the settings say of one experiment or baseline beyond its method."""
    named = {**(settings.get("baselines") or {}), **(settings.get("experiments") or {})}
    given = named.get(experiment)
    return given if isinstance(given, dict) else {}


def train(settings: dict[str, Any], experiment: str, method: str) -> dict[str, Any]:
    """Its values of ``train``: the block's, its method's recipe over them, and its own over both."""
    recipe = (settings.get("recipes") or {}).get(method, {})
    return {**(settings.get("train") or {}), **recipe, **own(settings, experiment).get("train", {})}
