"""Fitting: every fold and every seed of an experiment behind the guard.

Each fit draws from seeds derived from the experiment's seed and the fold's name and runs on one thread, so on a CPU a
fold's predictions are the same bytes whichever folds share its job and however many cores the machine has; jobs, not
threads, run side by side. On a GPU the folds and seeds of a job may be one computation, the same but for the last bits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from mer_lib import registry
from mer_lib.learning import guard
from mer_lib.learning.curves import COLUMNS as CURVE_COLUMNS
from mer_lib.learning.fits import Fit, fit_each
from mer_lib.learning.folds import Fold
from mer_lib.learning.guard import Guarded
from mer_lib.learning.learner import Fitted, Grouped, Learner, Recipe, State, make
from mer_lib.learning.parts import Parts
from mer_lib.learning.protocols import everything
from mer_lib.learning.rows import Rows, pick
from mer_lib.learning.samples import Samples
from mer_lib.problems import BadInput, note

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FoldRun:
    """What fitting gives.

    ``predictions``: clip, dataset, subject, yaw, fold, seed, truth, predicted, p_<class>…
    (a row a test sample and seed).
    ``oracle``: the same columns, as the best recorded epoch on the test rows themselves would have predicted them
    (curves.Oracle); empty unless the recipe asks for it, and for classifiers. It shows what that practice is worth.
    ``curves``: fold, seed, epoch, split, loss, accuracy, uf1; empty for classifiers.
    ``models``: the trained model by (fold, seed).
    ``mixed_subjects``: by fold, the subjects trained on and tested; empty under a subject-disjoint protocol.
    """

    predictions: pd.DataFrame
    oracle: pd.DataFrame
    curves: pd.DataFrame
    models: dict[tuple[str, int], Fitted]
    mixed_subjects: dict[str, list[str]]

    @property
    def tensors(self) -> State:
        """All models' arrays in one flat mapping for a safetensors file, named fold@seed|array."""
        return {
            f"{fold}@{seed}|{name}": array
            for (fold, seed), model in self.models.items()
            for name, array in model.state.items()
        }

    @property
    def meta(self) -> dict[str, str]:
        """The text that belongs beside ``tensors``."""
        return next((model.meta for model in self.models.values()), {})


def run_folds(
    samples: Samples,
    folds: Sequence[Fold],
    *,
    kind: str,
    name: str,
    classes: Sequence[str],
    seeds: Sequence[int] = (0,),
    options: Mapping[str, Any] | None = None,
    train: Mapping[str, Any] | None = None,
    device: str = "cpu",
    keep: Path | None = None,
    auxiliary: Samples | None = None,
) -> FoldRun:
    """Fit and test each fold with each seed.

    ``kind`` and ``name`` pick a registered model or classifier; ``options`` are its own, ``train`` a Recipe's values.
    In the folder ``keep`` each finished fold is kept, or the group of folds that is computed at once, and taken from
    there when the same run is started again; its owner removes it when the run is done.
    ``auxiliary`` samples of other people train in every fold and are in no prediction, curve or choice.
    A fold without a test or a training sample is noted and gives no rows. Raises LeakError before anything is fitted on
    a leak, and BadInput for names, options, labels outside ``classes`` and a loss that is no longer a number.
    """
    recipe, options = Recipe(**(train or {})), registry.get(kind, name).complete(dict(options or {}))
    learner = make(kind, name, len(classes), options, recipe, device)
    guard.check_folds(folds, samples.table)
    auxiliary = _checked(auxiliary, samples)
    made = {"kind": kind, "name": name, "classes": list(classes), "options": options}
    beside = [auxiliary.scan.content, auxiliary.table.to_csv()] if auxiliary else []
    every = {**made, "seeds": list(seeds), "train": asdict(recipe), "device": device, "auxiliary": beside}
    parts = Parts(keep, samples, every)
    runs, started, computed = [], time.monotonic(), 0
    units = _units([fold for fold in folds if _worth_fitting(samples, fold, classes)], learner, samples)
    with threadpool_limits(1):
        for unit in units:
            taken = parts.take(unit)
            if taken is None:
                computed += 1
                runs.append(_run(samples, unit, learner, recipe, made, seeds, auxiliary))
                parts.put(unit, runs[-1])
            else:
                runs.append(FoldRun(**taken))
            _progress(unit, taken is not None, len(runs), computed, len(units), time.monotonic() - started)
    run = join(runs, classes)
    if run.mixed_subjects:
        note(
            f"{len(run.mixed_subjects)} folds test subjects that they train on, as their protocol declares",
            "never rank them with folds that keep subjects apart",
        )
    return run


