"""Where on the face a network looks for an expression, and which of a clip's views show that place.

In each fold a network is trained on the fold's own training clips, behind the guard, and Grad-CAM [1] gives its class
activation for each of them: the last maps C_k, weighted by the mean over positions of the class's gradient at them, and
what is negative cut off. How much of it a view shows follows from the mesh: which points of the frontal face are seen.
A training view that shows less than a share of it is left out of training. A test clip is never looked at.

[1] R. Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", ICCV 2017,
doi:10.1109/ICCV.2017.74. Views are refined by it in paper A (Lu, Kasabov, Lu 2021), whose eq. 4 is meant so.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from captum.attr import LayerGradCam
from threadpoolctl import threadpool_limits
from torch import nn

from mer_lib import registry
from mer_lib.learning.folds import TRAIN, Fold
from mer_lib.learning.guard import Guarded
from mer_lib.learning.learner import Recipe, State, make
from mer_lib.learning.samples import Samples, encode
from mer_lib.learning.seeds import derive
from mer_lib.problems import BadInput
from mer_lib.views import YAW, Shards

log = logging.getLogger(__name__)
COLUMNS = ("fold", "clip", "label", "yaw", "seen", "kept")
_BATCH = 16  # clips whose activation is computed at once


@dataclass(frozen=True)
class Attention:
    """One fold's. judged: a row a generated view of a training clip (COLUMNS); maps: (h, w) float32 by class, the mean
    over the training clips of the class of their activation, each of which has the sum 1.
    """

    judged: pd.DataFrame
    maps: dict[str, np.ndarray]


def attend_folds(
    samples: Samples, folds: Sequence[Fold], views: Shards, **options: Any
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """``attend`` each fold: the tables one behind the other, the maps by fold|class."""
    found = {fold.name: attend(samples, fold, views, **options) for fold in folds}
    maps = {f"{fold}|{name}": each for fold, one in found.items() for name, each in one.maps.items()}
    return pd.concat([one.judged for one in found.values()], ignore_index=True), maps


def attend(
    samples: Samples,
    fold: Fold,
    views: Shards,
    *,
    network: str,
    classes: Sequence[str],
    train: Mapping[str, Any],
    seen: float,
    seed: int,
    options: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> Attention:
    """Train ``network`` on the recordings of a fold's training clips and judge their views.

    samples: what the network reads, a row a clip; views: their shards, see :mod:`mer_lib.geometry.multiview`; ``seen``:
    the least share of the attention that a kept view shows; the rest as in learning.fit. Raises LeakError where a clip
    of another side would be read, and BadInput for a network that has no maps to look at, or a fold without training
    clips.
    """
    guarded = Guarded(samples, replace(fold, trains_on="original", tests_on="original", judged=None))
    rows = guarded.rows(TRAIN)
    if not len(rows):
        raise BadInput(f"fold {fold.name} has lost all its training clips", "see problems.csv for why")
    x, table = guarded.take(rows, "weights", "tuning")
    y, entry = encode(table["label"], classes), registry.get("model", network)
    learner = make("model", network, len(classes), options or {}, Recipe(**train), device)
    with threadpool_limits(1):
        state = learner.fit(x, y, seed=derive(seed, fold.name, "attention"))
        module = entry.load()(len(classes), **entry.complete(dict(options or {})))
        maps = activation(_loaded(module, state).to(device), x, y)
    judged = []
    for clip, label, attended in zip(table["clip"], table["label"], maps, strict=True):
        if clip in views:
            shown = shares(attended, views.read(clip, "visible"))
            rows = zip(views.read(clip, YAW), shown, strict=True)
            judged += [(fold.name, clip, label, yaw, round(share, 6), share >= seen) for yaw, share in rows]
    log.info("fold %s: %d of %d views kept", fold.name, sum(row[-1] for row in judged), len(judged))
    means = {name: maps[y == k].mean(0) for k, name in enumerate(classes) if (y == k).any()}
    return Attention(pd.DataFrame(judged, columns=COLUMNS), means)


def activation(module: nn.Module, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, h, w) float32 class activation of samples (n, H, W, C) for the classes (n,), each of sum 1, or 0."""
    trunk = getattr(module, "trunk", None)
    if not isinstance(trunk, nn.Module):
        raise BadInput("the network has no trunk of maps to look at", "use attention_small or attention_resnet18")
    gradcam, device = LayerGradCam(module.eval(), trunk), next(module.parameters()).device
    maps = []
    for at in range(0, len(y), _BATCH):
        batch = torch.tensor(x[at : at + _BATCH], dtype=torch.float32, device=device).movedim(-1, 1)
        target = torch.tensor(y[at : at + _BATCH], device=device)
        found = gradcam.attribute(batch, target=target, relu_attributions=True)
        maps.append(found[:, 0].detach().cpu().numpy())
    maps = np.concatenate(maps).astype(np.float32)
    total = maps.sum((1, 2), keepdims=True)
    return np.divide(maps, total, out=np.zeros_like(maps), where=total > 0)


def shares(attended: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """(V,) share of the attention (h, w) over the frontal crop that each view shows; visible: (V, S, S), see multiview.

    Of the attention only what lies on the face counts, that is on what some view shows; where none does, nothing is
    hidden.
    """
    weight = cv2.resize(attended.astype(np.float64), visible.shape[:0:-1], interpolation=cv2.INTER_LINEAR)
    shown = (weight * visible).sum((1, 2))
    whole = float((weight * visible.max(0)).sum())
    return shown / whole if whole > 0 else np.ones(len(visible))


def _loaded(module: nn.Module, state: State) -> nn.Module:
    module.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    return module
