"""Fitting: every fold and every seed of an experiment, one after the other, behind the guard.

Each fit draws from seeds derived from the experiment's seed and the fold's name and runs on one thread, so a fold's
predictions are the same bytes whichever folds share its job and however many cores the machine has; jobs, not threads,
run side by side.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from mer_lib import registry
from mer_lib.learning import guard
from mer_lib.learning.curves import COLUMNS as CURVE_COLUMNS
from mer_lib.learning.curves import Curves, best_epoch
from mer_lib.learning.folds import TEST, TRAIN, VALIDATION, Fold
from mer_lib.learning.guard import Guarded
from mer_lib.learning.learner import Diverged, Fitted, Learner, Predict, Recipe, State, make, names
from mer_lib.learning.protocols import everything, inner_split
from mer_lib.learning.samples import Samples, encode
from mer_lib.learning.seeds import derive
from mer_lib.problems import BadInput, note

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FoldRun:
    """What fitting gives.

    ``predictions``: clip, dataset, subject, yaw, fold, seed, truth, predicted, p_<class>…
    (a row a test sample and seed).
    ``curves``: fold, seed, epoch, split, loss, accuracy, uf1; empty for classifiers.
    ``models``: the trained model by (fold, seed).
    ``mixed_subjects``: by fold, the subjects trained on and tested; empty under a subject-disjoint protocol.
    """

    predictions: pd.DataFrame
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
) -> FoldRun:
    """Fit and test each fold with each seed.

    ``kind`` and ``name`` pick a registered model or classifier; ``options`` are its own, ``train`` a Recipe's values.
    A fold without a test or a training sample is noted and gives no rows. Raises LeakError before anything is fitted on
    a leak, and BadInput for names, options, labels outside ``classes`` and a loss that is no longer a number.
    """
    recipe, options = Recipe(**(train or {})), registry.get(kind, name).complete(dict(options or {}))
    learner = make(kind, name, len(classes), options, recipe, device)
    guard.check_folds(folds, samples.table)
    runs, started, total = [], time.monotonic(), len(folds) * len(seeds)
    with threadpool_limits(1):
        for fold in folds:
            if not _worth_fitting(samples, fold, classes):
                continue
            for seed in seeds:
                guarded = Guarded(samples, fold)
                state, curves = _fit(guarded, learner, recipe, classes, seed)
                model = Fitted(kind, name, tuple(classes), options, state)
                predictions = _predict(guarded, learner, state, classes, seed)
                key = (fold.name, seed)
                runs.append(FoldRun(predictions, curves.frame(), {key: model}, {fold.name: guarded.mixed_subjects}))
                _progress(fold, seed, len(runs), total, time.monotonic() - started)
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
) -> Fitted:
    """One model trained on every labelled clip, for clips of other corpora; arguments as in ``run_folds``."""
    recipe, options = Recipe(**(train or {})), registry.get(kind, name).complete(dict(options or {}))
    learner = make(kind, name, len(classes), options, recipe, device)
    with threadpool_limits(1):
        state, _ = _fit(Guarded(samples, everything(samples.table)), learner, recipe, classes, seed)
    return Fitted(kind, name, tuple(classes), options, state)


def join(runs: Iterable[FoldRun], classes: Sequence[str]) -> FoldRun:
    """Several runs as one, in their order."""
    runs = list(runs)
    columns = ["clip", "dataset", "subject", "yaw", "fold", "seed", "truth", "predicted", *(f"p_{c}" for c in classes)]
    predictions = [run.predictions for run in runs if len(run.predictions)]
    curves = [run.curves for run in runs if len(run.curves)]
    return FoldRun(
        pd.concat(predictions, ignore_index=True) if predictions else pd.DataFrame(columns=columns),
        pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=list(CURVE_COLUMNS)),
        {key: model for run in runs for key, model in run.models.items()},
        {fold: mixed for run in runs for fold, mixed in run.mixed_subjects.items() if mixed},
    )


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


def _fit(guarded: Guarded, learner: Learner, recipe: Recipe, classes: Sequence[str], seed: int) -> tuple[State, Curves]:
    """Choose the number of epochs if the recipe says so, then train on the whole training side; the guard is sealed."""
    fold, curves = guarded.fold, Curves(guarded.fold.name, seed)
    labels = _labels(guarded, recipe, classes, seed)
    try:
        epochs = learner.epochs
        if recipe.selection == "inner":
            epochs = _select(guarded, learner, labels, seed, curves)
        x, table = guarded.take(guarded.rows(TRAIN), *learner.fits)

        def observe(epoch: int, predict: Predict, truth: np.ndarray, probabilities: np.ndarray) -> None:
            curves.add(epoch, "train", truth, probabilities)
            guarded.watch(lambda x, table: curves.add(epoch, "test", encode(table["label"], classes), predict(x)))

        y = labels[table["clip"]].to_numpy()
        state = learner.fit(x, y, seed=derive(seed, fold.name), epochs=epochs, observe=observe)
    except Diverged as error:
        raise BadInput(f"{error} of fold {fold.name}, seed {seed}", "lower train.lr") from None
    guarded.seal()
    return state, curves


def _select(guarded: Guarded, learner: Learner, labels: pd.Series, seed: int, curves: Curves) -> int:
    """The number of epochs that serves best on an inner split of the training side by subject.

    A model is trained without the inner validation subjects and watched on them; the model that is tested is then
    trained anew, on the whole training side, for as many epochs. Among the recorded epochs only (curves.due).
    """
    if learner.epochs is None:
        raise BadInput("a classifier has no epochs to choose", "set train.selection: fixed")
    inner = guarded.inner(inner_split(guarded.fold, guarded.training_table, seed))
    x, table = inner.take(inner.rows(TRAIN), *learner.fits)
    other, other_table = inner.take(inner.rows(VALIDATION), "selection")
    truth = labels[other_table["clip"]].to_numpy()

    def observe(epoch: int, predict: Predict, *_: np.ndarray) -> None:
        curves.add(epoch, "validation", truth, predict(other))

    y = labels[table["clip"]].to_numpy()
    learner.fit(x, y, seed=derive(seed, guarded.fold.name), epochs=learner.epochs, observe=observe)
    return best_epoch(curves.frame())


def _labels(guarded: Guarded, recipe: Recipe, classes: Sequence[str], seed: int) -> pd.Series:
    """Class position by clip for all clips that are not tested; shuffled among these clips for the control."""
    table = guarded.training_table.drop_duplicates("clip")
    codes = encode(table["label"], classes)
    if recipe.control == "permuted":
        codes = np.random.default_rng(derive(seed, guarded.fold.name, "permuted")).permutation(codes)
    return pd.Series(codes, index=table["clip"].to_numpy(object))


def _predict(guarded: Guarded, learner: Learner, state: State, classes: Sequence[str], seed: int) -> pd.DataFrame:
    x, table = guarded.take(guarded.rows(TEST), "prediction")
    probabilities = learner.probabilities(state, x)
    fold = guarded.fold.name
    if not np.isfinite(probabilities).all():
        raise BadInput(f"fold {fold}, seed {seed}: probabilities that are no numbers", "lower train.lr")
    encode(table["label"], classes)  # a truth outside the classes would be scored as an error of the model
    columns = table[["clip", "dataset", "subject", "yaw"]].assign(
        fold=fold, seed=seed, truth=table["label"], predicted=names(probabilities, classes)
    )
    return columns.assign(**{f"p_{c}": probabilities[:, k] for k, c in enumerate(classes)}).reset_index(drop=True)


def _progress(fold: Fold, seed: int, done: int, total: int, seconds: float) -> None:
    left = seconds / done * (total - done)
    log.info("fold %s seed %d: %d of %d, %.1f s, about %.0f s left", fold.name, seed, done, total, seconds, left)