def fit_all(
    samples: Samples,
    *,
    kind: str,
    name: str,
    classes: Sequence[str],
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    train: Mapping[str, Any] | None = None,
    device: str = "cpu",
    auxiliary: Samples | None = None,
) -> Fitted:
    """One model trained on every labelled clip, for clips of other corpora; arguments as in ``run_folds``."""
    recipe, options = Recipe(**(train or {})), registry.get(kind, name).complete(dict(options or {}))
    learner = make(kind, name, len(classes), options, recipe, device)
    with threadpool_limits(1):
        fit = Fit(
            Guarded(samples, everything(samples.table)),
            seed,
            replace(recipe, oracle=False),
            classes,
            _checked(auxiliary, samples),
        )
        ((_, state),) = fit_each([fit], learner, recipe)
    return Fitted(kind, name, tuple(classes), options, state)


def join(runs: Iterable[FoldRun], classes: Sequence[str]) -> FoldRun:
    """Several runs as one, in their order."""
    runs = list(runs)
    columns = ["clip", "dataset", "subject", "yaw", "fold", "seed", "truth", "predicted", *(f"p_{c}" for c in classes)]
    return FoldRun(
        _stacked((run.predictions for run in runs), columns),
        _stacked((run.oracle for run in runs), columns),
        _stacked((run.curves for run in runs), CURVE_COLUMNS),
        {key: model for run in runs for key, model in run.models.items()},
        {fold: mixed for run in runs for fold, mixed in run.mixed_subjects.items() if mixed},
    )


def _stacked(tables: Iterable[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))


def _units(folds: list[Fold], learner: Learner, samples: Samples) -> list[list[Fold]]:
    """The folds that are computed, kept and taken up together: all of them where the learner takes them at once."""
    if folds and isinstance(learner, Grouped) and learner.at_once and not isinstance(samples.x, Rows):
        return [folds]
    return [[fold] for fold in folds]


def _run(
    samples: Samples,
    folds: list[Fold],
    learner: Learner,
    recipe: Recipe,
    made: dict[str, Any],
    seeds: Sequence[int],
    auxiliary: Samples | None,
) -> FoldRun:
    """These folds with every seed, one guard a fold."""
    classes = made["classes"]
    guards = [Guarded(samples, fold) for fold in folds]
    fits = [Fit(guarded, seed, recipe, classes, auxiliary) for guarded in guards for seed in seeds]
    runs = []
    for fit, (fitted, state) in zip(fits, fit_each(fits, learner, recipe), strict=True):
        model = Fitted(made["kind"], made["name"], tuple(classes), made["options"], state)
        models, mixed = {(fit.fold, fit.seed): model}, {fit.fold: fit.guarded.mixed_subjects}
        runs.append(FoldRun(fit.predictions(fitted, state), fit.oracle, fit.curves.frame(), models, mixed))
    return join(runs, classes)


def _checked(auxiliary: Samples | None, samples: Samples) -> Samples | None:
    """The labelled ones of the auxiliary samples, if they may train in every fold. Raises LeakError."""
    if auxiliary is None:
        return None
    known = np.flatnonzero(auxiliary.table["label"] != "")
    if not len(known):
        raise BadInput("no auxiliary clip has a label", "take another auxiliary corpus")
    auxiliary = Samples(pick(auxiliary.x, known), auxiliary.table.iloc[known])
    guard.check_auxiliary(auxiliary, samples)
    return auxiliary


def _worth_fitting(samples: Samples, fold: Fold, classes: Sequence[str]) -> bool:
    """Whether any test and training sample is left; says so if not, and which classes have no training sample."""
    table, told = samples.table, "the report names its clips under 'What went wrong'"
    if not table["clip"].isin(fold.test).any():
        note(f"fold {fold.name} has lost all its {len(fold.test)} test clips and is left out", told)
        return False
    there = set(table["label"][table["clip"].isin(fold.train)])
    if not there:
        note(f"fold {fold.name} has lost all its training clips and is left out", told)
        return False
    for name in (name for name in classes if name not in there):
        note(f"fold {fold.name} trains on no clip of class {name}", "it can hardly predict it; add clips")
    return True


def _progress(folds: list[Fold], taken: bool, done: int, computed: int, total: int, seconds: float) -> None:
    """A line in the log; what was taken from an earlier start says nothing about the time that is left."""
    names = f"fold {folds[0].name}" if len(folds) == 1 else f"{len(folds)} folds at once"
    if taken:
        log.info("%s: %d of %d, finished by an earlier start", names, done, total)
    else:
        left = seconds / computed * (total - done)
        log.info("%s: %d of %d, %.1f s, about %.0f s left", names, done, total, seconds, left)
