"""What the report page is made of: tables and pictures that the stages left, gathered in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mer_lib.evaluation.leaderboard import FULL
from mer_lib.params import Experiment

Key = tuple[str, str]  # (protocol, experiment)


@dataclass(frozen=True)
class Example:
    """One clip to look at: the pictures of onset and apex and the motion between them.

    ``onset`` and ``apex`` are (H, W, 3) uint8 RGB; ``flow`` (H, W, 2) in pixels, u right, v down; ``strain`` (H, W).
    ``frames`` (T, H, W, 3), registered, from the onset on with the apex at position ``at``, are there for those that
    are shown as a film.
    """

    clip: str
    onset: np.ndarray
    apex: np.ndarray
    flow: np.ndarray
    strain: np.ndarray
    frames: np.ndarray | None = None
    at: int = 0


@dataclass(frozen=True)
class Depth:
    """The depth network: its figures (docs/contract.md, ``results/depth/metrics.json``) and pictures by name.

    ``frames`` (n, S, S, 3) uint8, ``truth`` and ``found`` (n, S, S) of faces held out, called ``names``; ``mean``
    (S, S) the mean face; ``real`` (m, S, S, 3) uint8 and ``real_found`` (m, S, S) of photographs. Depth is in
    interocular distances, NaN where there is no face.
    """

    figures: Mapping[str, Any]
    pictures: Mapping[str, np.ndarray]
    names: Sequence[str]


@dataclass(frozen=True)
class Sides:
    """One clip from the sides: its onset (S, S, 3) uint8 RGB, the depth (S, S) read from it in interocular distances,
    NaN off the face, and the onset as it would be seen at ``yaws`` (V,) degrees, (V, S, S, 3).
    """

    clip: str
    onset: np.ndarray
    depth: np.ndarray
    yaws: np.ndarray
    views: np.ndarray


@dataclass(frozen=True)
class Salient:
    """What in a clip's input speaks for the answer of an experiment's network: frames (n, H, W, C), as it reads them,
    at positions ``at`` (n,), and the strongest places of each, ``marks`` (n, H, W, C) bool.
    """

    experiment: str
    clip: str
    truth: str
    predicted: str
    at: Sequence[int]
    frames: np.ndarray
    marks: np.ndarray


class Comparison(NamedTuple):
    """A difference of UF1 with its interval, its corrected p (NaN where not tested) and whether it is real."""

    value: float
    low: float
    high: float
    p: float
    real: bool


@dataclass(frozen=True)
class ReportData:
    """Everything the sections read; what is empty leaves its section out.

    ``clips``, ``leaderboard``, ``comparisons``, ``controls``, ``predictions``, ``curves``, ``problems`` and ``costs``
    are the contract's tables (docs/contract.md), ``metrics`` what ``evaluation.metrics.summary`` returns, ``baselines``
    the names of the experiments that every other must beat, ``identity`` what ``learning.controls.identity`` returns
    with its ``descriptor``, ``settings`` the text of the settings in force (YAML), ``resolved`` each experiment by name
    as it was run and ``provenance`` named groups of names and values, such as {'versions': {'torch': '2.13.0'}}.
    ``depth`` is the depth network of a page of its own; ``attention`` says which training views were kept
    (docs/contract.md), ``attended`` gives each class its mean activation (h, w) over folds. ``published``,
    ``confusions`` and ``counted`` are figures, cells of confusion matrices and numbers of clips that a paper prints
    (``evaluation.published``), where the page is of its experiments. ``topic`` stands in the heading of a page that is
    not the report itself.
    """

    corpus: str
    synthetic: bool
    clips: pd.DataFrame
    topic: str = ""
    leaderboard: pd.DataFrame = field(default_factory=pd.DataFrame)
    comparisons: pd.DataFrame = field(default_factory=pd.DataFrame)
    baselines: Sequence[str] = ()
    controls: pd.DataFrame = field(default_factory=pd.DataFrame)
    published: pd.DataFrame = field(default_factory=pd.DataFrame)
    confusions: pd.DataFrame = field(default_factory=pd.DataFrame)
    counted: pd.DataFrame = field(default_factory=pd.DataFrame)
    identity: Sequence[Mapping[str, Any]] = ()
    metrics: Mapping[Key, dict] = field(default_factory=dict)
    predictions: Mapping[Key, pd.DataFrame] = field(default_factory=dict)
    curves: Mapping[Key, pd.DataFrame] = field(default_factory=dict)
    problems: pd.DataFrame = field(default_factory=pd.DataFrame)
    costs: pd.DataFrame = field(default_factory=pd.DataFrame)
    examples: Sequence[Example] = ()
    depth: Depth | None = None
    sides: Sequence[Sides] = ()
    saliency: Sequence[Salient] = ()
    attention: pd.DataFrame = field(default_factory=pd.DataFrame)
    attended: Mapping[str, np.ndarray] = field(default_factory=dict)
    provenance: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    settings: str = ""
    resolved: Mapping[str, Experiment] = field(default_factory=dict)

    def chance(self, key: Key | None = None) -> float:
        """UAR of guessing, and UF1 about: one over the classes that occur in the truth that an experiment was tested
        on; in the corpus, where there is no such experiment.
        """
        if key in self.metrics:
            return 1 / np.count_nonzero(np.sum(self.metrics[key]["confusion"], axis=1))
        return 1 / self.clips.loc[self.clips["label"].ne(""), "label"].nunique()

    def label(self, clip: str) -> str:
        """A clip's class."""
        row = self.clips.loc[self.clips["clip"] == clip, "label"]
        return (row.iloc[0] if len(row) else "") or "no label"

    def name(self, key: Key) -> str:
        """An experiment's name, with its protocol where the page shows several."""
        protocols = {protocol for protocol, _ in (*self.metrics, *self.predictions, *self.curves)}
        return f"{key[1]} ({key[0]})" if len(protocols) > 1 else key[1]

    def cut(self, experiment: str) -> bool:
        """Whether an experiment's network was trained on a small budget instead of by its recipe alone."""
        known = self.resolved[experiment]
        return known.learner == "model" and bool(known.train.max_steps)

    def better_baseline(self, protocol: str) -> str | None:
        """The baseline with the higher UF1 under a protocol: the line that every network must beat."""
        board = self.leaderboard
        known = board[
            board["part"].eq(FULL) & board["protocol"].eq(protocol) & board["experiment"].isin(self.baselines)
        ]
        return str(known.loc[known["uf1"].idxmax(), "experiment"]) if len(known) else None

    def compared(self, protocol: str, one: str, other: str) -> Comparison | None:
        """The first minus the second, None where the two were not compared."""
        if self.comparisons.empty:
            return None
        found = self.comparisons[self.comparisons["protocol"].eq(protocol)].set_index(["experiment_a", "experiment_b"])
        if (one, other) in found.index:
            row = found.loc[(one, other)]
            return Comparison(row["uf1_difference"], row["low"], row["high"], row["p_corrected"], bool(row["real"]))
        if (other, one) in found.index:
            row = found.loc[(other, one)]
            return Comparison(-row["uf1_difference"], -row["high"], -row["low"], row["p_corrected"], bool(row["real"]))
        return None
