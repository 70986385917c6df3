"""Networks: one of three back ends trains them, the same recipe step for step.

A model whose registration names compiled code (``compiled="mer_lib.models.…"``) is trained by it on a CPU, one that
says ``stacked=True`` is trained on a GPU with all folds and seeds of its job at once; the plain loop trains the rest,
and whatever is read a batch at a time (rows.WHOLE).
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from mer_lib.learning.compiled import Compiled
from mer_lib.learning.learner import Diverged, Recipe, State, Task, class_weights
from mer_lib.learning.plain import Plain
from mer_lib.learning.rows import Features, Rows
from mer_lib.learning.seeds import derive
from mer_lib.learning.stacked import Stacked
from mer_lib.learning.tensors import features, probabilities
from mer_lib.learning.training import Steps, train
from mer_lib.problems import BadInput, note
from mer_lib.registry import Entry


def network(entry: Entry, options: Mapping[str, Any], recipe: Recipe, classes: int, device: str) -> Network:
    """The learner around a registered model, with the back end that its registration and the device allow."""
    compiled = entry.meta.get("compiled") if device == "cpu" else None

    def build() -> nn.Module:
        try:
            return entry.load()(classes, **options)
        except ValueError as error:
            raise BadInput(f"model '{entry.name}': {error}", "correct its options") from None

    return Network(
        build,
        recipe,
        classes,
        device,
        compiled=importlib.import_module(compiled) if compiled else None,
        options=options,
        at_once=device != "cpu" and entry.meta.get("stacked", False),
        reads=_shape(entry, options),
    )


def _shape(entry: Entry, options: Mapping[str, Any]) -> tuple[int, ...] | None:
    """(H, W, C) of what the network reads, of clips (T, H, W, C), where its registration says so.

    An option of the name goes over the fact: a network of clips may be built for another number of ``frames``.
    """
    frames, side, channels = ({**entry.meta, **options}.get(name) for name in ("frames", "side", "channels"))
    clip = (frames,) if frames else ()
    return (*clip, side, side, channels) if side and channels else None


class Network:
    """Learner around a torch model that ``build`` makes, (n, C, ...) -> (n, K) logits.

    Features come channels last, (n, ..., C), as descriptors store them; vectors (n, D) pass as they are. A model with
    losses of its own (several heads, auxiliary terms) has ``training_loss(x, truth, weight) -> (logits, loss)`` for
    the batch (n, C, ...), its classes (n,) and the class weights (K,); where it says ``domains = True``, also with the
    domains (n,) of a fold that trains on auxiliary clips: 0 its own, 1 auxiliary. One that starts from others' weights
    takes them in ``warm_start()``, called once before a training and never to predict.
    ``compiled`` is a module with ``prepare`` and ``Fused`` (see Compiled), ``options`` are the model's own, ``reads``
    is the shape (...) of a sample; others are refused, whichever back end trains.
    """

    fits = ("weights",)

    def __init__(
        self,
        build: Callable[[], nn.Module],
        recipe: Recipe,
        classes: int,
        device: str = "cpu",
        *,
        compiled: ModuleType | None = None,
        options: Mapping[str, Any] | None = None,
        at_once: bool = False,
        reads: tuple[int, ...] | None = None,
    ) -> None:
        self._build, self._recipe, self._classes, self._reads = build, recipe, classes, reads
        self._device = torch.device(device)
        self._compiled, self._options = compiled, dict(options or {})
        self.at_once = at_once
        if recipe.precision == "mixed" and self._device.type == "cpu":
            note("mixed precision is for a GPU; this is trained in float32", "set train.precision: float32")

    def fit(self, x: Features, y: np.ndarray, *, seed: int) -> State:
        """Train from scratch in mini-batches, their order drawn anew each epoch; the weights of the last epoch.

        Raises Diverged.
        """
        return self.fit_each([Task(x, y, seed, self._recipe.epochs)])[0]

    def fit_each(self, tasks: Sequence[Task]) -> list[State]:
        """``fit`` of each task; tasks that share ``x`` share what is made of it.

        Raises Diverged, and BadInput for samples of another shape than the network reads.
        """
        for task in tasks:
            self._check(task.x)
        together = self.at_once and not any(isinstance(task.x, Rows) for task in tasks)
        groups = [list(tasks)] if together else [[task] for task in tasks]
        prepared: dict[int, Any] = {}
        states: list[State] = []
        for group in groups:
            with _alone(self._device):
                try:
                    states += train(self._steps(group, prepared), group, self._recipe)
                except Diverged as error:
                    raise Diverged(error.epoch, error.which + len(states)) from None
                except torch.OutOfMemoryError:
                    told = f"the GPU's memory does not hold the training of {len(group)} networks at once"
                    raise BadInput(told, "lower folds_per_job, or train.batch") from None
        return states

    def probabilities(self, state: State, x: Features) -> np.ndarray:
        """(n, K) float32. Raises BadInput where the arrays are another network's, or ``x`` is of another shape."""
        self._check(x)
        with _alone(self._device):
            return probabilities(self._restored(state), x, self._classes, self._device)

    def saliency(self, state: State, x: np.ndarray) -> np.ndarray:
        """(n, ...) float32: by how much each value of ``x`` (n, ...) raises the score of the class predicted for it.

        The gradient of the score before the softmax (Simonyan et al. 2014, arXiv:1312.6034) where it is positive.
        Raises BadInput as ``probabilities``.
        """
        from captum.attr import Saliency

        self._check(x)
        with _alone(self._device):
            model = self._restored(state).eval()
            given = features(x, self._device).requires_grad_()
            target = model(given).argmax(-1).detach()
            found = Saliency(model).attribute(given, target, abs=False).clamp(min=0)
        return (found.movedim(1, -1) if x.ndim > 2 else found).detach().cpu().numpy()

    def _restored(self, state: State) -> nn.Module:
        """The model with these weights; building it draws first weights, which are thrown away."""
        model = self._build().to(self._device)
        try:
            model.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
        except RuntimeError as error:
            told = f"the weights do not fit the network: {error}"
            raise BadInput(told, "use the options it was trained with") from None
        return model

    def _check(self, x: Features) -> None:
        if self._reads and x.shape[1:] != self._reads:
            told = f"the network reads samples of {self._reads}, these are of {x.shape[1:]}"
            raise BadInput(told, "use the descriptor that its registration names")

    def _steps(self, group: list[Task], prepared: dict[int, Any]) -> Steps:
        models = []
        for task in group:
            torch.manual_seed(derive(task.seed, "weights"))
            models.append(self._build())
            if hasattr(models[-1], "warm_start"):
                models[-1].warm_start()
        weights = [class_weights(task.y, self._classes, self._recipe.class_weights) for task in group]
        x = group[0].x
        if isinstance(x, Rows):
            return Plain(models[0], group[0], weights[0], self._recipe, self._device)
        if (self._compiled or self.at_once) and hasattr(models[0], "training_loss"):
            raise TypeError("a loss of its own is for the plain loop: register it without compiled or stacked")
        if self._compiled:
            if id(x) not in prepared:  # the tasks hold their arrays: an id stays what it is
                prepared.clear()
                prepared[id(x)] = self._compiled.prepare(x, **self._options)
            ready = prepared[id(x)]
            return Compiled(self._compiled, ready, models[0], group[0], weights[0], self._recipe, self._options)
        if self.at_once:
            return Stacked(models, group, weights, self._recipe, self._device)
        return Plain(models[0], group[0], weights[0], self._recipe, self._device)


@contextmanager
def _alone(device: torch.device) -> Iterator[None]:
    """torch's global generators and one thread to oneself, inside the block only."""
    _keep_freed_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        torch.set_num_threads(threads)


@cache
def _keep_freed_memory() -> None:
    """Ask glibc to keep freed blocks for the next step instead of returning them to the kernel, where there is glibc.

    Each step of a small network frees and asks for the same few megabytes; having the kernel clear them every time is a
    third of an epoch. No result depends on it.
    """
    trim, map_above = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h, in bytes; glibc's limit is 32 MB
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(map_above, 1 << 25)
        mallopt(trim, 1 << 30)
