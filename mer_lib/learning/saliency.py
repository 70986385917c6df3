"""What in a network's input speaks for its answers, of clips that it was tested on: paper B's Fig. 4."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from mer_lib.learning.learner import Fitted, State
from mer_lib.problems import BadInput

SHOWN = 7  # frames of a clip, as in the figure
CLIPS = 4  # clips, as there
SHARE = 0.1  # of a channel's places that are marked at most; the paper binarises and does not say where
MARKED = f"the strongest {SHARE:.0%} of all places, where the gradient is positive"


def marked(salient: np.ndarray) -> np.ndarray:
    """``MARKED`` of a channel's saliency (T, H, W) over the clip, fewer where less is positive: (T, H, W) bool."""
    return (salient >= np.quantile(salient, 1 - SHARE)) & (salient > 0)


def shown(fitted: Fitted, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a clip's input (T, H, W, C) or (H, W, C): which frames are shown (n,), evenly spaced over the clip, these
    frames (n, H, W, C) and what in them counts most (n, H, W, C) bool.

    Raises BadInput for a classifier, and for a network that reads no pictures.
    """
    if x.ndim not in (3, 4):
        raise BadInput(f"'{fitted.name}' reads no pictures", "name the model of a network of images")
    film, salient = (each if each.ndim == 4 else each[None] for each in (x, fitted.saliency(x[None])[0]))
    at = np.unique(np.linspace(0, len(film) - 1, SHOWN).round().astype(int))
    marks = np.stack([marked(salient[..., channel]) for channel in range(film.shape[-1])], axis=-1)
    return at, film[at], marks[at]


def of_fold(
    tensors: State, card: dict[str, Any], tested: pd.DataFrame, read: Callable[[str], np.ndarray]
) -> tuple[State, dict[str, Any]]:
    """Frames and marks of a few tested clips, read by the model of a job's first fold and seed, as arrays and card.

    ``tensors`` and ``card`` are the job's models (``fit.FoldRun``), ``tested`` its predictions, ``read`` gives a clip's
    input. The clips are the first of each class by turns, so that nobody chose them for how they look.
    """
    fold, seed = tested[["fold", "seed"]].iloc[0]
    head = f"{fold}@{seed}|"
    state = {name.removeprefix(head): array for name, array in tensors.items() if name.startswith(head)}
    fitted, arrays, told = Fitted.from_state(state, card), {}, []
    for n, row in enumerate(_by_turns(tested[tested["fold"].eq(fold) & tested["seed"].eq(seed)])):
        at, frames, marks = shown(fitted, read(row.clip))
        arrays |= {f"{n}|frames": frames, f"{n}|marks": marks.astype(np.uint8)}
        told.append({"clip": row.clip, "truth": row.truth, "predicted": row.predicted, "frames": at.tolist()})
    return arrays, {"fold": str(fold), "seed": int(seed), "clips": told}


def _by_turns(tested: pd.DataFrame) -> list[Any]:
    recorded = tested[tested["yaw"] == 0]
    turn = recorded.groupby("truth").cumcount()
    return list(recorded.assign(turn=turn).sort_values(["turn", "truth"], kind="stable").head(CLIPS).itertuples())
