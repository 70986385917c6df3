"""What the papers print, in three tables: what `snakemake paper_A` … `paper_D` set ours against.

Figures: ``paper`` (A to D), ``exhibit`` (table or figure), ``method`` as printed, ``experiment`` (ours, in the block
`papers` of params.yaml; empty where none is its like), ``dataset`` (our name of the corpus), ``protocol`` (our name of
the paper's, or the nearest), ``metric`` (a column of the leaderboard, or mean and deviation of the accuracy over the
last ten epochs) and ``value`` from 0 to 1; empty where a figure shows a curve and prints no number. Of A's Fig. 9 the
text gives the differences in points, which are taken from the whole network's accuracy here.

Confusion matrices: a row a cell, ``clips`` that are of class ``truth`` and were taken for ``predicted``; one row
without data set and cell where a figure only draws them.

Clips: those of a class that are ``longer_than`` so many frames, on both sides of the paper's split.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

COLUMNS = ("paper", "exhibit", "method", "experiment", "dataset", "protocol", "metric", "value")
CELLS = ("paper", "exhibit", "experiment", "dataset", "protocol", "truth", "predicted", "clips")
COUNTS = ("paper", "exhibit", "dataset", "label", "longer_than", "train", "test")
METRICS = ("accuracy", "uf1", "uar", "last_mean", "last_deviation")
_NUMBERS = {"value", "clips", "longer_than", "train", "test"}
_FOLDER = Path(__file__).parent / "data"


@cache
def _all(name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    text = {column: str for column in columns if column not in _NUMBERS}
    return pd.read_csv(_FOLDER / name, dtype=text, keep_default_na=False, na_values={"value": [""], "clips": [""]})


def _of(paper: str, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    found = _all(name, columns)
    return found[found["paper"].eq(paper)].reset_index(drop=True)


def figures(paper: str) -> pd.DataFrame:
    """The figures of a paper, in the paper's order; none where no paper is named."""
    return _of(paper, "published.csv", COLUMNS)


def confusions(paper: str) -> pd.DataFrame:
    """The cells of a paper's confusion matrices."""
    return _of(paper, "published_confusion.csv", CELLS)


def counted(paper: str) -> pd.DataFrame:
    """How many clips of each class a paper trains on and tests."""
    return _of(paper, "published_clips.csv", COUNTS)
