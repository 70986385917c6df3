"""The stages' outputs gathered for the page: tables, metrics, and a few clips to look at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mer_lib import clips as clip_table
from mer_lib import weights
from mer_lib.evaluation import comparisons, leaderboard, published
from mer_lib.evaluation.predictions import read, unscored
from mer_lib.params import Experiment
from mer_lib.provenance import file_digest, versions
from mer_lib.report.data import Depth, Example, Key, ReportData, Salient, Sides
from mer_lib.store import Store
from mer_lib.views import YAW

FILMS = 3  # example clips that are shown as a film


def collect(
    corpus: str,
    experiments: Sequence[Key],
    *,
    synthetic: bool,
    settings: str,
    resolved: Mapping[str, str],
    tables: Mapping[str, str],
    metrics: Sequence[str],
    predictions: Sequence[str],
    curves: Sequence[str],
    registered: Sequence[str] = (),
    motion: Sequence[str] = (),
    examples: int = 0,
    baselines: Sequence[str] = (),
    faces: Sequence[str] = (),
    depth: Sequence[str] = (),
    views: Sequence[str] = (),
    sides: int = 0,
    attention: Sequence[str] = (),
    maps: Sequence[str] = (),
    saliency: Sequence[str] = (),
    topic: str = "",
    paper: str = "",
) -> ReportData:
    """What the report shows, read from files.

    ``tables`` are the paths of clips, leaderboard, problems and, where the run made them, comparisons and costs;
    ``resolved`` is each experiment by name, as JSON; ``metrics``, ``predictions`` and ``curves`` stand in the order of
    ``experiments``; ``registered`` and ``motion`` are stores by shard, of which ``examples`` clips of different classes
    and people are shown; ``faces``, ``depth`` and ``views`` are others, of which ``sides`` clips are shown from the
    sides; ``attention`` are tables of what was seen in each fold, ``maps`` the files of activation that belong to them,
    ``saliency`` those of what speaks for answers. ``paper`` names the paper whose published figures stand beside ours.
    """
    clips = clip_table.load(tables["clips"])
    named = dict(zip(experiments, metrics, strict=True))
    found = pd.read_csv(tables["problems"], dtype=str, keep_default_na=False)
    tested = {key: read(path) for key, path in zip(experiments, predictions, strict=True)}
    return ReportData(
        corpus=corpus,
        synthetic=synthetic,
        clips=clips,
        topic=topic,
        published=published.figures(paper),
        confusions=published.confusions(paper),
        counted=published.counted(paper),
        leaderboard=_leaderboard(tables["leaderboard"]),
        comparisons=_comparisons(tables["comparisons"]) if "comparisons" in tables else pd.DataFrame(),
        baselines=tuple(baselines),
        metrics={key: json.loads(Path(path).read_text(encoding="utf-8")) for key, path in named.items()},
        predictions=tested,
        curves={key: _curves(path) for key, path in zip(experiments, curves, strict=True)},
        problems=pd.concat([found, unscored(clips, found, tested)], ignore_index=True),
        costs=_costs(tables["costs"]) if "costs" in tables else pd.DataFrame(),
        examples=_examples(clips, registered, motion, examples),
        sides=_sides(clips, faces, depth, views, count=sides),
        attention=pd.concat([pd.DataFrame(), *map(_attention, attention)], ignore_index=True),
        attended=_attended(maps),
        saliency=[each for path in saliency for each in _salient(path)],
        provenance={
            "Versions": versions(),
            "Stores": {f"motion {Path(path).stem}": _digest(path) for path in motion},
            "Tables": {
                name: file_digest([path])[:16]
                for name, path in zip(
                    ("clips", *map("/".join, experiments)), (tables["clips"], *predictions), strict=True
                )
            },
        },
        settings=settings,
        resolved={name: Experiment.model_validate_json(told) for name, told in resolved.items()},
    )


def collect_controls(
    corpus: str, *, synthetic: bool, clips: str, controls: str, identity: Sequence[str], compared: str | None = None
) -> ReportData:
    """What the page of controls shows: the table of their figures, in the leaderboard's columns, and identity probes.

    ``compared``, where the run made it, is the table of comparisons, with what an oracle gains over its honest sibling.
    """
    return ReportData(
        corpus=corpus,
        synthetic=synthetic,
        clips=clip_table.load(clips),
        topic="controls",
        controls=_leaderboard(controls),
        comparisons=_comparisons(compared) if compared else pd.DataFrame(),
        identity=[json.loads(Path(path).read_text(encoding="utf-8")) for path in identity],
        provenance={"Versions": versions()},
    )


def collect_depth(metrics: str, pictures: str) -> ReportData:
    """What the page of the depth network shows, from its files."""
    found = depth_of(metrics, pictures)
    return ReportData(
        corpus="depth network",
        synthetic=found.figures["embedded"],
        clips=clip_table.table([]),
        topic="depth",
        depth=found,
        provenance={"Versions": versions()},
    )


def depth_of(metrics: str, pictures: str) -> Depth:
    """The depth network's figures and pictures."""
    arrays, card = weights.load(pictures)
    return Depth(json.loads(Path(metrics).read_text(encoding="utf-8")), arrays, card["names"])


