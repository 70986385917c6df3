"""The table of predictions: read with its ids and classes as text, checked, and told what it lacks.

Nothing about a name is guessed: '01', '1e3', 'true' and 'NA' are classes and subjects like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_lib import registry
from mer_lib.clips import OFFICIAL_CLASSES
from mer_lib.problems import COLUMNS, BadInput, Problem, note

TEXT = ("clip", "dataset", "subject", "fold", "truth", "predicted")
CLIP = ("dataset", "subject", "clip")  # what a clip is told by, where the table has it: other people's names repeat


def read(path: str | Path, *text: str) -> pd.DataFrame:
    """A CSV file of predictions; ids, classes and the columns named in ``text`` are text. Raises BadInput."""
    try:
        return pd.read_csv(path, dtype=dict.fromkeys((*TEXT, *text), str), keep_default_na=False)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors, and so is text that is no UTF-8
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise BadInput(f"cannot be read ({why})", "give a CSV file", file=path) from None


def infer_classes(predictions: pd.DataFrame) -> tuple[str, ...]:
    """The classes a table speaks of: its p_<class> columns, else the official ones, else the names in order."""
    _require(predictions)
    if named := [str(c)[2:] for c in predictions.columns if str(c).startswith("p_")]:
        return tuple(named)
    found = _said(predictions)
    if found and all(value.isdecimal() and value == str(int(value)) for value in found):
        if max(map(int, found)) < len(OFFICIAL_CLASSES):
            return OFFICIAL_CLASSES
        return tuple(str(k) for k in range(max(map(int, found)) + 1))
    return OFFICIAL_CLASSES if found <= set(OFFICIAL_CLASSES) else tuple(sorted(found))


def prepare(predictions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Checked rows with truth and predicted as integers and dataset, subject, seed and yaw filled in."""
    _require(predictions)
    table = pd.DataFrame(index=predictions.index)
    for name, default in (("dataset", ""), ("seed", 0), ("yaw", 0)):
        table[name] = predictions.get(name, default)
    if _blank(table["seed"]).any():
        raise BadInput(f"{_blank(table['seed']).sum()} rows have no seed", "fill the column seed, or drop it")
    table["yaw"] = _degrees(table["yaw"])
    table["dataset"] = table["dataset"].fillna("")
    if "subject" in predictions:  # its number may repeat between data sets; the pair never does
        if (nobody := _blank(predictions["subject"])).any():  # together they would be one more subject to draw
            raise BadInput(f"{nobody.sum()} rows have no subject", "fill the column subject, or drop it")
        table["subject"] = table["dataset"].astype(str) + "/" + predictions["subject"].astype(str)
    if "clip" in predictions:
        table["clip"] = predictions["clip"]
        _refuse_repeats(table)
    blank = _blank(predictions["truth"])
    if blank.any():
        note(f"{blank.sum()} of {len(blank)} rows have no truth and are not scored", "label them to have them scored")
    table, scored = table[~blank], predictions[~blank]
    if table.empty:
        raise BadInput("no row has a truth: nothing to score", "check that the test clips carry labels")
    if "clip" in table:
        _refuse_gaps(table)
    position = _positions(scored, classes)
    table = table.assign(**{column: _encode(scored[column], position, classes) for column in ("truth", "predicted")})
    if "clip" in table:
        _refuse_two_truths(table)
    return table


def clips(table: pd.DataFrame) -> int:
    """How many clips a prepared table with the column clip speaks of."""
    return len(table[_named(table)].drop_duplicates())


def unscored(
    clips: pd.DataFrame, problems: pd.DataFrame, predictions: Mapping[tuple[str, str], pd.DataFrame]
) -> pd.DataFrame:
    """The labelled clips that no problem speaks of and that some experiment has no prediction of, as problems.

    A fold that is left out, or features that are no numbers, lose clips after the last store was written; a protocol
    that tests a part of the clips alone (``tests_all=False``) loses none by it. ``clips`` is the clip table,
    ``problems`` what the stages found, ``predictions`` the tables by (protocol, experiment).
    """
    told = problems.loc[problems["severity"] == "skipped", "clip"]
    left = clips.loc[clips["label"].ne("") & ~clips["clip"].isin(told), "clip"]
    tested = {
        f"{name} ({protocol})": set(table["clip"])
        for (protocol, name), table in predictions.items()
        if registry.get("protocol", protocol).meta.get("tests_all", True)
    }
    without = {clip: [name for name, seen in tested.items() if clip not in seen] for clip in left}
    remedy = "the log of its training says why: a fold that was left out, or features that are no numbers"
    found = [
        Problem(f"not in the predictions of {', '.join(names)}", remedy, clip, severity="skipped", stage="train").row()
        for clip, names in without.items()
        if names
    ]
    return pd.DataFrame(found, columns=COLUMNS)


