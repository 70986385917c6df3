"""One fold with one seed: its labels, what it trains on, what is recorded on the way, its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from mer_lib.learning.curves import Curves, Oracle, best_epoch
from mer_lib.learning.folds import TEST, TRAIN, VALIDATION
from mer_lib.learning.guard import Guarded
from mer_lib.learning.learner import Diverged, Grouped, Learner, Observe, Recipe, State, Task, names
from mer_lib.learning.protocols import inner_split
from mer_lib.learning.rows import Features, joined
from mer_lib.learning.samples import Samples, encode
from mer_lib.learning.seeds import derive
from mer_lib.learning.tuning import tuned
from mer_lib.problems import BadInput


class Fit:
    """A fold behind the guard (shared by the fold's seeds) with a seed.

    ``auxiliary`` samples (``guard.check_auxiliary``) train beside the fold's own and are in no figure.
    """

    def __init__(
        self,
        guarded: Guarded,
        seed: int,
        recipe: Recipe,
        classes: Sequence[str],
        auxiliary: Samples | None = None,
    ) -> None:
        self.guarded, self.seed, self.fold = guarded, seed, guarded.fold.name
        self.labels = _labels(guarded, recipe, classes, seed)
        self.drawn = derive(seed, self.fold)
        self.curves = Curves(self.fold, seed)
        self._oracle, self._recipe = Oracle() if recipe.oracle else None, recipe
        self._classes, self._auxiliary = tuple(classes), auxiliary
        self._watched: Features = np.zeros((0, 0), np.float32)
        self._truth = np.zeros(0, np.int64)

    def selection(self, learner: Learner) -> Task:
        """The training without the inner validation subjects, watched on them; its curve says how many epochs serve."""
        fold = inner_split(self.guarded.fold, self.guarded.training_table, self.seed)
        inner = self.guarded.inner(fold)
        x, table = self.taken(inner, learner)
        other, told = inner.take(inner.rows(VALIDATION), "selection")
        observe = partial(self._validated, self.labels[told["clip"]].to_numpy())
        return self._task(x, table, self._recipe.passes(len(x)), observe, other)

    def taken(self, guarded: Guarded, learner: Learner) -> tuple[Features, pd.DataFrame]:
        """Features to train on, auxiliary ones last, and the table of the fold's own."""
        x, table = guarded.take(guarded.rows(TRAIN), *learner.fits)
        return (joined(x, self._auxiliary.x) if self._auxiliary else x), table

    def training(self, x: Features, table: pd.DataFrame) -> Task:
        """The training on the whole training side: its rows as ``taken`` gives them, the same for every seed.

        With an inner split its curve, made before, says for how many epochs.
        """
        self.guarded.watch(self._hold)
        watched = self._watched if len(self._watched) else None
        chosen = self._recipe.selection == "inner"
        epochs = best_epoch(self.curves.frame()) if chosen else self._recipe.passes(len(x))
        return self._task(x, table, epochs, self._observed, watched)

    def solved(self, learner: Learner) -> tuple[Learner, State]:
        """A classifier with its options chosen, and its state."""
        learner = tuned(learner, self.guarded, self.labels, self.seed)
        x, table = self.guarded.take(self.guarded.rows(TRAIN), *learner.fits)
        return learner, learner.fit(x, self._encoded(table), seed=self.drawn)

    def predictions(self, learner: Learner, state: State) -> pd.DataFrame:
        """The table of the contract for the test rows; the guard must be sealed."""
        x, table = self.guarded.take(self.guarded.rows(TEST), "prediction")
        return self._tabled(table, learner.probabilities(state, x))

    @property
    def oracle(self) -> pd.DataFrame:
        """The same table as the oracle's choice would have it; empty where there is none."""
        if self._oracle is None or self._oracle.probabilities is None:
            return pd.DataFrame()
        _, table = self.guarded.take(self.guarded.rows(TEST), "prediction")
        return self._tabled(table, self._oracle.probabilities)

    def _task(self, x: Features, table: pd.DataFrame, epochs: int, observe: Observe, watched: Features | None) -> Task:
        y, domain = self._encoded(table), None
        if self._auxiliary:
            codes = encode(self._auxiliary.table["label"], self._classes)
            if self._recipe.control == "permuted":  # true labels of other people would teach the control
                codes = np.random.default_rng(derive(self.drawn, "auxiliary")).permutation(codes)
            domain = np.repeat([0, 1], [len(y), len(codes)])
            y = np.concatenate([y, codes])
        return Task(x, y, self.drawn, epochs, observe, watched, domain)

    def _encoded(self, table: pd.DataFrame) -> np.ndarray:
        return self.labels[table["clip"]].to_numpy()

    def _hold(self, x: Features, table: pd.DataFrame) -> None:
        self._watched, self._truth = x, encode(table["label"], self._classes)

    def _validated(self, truth: np.ndarray, epoch: int, _: np.ndarray, __: np.ndarray, seen: np.ndarray) -> None:
        self.curves.add(epoch, "validation", truth, seen)

    def _observed(self, epoch: int, truth: np.ndarray, own: np.ndarray, test: np.ndarray | None) -> None:
        self.curves.add(epoch, "train", truth, own)
        if test is not None:
            self.curves.add(epoch, "test", self._truth, test)
            if self._oracle:
                self._oracle.add(self._truth, test)

    def _tabled(self, table: pd.DataFrame, probabilities: np.ndarray) -> pd.DataFrame:
        if not np.isfinite(probabilities).all():
            told = f"fold {self.fold}, seed {self.seed}: probabilities that are no numbers"
            raise BadInput(told, "lower train.lr")
        encode(table["label"], self._classes)  # a truth outside the classes would be scored as an error of the model
        columns = table[["clip", "dataset", "subject", "yaw"]].assign(
            fold=self.fold, seed=self.seed, truth=table["label"], predicted=names(probabilities, self._classes)
        )
        found = columns.assign(**{f"p_{c}": probabilities[:, k] for k, c in enumerate(self._classes)})
        return found.reset_index(drop=True)


def fit_each(fits: Sequence[Fit], learner: Learner, recipe: Recipe) -> list[tuple[Learner, State]]:
    """What predicts, for each fit; seals the guards. Raises BadInput for a loss that is no number any more."""
    if not isinstance(learner, Grouped):
        if recipe.selection == "inner":
            raise BadInput("a classifier has no epochs to choose", "set train.selection: fixed")
        found = [fit.solved(learner) for fit in fits]
    else:
        if recipe.selection == "inner":
            _trained(fits, learner, [fit.selection(learner) for fit in fits])
        taken = {fit.guarded: fit for fit in fits}
        taken = {guarded: fit.taken(guarded, learner) for guarded, fit in taken.items()}
        tasks = [fit.training(*taken[fit.guarded]) for fit in fits]
        found = [(learner, state) for state in _trained(fits, learner, tasks)]
    for fit in fits:
        fit.guarded.seal()
    return found


def _trained(fits: Sequence[Fit], learner: Grouped, tasks: list[Task]) -> list[State]:
    try:
        return learner.fit_each(tasks)
    except Diverged as error:
        lost = fits[error.which]
        raise BadInput(f"{error} of fold {lost.fold}, seed {lost.seed}", "lower train.lr") from None


def _labels(guarded: Guarded, recipe: Recipe, classes: Sequence[str], seed: int) -> pd.Series:
    """Class position by clip for all clips that are not tested; shuffled among these clips for the control."""
    table = guarded.training_table.drop_duplicates("clip")
    codes = encode(table["label"], classes)
    if recipe.control == "permuted":
        codes = np.random.default_rng(derive(seed, guarded.fold.name, "permuted")).permutation(codes)
    return pd.Series(codes, index=table["clip"].to_numpy(object))