def _digest(path: str) -> str:
    with Store(path) as store:
        return store.digest[:16]


def _leaderboard(path: str) -> pd.DataFrame:
    """Experiments may be called NA, null or 006; a figure may be missing."""
    figures = {name: [""] for name in leaderboard.COLUMNS if name not in leaderboard.TEXT}
    return pd.read_csv(path, dtype=dict.fromkeys(leaderboard.TEXT, str), keep_default_na=False, na_values=figures)


def _comparisons(path: str) -> pd.DataFrame:
    figures = {name: [""] for name in comparisons.COLUMNS if name not in comparisons.TEXT}
    return pd.read_csv(path, dtype=dict.fromkeys(comparisons.TEXT, str), keep_default_na=False, na_values=figures)


def _costs(path: str) -> pd.DataFrame:
    text = {"stage": str, "experiment": str}
    return pd.read_csv(path, dtype=text, keep_default_na=False, na_values={"cpu_seconds": [""], "peak_mb": [""]})


def _curves(path: str) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"fold": str, "split": str})


def _examples(clips: pd.DataFrame, registered: Sequence[str], motion: Sequence[str], count: int) -> list[Example]:
    """Clips with their onset, apex, flow and strain, and the first few with all their frames."""
    where = _held(registered, motion)
    shown = _varied(clips[clips["clip"].isin(where)], count)
    return [_example(clip, *where[clip], film=at < FILMS) for at, clip in enumerate(shown)]


def _attention(path: str) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"fold": str, "clip": str, "label": str}, keep_default_na=False)


def _attended(paths: Sequence[str]) -> dict[str, np.ndarray]:
    """Each class and its mean activation over the folds that have it."""
    found: dict[str, list[np.ndarray]] = {}
    for path in paths:
        for name, each in weights.load(path)[0].items():
            found.setdefault(name.rsplit("|", 1)[1], []).append(each)
    return {label: np.mean(each, axis=0) for label, each in found.items()}


def _salient(path: str) -> list[Salient]:
    arrays, card = weights.load(path)
    return [
        Salient(Path(path).stem, told["clip"], told["truth"], told["predicted"], told["frames"],
                arrays[f"{n}|frames"], arrays[f"{n}|marks"].astype(bool))
        for n, told in enumerate(card["clips"])
    ]  # fmt: skip


def _sides(clips: pd.DataFrame, *stores: Sequence[str], count: int) -> list[Sides]:
    """Clips with their depth and from the sides; ``stores``: shards of faces, depth and views."""
    where = _held(*stores)
    return [_from_the_sides(clip, *where[clip]) for clip in _varied(clips[clips["clip"].isin(where)], count)]


def _from_the_sides(clip: str, faces: str, depth: str, views: str) -> Sides:
    with Store(faces) as frontal, Store(depth) as deep, Store(views) as turned:
        yaws, frames = turned.read(clip, YAW), turned.read(clip, "frames")
        onsets = frames.reshape(len(yaws), -1, *frames.shape[1:])[:, 0]
        return Sides(clip, frontal.read(clip, "frames", 0, 1)[0], deep.read(clip, "depth", 0, 1)[0], yaws, onsets)


def _held(*stages: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Clip -> its stores, one a stage, for the clips that the last stage still has; shards in the same order."""
    where = {}
    for paths in zip(*stages, strict=True):
        with Store(paths[-1]) as store:
            where |= dict.fromkeys(store.clips, paths)
    return where


def _varied(clips: pd.DataFrame, count: int) -> list[str]:
    """Ids of ``count`` clips, each of the class and of the person shown least so far."""
    left, labels, subjects = list(clips.itertuples()), Counter(), Counter()
    chosen = []
    while left and len(chosen) < count:
        row = min(left, key=lambda row: (labels[row.label], subjects[row.subject]))
        left.remove(row)
        labels[row.label] += 1
        subjects[row.subject] += 1
        chosen.append(row.clip)
    return chosen


def _example(clip: str, pictures: str, flows: str, *, film: bool) -> Example:
    with Store(pictures) as frames, Store(flows) as moved:
        onset, apex = (int(i) for i in moved.read(clip, "pair")[0])
        return Example(
            clip,
            frames.read(clip, "frames", onset, onset + 1)[0],
            frames.read(clip, "frames", apex, apex + 1)[0],
            moved.read(clip, "flow")[0],
            moved.read(clip, "strain")[0],
            frames.read(clip, "frames", onset) if film else None,
            apex - onset,
        )
