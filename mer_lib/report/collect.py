"""The stages' outputs gathered for the page: tables, metrics, and a few clips to look at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import pandas as pd

from mer_lib import clips as clip_table
from mer_lib.provenance import file_digest, versions
from mer_lib.report.data import Example, Key, ReportData
from mer_lib.store import Store


def collect(
    corpus: str,
    experiments: Sequence[Key],
    *,
    synthetic: bool,
    settings: str,
    tables: Mapping[str, str],
    metrics: Sequence[str],
    predictions: Sequence[str],
    curves: Sequence[str],
    registered: Sequence[str],
    motion: Sequence[str],
    examples: int,
) -> ReportData:
    """What the page shows, read from files.

    ``metrics``, ``predictions`` and ``curves`` stand in the order of ``experiments``; ``registered`` and ``motion`` are
    stores by shard, of which the first ``examples`` clips of different labels are shown.
    """
    clips = clip_table.load(tables["clips"])
    named = dict(zip(experiments, metrics, strict=True))
    return ReportData(
        corpus=corpus,
        synthetic=synthetic,
        clips=clips,
        leaderboard=pd.read_csv(tables["leaderboard"]),
        metrics={key: json.loads(Path(path).read_text(encoding="utf-8")) for key, path in named.items()},
        predictions=_tables(experiments, predictions),
        curves=_tables(experiments, curves),
        problems=pd.read_csv(tables["problems"], dtype=str, keep_default_na=False),
        costs=pd.read_csv(tables["costs"], keep_default_na=False, na_values={"peak_mb": [""]}),
        examples=list(islice(_examples(clips, registered, motion), examples)),
        provenance={
            "Versions": versions(),
            "Stores": {f"motion {Path(path).stem}": _digest(path) for path in motion},
            "Tables": {Path(path).stem: file_digest([path])[:16] for path in (tables["clips"], *predictions)},
        },
        settings=settings,
    )


def _digest(path: str) -> str:
    with Store(path) as store:
        return store.digest[:16]


def _tables(experiments: Sequence[Key], paths: Sequence[str]) -> dict[Key, pd.DataFrame]:
    return {key: pd.read_csv(path, keep_default_na=False) for key, path in zip(experiments, paths, strict=True)}


def _examples(clips: pd.DataFrame, registered: Sequence[str], motion: Sequence[str]):
    """Clips with their onset, apex, flow and strain: the classes in turn, so that the first few show them all."""
    where = {}
    for pictures, flows in zip(registered, motion, strict=True):
        with Store(flows) as store:
            where |= {clip: (pictures, flows) for clip in store.clips}
    here = clips[clips["clip"].isin(where)]
    turn = here.groupby("label").cumcount()
    for row in here.assign(turn=turn).sort_values(["turn", "label"], kind="stable").itertuples():
        pictures, flows = where[row.clip]
        with Store(pictures) as frames, Store(flows) as moved:
            onset, apex = (int(i) for i in moved.read(row.clip, "pair")[0])
            yield Example(
                row.clip,
                frames.read(row.clip, "frames", onset, onset + 1)[0],
                frames.read(row.clip, "frames", apex, apex + 1)[0],
                moved.read(row.clip, "flow")[0],
                moved.read(row.clip, "strain")[0],
            )
