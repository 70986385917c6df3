"""A corpus made of others: the clips that a list names, or those whose emotion a map names, or all of them.

    corpora:
      - {name: mine, adapter: composite, parts: [casme2, samm], list: lists/mine.csv}
      - {name: broad, adapter: composite, parts: [casme2, samm], map: {happiness: positive, disgust: negative}}

Each part is indexed by its own adapter at its own root (``mer_lib.corpora.parts``), so ids, sources and numbering are
those of the part, and only the label is the composite's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd

from mer_lib import clips as clip_table
from mer_lib.corpora import lists
from mer_lib.corpora.schemes import canonical
from mer_lib.corpora.sheets import near
from mer_lib.problems import BadInput, Problem, is_unspoken, log, note, refuse
from mer_lib.registry import register, suggestion

_NAMED = 3  # examples in one line
_SINGLY = 10  # absent clips of a data set that have a line each


@register("corpus", "composite", composite=True)
def index(
    tables: Mapping[str, pd.DataFrame],
    *,
    name: str,
    classes: Sequence[str],
    parts: list = [],  # noqa: B006 - read, never written
    list: str = "",
    map: dict | None = None,
) -> pd.DataFrame:
    """Other data sets put together: by a list of clips, by a map from emotions to classes, or as they are.

    ``tables``: the parts' clip tables by name, measured; ``list``: a CSV file of dataset, subject, clip, class (see
    ``mer_lib.corpora.lists``); ``map``: emotion → class, in any spelling of the sheets. Clips that neither names are
    left out. ``parts``: names of corpora, or {name, adapter, …}; read by whoever indexes them. Returns the clip table;
    what a list names and no part has is refused (recorded). Raises BadInput for a list that names no clip of the parts.
    """
    if list and map:
        raise BadInput(f"corpus '{name}' has both a list and a map", "keep one of the two", file="params.yaml")
    if not isinstance(map or {}, Mapping):
        what = f"corpus '{name}': map is no map from emotions to classes"
        raise BadInput(what, "write map: {happiness: positive}", file="params.yaml")
    if list:
        return join(tables, lists.read(list, classes), source=list)
    return _mapped(tables, map, classes) if map else _together(tables)


def join(tables: Mapping[str, pd.DataFrame], wanted: pd.DataFrame, *, source: str) -> pd.DataFrame:
    """The clips of ``wanted`` (see ``lists.read``), in its order, labelled by it whatever their own sheets say.

    A whole data set that is absent is told in one line, single clips one by one. ``source`` names the list.
    """
    together = _together(tables)
    ids = together["clip"].str.partition("@")[0].map(lists.key)
    at = pd.Series(together.index, index=ids)
    at = at[~at.index.duplicated()]
    found = wanted["key"].isin(at.index)
    _tell_absent(tables, wanted[~found], len(wanted), source)
    if not found.any():
        names = sorted(set(wanted["dataset"]))
        remedy = f"name the parts as the list does ({', '.join(names)}), and index each alone: mer index {names[0]}"
        raise BadInput("no clip of the list is in any part", remedy, file=source)
    rows = together.loc[at[wanted.loc[found, "key"]]].reset_index(drop=True)
    listed = wanted.loc[found, "label"].reset_index(drop=True)
    differs = (rows["label"] != "") & (rows["label"] != listed)
    told = (rows["flags"] + "; sheet says " + rows["label"]).str.removeprefix("; ")
    flags = rows["flags"].where(~differs, told)
    return clip_table.table(rows.assign(label=listed, flags=flags))


def _together(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([*tables.values()], ignore_index=True) if tables else clip_table.table([])


def _tell_absent(tables: Mapping[str, pd.DataFrame], absent: pd.DataFrame, total: int, source: str) -> None:
    """A line for each data set that is absent as a whole; of those that are there each clip is recorded, and said too
    unless many are absent: then the first few stand for all in the log."""
    forgotten = [is_unspoken(f"{row.dataset}/{row.subject}/{row.clip}") for row in absent.itertuples()]
    for dataset, rows in absent[~np.array(forgotten, bool)].groupby("dataset", sort=False):
        if dataset not in tables or tables[dataset].empty:
            people = rows["subject"].nunique()
            people = f"{people} subject{'s' * (people > 1)}"
            what = f"{dataset} is missing entirely: {len(rows)} of the list's {total} clips, {people}"
            remedy = (
                f"put it at data/{dataset} or name its root in local.yaml; mer doctor {dataset} says what is sought"
            )
            refuse(what, remedy, file=source)
            continue
        known = tables[dataset]["clip"].tolist()
        with _in_short(dataset, [f"{row.subject}/{row.clip}" for row in rows.itertuples()], source):
            for row in rows.itertuples(index=False):
                clip = f"{dataset}/{row.subject}/{row.clip}"
                what = "stands in the list, but its data set has no such clip"
                refuse(what, near(clip, known), clip=clip, file=source)


@contextmanager
def _in_short(dataset: str, absent: Sequence[str], source: str) -> Iterator[None]:
    """One line in the log for what is refused inside the block, where that is much; all of it is recorded."""
    if len(absent) <= _SINGLY:
        yield
        return
    told = f"{len(absent)} clips of the list are not in {dataset}: {', '.join(absent[:_NAMED])} …"
    log.warning("%s", Problem(told, f"mer doctor {dataset} says why", file=source))
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _mapped(tables: Mapping[str, pd.DataFrame], chosen: Mapping[str, str], classes: Sequence[str]) -> pd.DataFrame:
    """The clips whose emotion is in the map, labelled by it."""
    if wrong := [label for label in chosen.values() if label not in classes]:
        raise BadInput(f"map: '{wrong[0]}' is no class", suggestion(str(wrong[0]), classes), file="params.yaml")
    named = {canonical(str(emotion)): str(label) for emotion, label in chosen.items()}
    rows = _together(tables)
    emotions = rows["emotion"].map(canonical)
    if unused := [emotion for emotion in named if emotion not in set(emotions)]:
        what = f"map: no clip's emotion is '{unused[0]}'"
        raise BadInput(what, suggestion(unused[0], set(emotions)), file="params.yaml")
    if left := emotions[~emotions.isin(named)].value_counts().to_dict():
        told = ", ".join(f"{count} {emotion or 'without'}" for emotion, count in sorted(left.items())[:_NAMED])
        what = f"{sum(left.values())} clips of emotions outside the map are left out: {told}"
        note(what, "name them in map to keep them")
    kept = emotions.isin(named)
    return clip_table.table(rows[kept].assign(label=emotions[kept].map(named)))
