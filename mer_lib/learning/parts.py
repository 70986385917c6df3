"""Finished folds of a run that is still going on, kept so that a killed run takes up where it stopped.

A part is one safetensors file: the models' arrays, and in its card the tables. Its name is the digest of all that made
it, so that a part of another run is never taken for one of this.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_lib import weights
from mer_lib.learning.folds import Fold
from mer_lib.learning.learner import Fitted, State
from mer_lib.learning.samples import Samples
from mer_lib.problems import BadInput

log = logging.getLogger(__name__)

TABLES = ("predictions", "curves", "oracle")


class Parts:
    """The finished parts in a folder; without a folder nothing is kept and nothing found."""

    def __init__(self, folder: Path | None, samples: Samples, made: dict[str, Any]) -> None:
        self._folder = folder
        if folder:
            digest = hashlib.blake2b(json.dumps(made, sort_keys=True).encode(), digest_size=16)
            digest.update(samples.scan.content.encode())
            digest.update(samples.table.to_csv().encode())
            self._digest = digest

    def take(self, folds: Sequence[Fold]) -> dict[str, Any] | None:
        """The part that these folds gave: tables, models and mixed_subjects, as FoldRun has them.

        None if it is missing or cannot be read.
        """
        path = self._path(folds)
        if path is None or not path.exists():
            return None
        try:
            tensors, card = weights.load(path)
        except BadInput as error:  # whole when it was named, but a power cut can take what the disk had not written
            log.warning("a part that cannot be read is made anew: %s", error.problem.what)
            return None
        models: dict[tuple[str, int], Fitted] = {}
        for fold, seed, meta, names in card["models"]:
            state: State = {name: tensors[f"{fold}@{seed}|{name}"] for name in names}
            models[fold, seed] = Fitted.from_state(state, meta)
        tables = {name: _read(card[name]) for name in TABLES}
        return tables | {"models": models, "mixed_subjects": card["mixed_subjects"]}

    def put(self, folds: Sequence[Fold], run: Any) -> None:
        """Keep what these folds gave (a FoldRun)."""
        if path := self._path(folds):
            models = [(fold, seed, model.meta, list(model.state)) for (fold, seed), model in run.models.items()]
            card = {name: _written(getattr(run, name)) for name in TABLES}
            weights.save(path, run.tensors, card | {"models": models, "mixed_subjects": run.mixed_subjects})

    def _path(self, folds: Sequence[Fold]) -> Path | None:
        if self._folder is None:
            return None
        digest = self._digest.copy()
        for fold in folds:
            declared = json.dumps([fold.name, fold.declared, list(fold.clips)], sort_keys=True)
            digest.update(declared.encode() + np.ascontiguousarray(fold.side).tobytes())
        return Path(self._folder, f"{digest.hexdigest()}.safetensors")


def _written(table: pd.DataFrame) -> list[tuple[str, str, list]]:
    """Name, type and values of each column; floats keep every bit in JSON."""
    return [(name, str(table[name].dtype), table[name].tolist()) for name in table]


def _read(columns: list[tuple[str, str, list]]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype=kind) for name, kind, values in columns})
