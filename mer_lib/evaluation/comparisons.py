"""Which differences between experiments are real: paired, over subjects, corrected for the number of comparisons.

Two experiments are compared on the clips (and views: the original's) that both predicted, by the difference of their
pooled UF1 and UAR, each the mean over its seeds. Where the numbers of seeds differ, the seeds of each are repeated to
their least common multiple, which leaves both means as they are. The interval comes from resampling subjects, the same
for both; p from swapping whole subjects between the two (``statistics.permutation``). It answers whether the difference
would hold on other people, for the models as they were trained; it does not answer whether it would hold on other data.

The family that p is corrected for (Holm) is: all pairs of experiments under one protocol that may be ranked, in one
corpus; UF1 and UAR are families of their own. ``real`` is a corrected p of the UF1 below one minus the confidence.
Controls and protocols that mix subjects are in no comparison. An oracle ('{experiment}@oracle') is set against its
honest sibling, with an interval and without a test: it is better by construction, the question is by how much.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mer_lib.evaluation.leaderboard import ORACLE, may_rank
from mer_lib.evaluation.metrics import average, count, original, scores
from mer_lib.evaluation.predictions import CLIP, clips, prepare
from mer_lib.evaluation.statistics import DIGITS, figure, holm, interval, permutation, resample
from mer_lib.problems import BadInput

COLUMNS = (
    "protocol", "experiment_a", "experiment_b", "clips", "subjects", "uf1_difference", "low", "high", "p",
    "p_corrected", "real", "uar_difference", "uar_low", "uar_high", "uar_p", "uar_p_corrected",
)  # fmt: skip
TEXT = ("protocol", "experiment_a", "experiment_b")
_CORRECTED = {"p": "p_corrected", "uar_p": "uar_p_corrected"}


class Difference(NamedTuple):
    """Of two experiments on the clips of both: (UF1, UAR) differences, their bounds and p values (NaN: not tested)."""

    clips: int
    subjects: int
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def difference(
    a: pd.DataFrame,
    b: pd.DataFrame,
    classes: Sequence[str],
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    permutations: int = 10_000,
) -> Difference:
    """``a`` minus ``b``, tables of predictions with the columns clip and subject; ``permutations`` 0 tests nothing.

    Raises BadInput where the tables share no clip or differ in what is true.
    """
    bounds = {"resamples": resamples, "confidence": confidence, "permutations": permutations}
    return _difference(prepare(a, classes), prepare(b, classes), len(classes), **bounds)


def comparisons(
    found: Iterable[tuple[Mapping[str, Any], pd.DataFrame]],
    classes: Sequence[str],
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    permutations: int = 10_000,
) -> pd.DataFrame:
    """The table of all pairs, in COLUMNS; the better of a pair is ``experiment_a``.

    ``found``: the facts of each experiment (as for ``leaderboard.rows``: experiment, protocol, selection,
    subject_disjoint, control) with its predictions.
    """
    kept: dict[str, dict[str, pd.DataFrame]] = {}
    for facts, table in found:
        if may_rank(**facts) or facts["selection"] == "oracle":
            kept.setdefault(facts["protocol"], {})[facts["experiment"]] = prepare(table, classes)
    bounds = {"resamples": resamples, "confidence": confidence}
    rows = []
    for protocol, tables in sorted(kept.items()):
        for a, b, tried in _pairs(tables, permutations):
            gap = _difference(tables[a], tables[b], len(classes), permutations=tried, **bounds)
            rows.append(_row(protocol, a, b, gap))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for raw, corrected in _CORRECTED.items():
        table[corrected] = table.groupby("protocol")[raw].transform(lambda p: holm(p.to_numpy(float)).round(6))
    table["real"] = table["p_corrected"] < round(1 - confidence, DIGITS)  # 1 − .95 is a little more than .05
    return table


def _pairs(names: Iterable[str], permutations: int) -> list[tuple[str, str, int]]:
    """All pairs of honest experiments, with as many permutations; each oracle and its honest sibling, with none."""
    oracles = sorted(name for name in names if name.endswith(ORACLE))
    honest = sorted(set(names) - set(oracles))
    beside = [(name, name.removesuffix(ORACLE), 0) for name in oracles if name.removesuffix(ORACLE) in honest]
    return [(a, b, permutations) for a, b in combinations(honest, 2)] + beside


def _difference(
    a: pd.DataFrame, b: pd.DataFrame, classes: int, *, resamples: int, confidence: float, permutations: int
) -> Difference:
    """The difference of two prepared tables."""
    one, other = _shared(a, b)
    counts = _same_seeds(count(one, classes), count(other, classes))
    value = np.subtract(*(_figures(each.sum(0)) for each in counts))
    missing = np.full(2, np.nan)
    low, high, p = missing, missing, missing
    if len(counts[0]) > 1:  # of one subject alone nothing can be told
        drawn = resample(np.stack(counts, axis=1), resamples)
        gaps = _figures(drawn[:, 0]) - _figures(drawn[:, 1])
        low, high = np.transpose([interval(gap, confidence) for gap in gaps.T])
        if permutations:
            p = permutation(*counts, _one_seed, permutations)
    return Difference(clips(one), len(counts[0]), value, low, high, p)


def _shared(a: pd.DataFrame, b: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the clips that both tables have, in the original view; their truth must be one."""
    for table in (a, b):
        if not {"clip", "subject"} <= set(table):
            raise BadInput("a comparison needs the columns clip and subject", "give tables that have them")
    a, b = original(a), original(b)
    key = list(CLIP)
    both = a[[*key, "truth"]].drop_duplicates().merge(b[[*key, "truth"]].drop_duplicates(), on=key)
    if both.empty:
        raise BadInput("the two tables share no clip", "compare predictions of the same corpus")
    differ = both["truth_x"] != both["truth_y"]
    if differ.any():
        raise BadInput(
            f"{differ.sum()} clips have one truth in one table and another in the other",
            "compare predictions of the same classes", clip=str(both.loc[differ, "clip"].iloc[0]),
        )  # fmt: skip
    return tuple(table.merge(both[key], on=key) for table in (a, b))


def _same_seeds(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts (S, K, C, C) of as many seeds: each method's are repeated to the least common multiple."""
    seeds = math.lcm(a.shape[1], b.shape[1])
    return tuple(np.tile(each, (1, seeds // each.shape[1], 1, 1)) for each in (a, b))


def _figures(counts: np.ndarray) -> np.ndarray:
    """(…, 2) UF1 and UAR of counts (…, K, C, C), means over the K seeds."""
    each = scores(counts)
    return np.stack([average(each.uf1), average(each.uar)], axis=-1)


def _one_seed(counts: np.ndarray) -> np.ndarray:
    """(R, 2) UF1 and UAR of counts (R, C, C)."""
    return _figures(counts[:, None])


def _row(protocol: str, a: str, b: str, found: Difference) -> dict[str, Any]:
    """A row of the table; a tested pair stands with the better one first."""
    value, low, high = found.value, found.low, found.high
    if value[0] < 0 and not a.endswith(ORACLE):
        a, b, value, low, high = b, a, -value, -high, -low
    row = {"protocol": protocol, "experiment_a": a, "experiment_b": b, "clips": found.clips, "subjects": found.subjects}
    for k, (name, prefix) in enumerate((("uf1", ""), ("uar", "uar_"))):
        row |= {
            f"{name}_difference": figure(value[k]),
            f"{prefix}low": figure(low[k]),
            f"{prefix}high": figure(high[k]),
            f"{prefix}p": figure(found.p[k]),
        }
    return row
