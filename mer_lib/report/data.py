"""What the report page is made of: tables and pictures that the stages left, gathered in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

Key = tuple[str, str]  # (protocol, experiment)


@dataclass(frozen=True)
class Example:
    """One clip to look at: the pictures of onset and apex and the motion between them.

    ``onset`` and ``apex`` are (H, W, 3) uint8 RGB; ``flow`` (H, W, 2) in pixels, u right, v down; ``strain`` (H, W).
    """

    clip: str
    onset: np.ndarray
    apex: np.ndarray
    flow: np.ndarray
    strain: np.ndarray


@dataclass(frozen=True)
class ReportData:
    """Everything the sections read; what is empty leaves its section out.

    ``clips``, ``leaderboard``, ``predictions``, ``curves``, ``problems`` and ``costs`` are the contract's tables
    (docs/contract.md), ``metrics`` what ``evaluation.metrics.summary`` returns, ``settings`` the text of the settings
    in force (YAML) and ``provenance`` named groups of names and values, such as {'versions': {'torch': '2.13.0'}}.
    """

    corpus: str
    synthetic: bool
    clips: pd.DataFrame
    leaderboard: pd.DataFrame = field(default_factory=pd.DataFrame)
    metrics: Mapping[Key, dict] = field(default_factory=dict)
    predictions: Mapping[Key, pd.DataFrame] = field(default_factory=dict)
    curves: Mapping[Key, pd.DataFrame] = field(default_factory=dict)
    problems: pd.DataFrame = field(default_factory=pd.DataFrame)
    costs: pd.DataFrame = field(default_factory=pd.DataFrame)
    examples: Sequence[Example] = ()
    provenance: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    settings: str = ""

    @property
    def chance(self) -> float:
        """UF1 and UAR of guessing, about: one over the classes that occur in the truth."""
        return 1 / min(np.count_nonzero(np.sum(found["confusion"], axis=1)) for found in self.metrics.values())

    def name(self, key: Key) -> str:
        """An experiment's name, with its protocol where the page shows several."""
        protocols = {protocol for protocol, _ in (*self.metrics, *self.predictions, *self.curves)}
        return f"{key[1]} ({key[0]})" if len(protocols) > 1 else key[1]
