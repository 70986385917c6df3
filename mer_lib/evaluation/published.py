"""The figures that the papers print, in one table: what `snakemake paper_A` … `paper_D` set ours against.

Columns: ``paper`` (A to D), ``exhibit`` (table or figure), ``method`` as printed, ``experiment`` (ours, in the block
`papers` of params.yaml; empty where none is its like), ``dataset`` (our name of the corpus), ``protocol`` (our name of
the paper's, or the nearest), ``metric`` (a column of the leaderboard) and ``value`` from 0 to 1; empty where a figure
shows a curve and prints no number.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

COLUMNS = ("paper", "exhibit", "method", "experiment", "dataset", "protocol", "metric", "value")
METRICS = ("accuracy", "uf1", "uar")
_TABLE = Path(__file__).parent / "data" / "published.csv"


@cache
def _all() -> pd.DataFrame:
    text = dict.fromkeys(COLUMNS[:-1], str)
    return pd.read_csv(_TABLE, dtype=text, keep_default_na=False, na_values={"value": [""]})


def figures(paper: str) -> pd.DataFrame:
    """The rows of a paper, in the paper's order; none where no paper is named."""
    found = _all()
    return found[found["paper"].eq(paper)].reset_index(drop=True)
