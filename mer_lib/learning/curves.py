"""Training curves, the choice of an epoch from them, and the choice that must not be made: the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mer_lib.learning import guard

COLUMNS = ("fold", "seed", "epoch", "split", "loss", "accuracy", "uf1")
EVERY, LAST = 10, 10  # epochs recorded: the first, every tenth and the last ten, whose statistics papers print


def due(epoch: int, epochs: int) -> bool:
    """Whether this epoch (counted from 1) is recorded."""
    return epoch == 1 or epoch % EVERY == 0 or epoch > epochs - LAST


def figures(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """loss, accuracy and uf1 of (n,) class positions and (n, K) probabilities; NaN of nothing.

    loss is the plain cross-entropy, without class weights, so that splits compare. uf1 is the mean over the classes
    that occur in these n rows; of a single fold it is a coarse figure, the honest one is pooled over folds.
    """
    if not len(truth):
        return dict.fromkeys(("loss", "accuracy", "uf1"), float("nan"))
    count = probabilities.shape[1]
    predicted = probabilities.argmax(1)
    confusion = np.bincount(truth * count + predicted, minlength=count * count).reshape(count, count)
    true, hits = confusion.sum(1), np.diag(confusion)
    f1 = 2 * hits / np.maximum(true + confusion.sum(0), 1)
    own = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return {
        "loss": float(-np.log(np.maximum(own, 1e-12)).mean()),
        "accuracy": float(hits.sum() / len(truth)),
        "uf1": float(f1[true > 0].mean()),
    }


def last_epochs(table: pd.DataFrame) -> list[tuple[int, dict[str, float]]]:
    """(seed, figures) of the tested clips' accuracy in a table of curves: ``last``; ``mean``, ``deviation`` (of the
    sample), ``lowest`` and ``highest`` of the last epochs; ``best`` of all that were recorded, and its epoch, ``at``.

    Nothing where clips were held out by turns, since a fold's accuracy is not the experiment's.
    """
    tested = table[table["split"].eq("test")] if len(table) else table
    if tested.empty or tested["fold"].nunique() > 1:
        return []
    found = []
    for seed, rows in tested.sort_values("epoch").groupby("seed"):
        accuracy = rows.set_index("epoch")["accuracy"]
        last = accuracy[accuracy.index > accuracy.index.max() - LAST]
        found.append((seed, {
            "last": accuracy.iloc[-1], "mean": last.mean(), "deviation": last.std(ddof=1), "lowest": last.min(),
            "highest": last.max(), "best": accuracy.max(), "at": accuracy.idxmax(),
        }))  # fmt: skip
    return found


class Curves:
    """The curves of one fold and seed, as they are made."""

    def __init__(self, fold: str, seed: int) -> None:
        self.fold, self.seed = fold, seed
        self._rows: list[dict[str, Any]] = []

    def add(self, epoch: int, split: str, truth: np.ndarray, probabilities: np.ndarray) -> None:
        """Record the figures of one split after one epoch."""
        where = {"fold": self.fold, "seed": self.seed, "epoch": epoch, "split": split}
        self._rows.append(where | figures(truth, probabilities))

    def frame(self) -> pd.DataFrame:
        """The table of the contract: fold, seed, epoch, split, loss, accuracy, uf1."""
        return pd.DataFrame(self._rows, columns=list(COLUMNS))


class Oracle:
    """What the best recorded epoch on the test rows themselves would have given: a record, never used for anything.

    The highest accuracy wins, among equals the lowest loss, then the latest epoch.
    """

    def __init__(self) -> None:
        self.probabilities: np.ndarray | None = None
        self._best = (-1.0, 0.0)

    def add(self, truth: np.ndarray, probabilities: np.ndarray) -> None:
        """Look at the test rows after one more epoch."""
        found = figures(truth, probabilities)
        if (reached := (found["accuracy"], -found["loss"])) >= self._best:
            self._best, self.probabilities = reached, probabilities


def best_epoch(curve: pd.DataFrame) -> int:
    """The epoch with the highest UF1, among equals the one with the lowest loss, then the earliest.

    Refuses a curve with figures of test clips (LeakError).
    """
    guard.check_selection(curve["split"])
    order = curve.sort_values(["uf1", "loss", "epoch"], ascending=[False, True, True], kind="stable")
    return int(order["epoch"].iloc[0])