def _require(predictions: pd.DataFrame) -> None:
    for name in ("truth", "predicted"):
        if name not in predictions:
            raise BadInput(f"no column '{name}'", registry.suggestion(name, predictions.columns))


def _blank(values: pd.Series) -> pd.Series:
    return values.isna() | (values.astype(str) == "")


def _degrees(yaw: pd.Series) -> pd.Series:
    found = pd.to_numeric(yaw, errors="coerce")
    if found.isna().any():
        bad = yaw[found.isna()].iloc[0]
        raise BadInput(f"yaw holds '{bad}', which is no number", "give degrees, 0 for the original view")
    return found


def _refuse_repeats(table: pd.DataFrame) -> None:
    key = [*_named(table), "yaw", "seed"]
    repeated = table.duplicated(key)
    if repeated.any():
        raise BadInput(
            f"{repeated.sum()} predictions repeat an earlier one ({', '.join(key)})",
            "a clip is scored once a view and seed, in one fold",
            clip=str(table.loc[repeated, "clip"].iloc[0]),
        )


def _refuse_gaps(table: pd.DataFrame) -> None:
    """Every seed answers for the same clips and views: the mean over seeds is one of the same thing."""
    seeds = table["seed"].nunique()
    answers = table.groupby([*_named(table), "yaw"]).size()
    if (answers < seeds).any():
        first = answers[answers < seeds].reset_index().iloc[0]
        raise BadInput(
            f"{(answers < seeds).sum()} clips or views lack the prediction of some of the {seeds} seeds",
            "predict every clip with every seed",
            clip=str(first["clip"]),
        )


def _refuse_two_truths(table: pd.DataFrame) -> None:
    """Seeds and views of a clip are answers to one question."""
    truths = table.groupby(_named(table))["truth"].nunique()
    if (truths > 1).any():
        first = truths[truths > 1].reset_index().iloc[0]
        raise BadInput(
            f"{(truths > 1).sum()} clips have one truth in one row and another in the next",
            "a clip has one truth, whatever the seed and view",
            clip=str(first["clip"]),
        )


def _named(table: pd.DataFrame) -> list[str]:
    return [name for name in CLIP if name in table]


def _positions(predictions: pd.DataFrame, classes: Sequence[str]) -> dict[str, int]:
    """Class position by text: the classes' names; where the table has none of them, their numbers from 0."""
    named = {_text(name): k for k, name in enumerate(classes)}
    return named if named.keys() & _said(predictions) else {str(k): k for k in range(len(classes))}


def _said(predictions: pd.DataFrame) -> set[str]:
    """All that stands in the columns of truth and prediction."""
    return {_text(v) for column in ("truth", "predicted") for v in predictions[column].dropna()} - {""}


def _encode(values: pd.Series, position: Mapping[str, int], classes: Sequence[str]) -> np.ndarray:
    """Class positions (N,). Raises BadInput naming what is no class."""
    text = values.map(_text, na_action="ignore")
    codes = text.map(position)
    if codes.isna().any():
        bad = text[codes.isna()].iloc[0]
        if pd.isna(bad) or bad == "":
            raise BadInput(f"{codes.isna().sum()} rows have no {values.name} class", "every scored clip needs one")
        raise BadInput(f"{values.name} holds '{bad}', which is no class", registry.suggestion(bad, classes))
    return codes.to_numpy(np.int64)


def _text(value: Any) -> str:
    """'1' for 1, 1.0, '1' and '1.0': a column of numbers with a gap in it is written as floats."""
    text = str(value)
    return text.partition(".")[0] if re.fullmatch(r"\d+\.0+", text) else text
