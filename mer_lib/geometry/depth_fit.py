"""The depth network learns: paper A's recipe on shots of 3-D faces, people apart, beside the mean face.

Smooth L1 (eq. 2, whose second case is |x| − ½), Adam, a rate that stays for half of the epochs and then falls
geometrically. The paper splits its models 90/10; here people are split, so that no face is on both sides. The baseline
is the mean depth of the training shots at each pixel: crops are aligned, so that it knows a face quite well.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from mer_lib.geometry.depth import DepthModel, as_pictures, edge
from mer_lib.geometry.depth_draws import drawn
from mer_lib.geometry.depth_error import errors, mean_errors
from mer_lib.geometry.depth_net import STRIDE, DepthNet
from mer_lib.models.resnet import load_imagenet
from mer_lib.problems import BadInput
from mer_lib.store import Store

EMBEDDED = "embedded/"  # how the names of rendered people begin; those of scanned ones with their set
_RISING = 20  # steps until the learning rate is up

log = logging.getLogger(__name__)


class Shots:
    """The shots of many stores, read one by one when they are needed; use it with ``with``."""

    def __init__(self, paths: Sequence[str | Path], recipe: str | None = None) -> None:
        self._open = ExitStack()
        self.stores = [self._open.enter_context(Store(path, recipe)) for path in paths]
        self.people = [(store, person) for store in self.stores for person in store.clips]

    def __enter__(self) -> Shots:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def of(self, people: Sequence[int]) -> list[tuple[int, int]]:
        """(person, shot) of all shots of these people."""
        found = []
        for at in people:
            store, person = self.people[at]
            begin, end = store.offsets("depth")[store.clips.index(person) :][:2]
            found += [(at, shot) for shot in range(end - begin)]
        return found

    def read(self, at: tuple[int, int], name: str) -> np.ndarray:
        """One array of a shot: ``frames`` (S, S, 3), ``depth`` (S, S), ``landmarks`` (5, 2)."""
        store, person = self.people[at[0]]
        return store.read(person, name, at[1], at[1] + 1)[0]


def split(people: int, held_out: float, seed: int) -> tuple[list[int], list[int]]:
    """Positions of the people to learn from and of those to test on: a share of them, one at least.

    Raises BadInput where fewer than two are there.
    """
    if people < 2:
        raise BadInput(f"{people} people to learn depth from", "raise scans.people: one at least is held out")
    order = np.random.default_rng(seed).permutation(people)
    count = min(people - 1, max(1, round(held_out * people)))
    return sorted(order[count:].tolist()), sorted(order[:count].tolist())


@dataclass(frozen=True)
class Fitted:
    """A trained network with its mean face (S, S), figures on those held out, the curve, and who was held out."""

    model: DepthModel
    mean: np.ndarray
    figures: dict[str, Any]
    curve: list[dict[str, float]]
    held_out: list[int]

    def tensors(self) -> dict[str, np.ndarray]:
        """The network's arrays by name, as its file holds them."""
        return {name: tensor.cpu().numpy() for name, tensor in self.model.net.state_dict().items()}


def fit(
    shots: Shots,
    *,
    near: float,
    far: float,
    threshold: float,
    lr: float,
    lr_last: float,
    batch: int,
    epochs: int,
    held_out: float,
    seed: int,
    imagenet: str = "",
    device: str | torch.device = "cpu",
    told: Callable[[str], None] = log.info,
) -> Fitted:
    """Train on all people but a share of ``held_out``, test on these.

    near, far: interocular distances that the sigmoid's ends stand for; threshold: interocular distances at which the
    loss goes over from squares to lines; lr, lr_last: Adam's rate at first and at the end; imagenet: file of weights
    for the encoder, or "". Raises BadInput for too few people, a bad file, or a training that diverges.
    """
    learn, test = split(len(shots.people), held_out, seed)
    rng = np.random.default_rng([seed, 1])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = DepthNet(near, far)
    digest = load_imagenet(net.encoder, imagenet) if imagenet else ""
    device = torch.device(device)
    net, todo = net.to(device), shots.of(learn)
    size = len(shots.read(todo[0], "depth"))
    if size % STRIDE:
        raise BadInput(f"faces.size is {size}", f"the depth network needs a multiple of {STRIDE}")
    total = epochs * -(-len(todo) // batch)
    optimiser = torch.optim.Adam(net.parameters(), lr)
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: share_of_rate(step, total, lr_last / lr))
    curve = []
    for epoch in range(1, epochs + 1):
        net.train()
        losses = []
        order = rng.permutation(len(todo))
        for begin in range(0, len(order), batch):
            pictures, truth = _batch(shots, [todo[at] for at in order[begin : begin + batch]], far, edge(net), rng)
            loss = smooth_l1_loss(net(pictures.to(device)), truth.to(device), beta=threshold)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            rate.step()
            losses.append(float(loss.detach()))
        if not np.isfinite(losses[-1]):
            raise BadInput(f"the depth network diverged in epoch {epoch}", "lower depth.lr")
        curve.append({"epoch": epoch, "loss": round(float(np.mean(losses)), 6)})
        told(f"epoch {epoch} of {epochs}: loss {curve[-1]['loss']:.4f}")
    model = DepthModel(net.eval(), {"near": near, "far": far, "size": size, "imagenet": digest}, device)
    mean = mean_face(shots, shots.of(learn), edge(net), far)
    figures = {
        "network": _tested(shots, shots.of(test), model),
        "mean_face": _tested(shots, shots.of(test), model, mean),
    }
    told_of = {
        "people": len(learn),
        "shots": len(todo),
        "people_held_out": len(test),
        "shots_held_out": len(shots.of(test)),
        "steps": total,
        "imagenet": bool(digest),
        "embedded": all(name.startswith(EMBEDDED) for _, name in shots.people),
    }
    return Fitted(model, mean, figures | told_of, curve, test)


def share_of_rate(step: int, total: int, last: float) -> float:
    """The factor on the first rate in a step of ``total``: 1 for half of them, then falling geometrically to ``last``;
    rising to 1 over the first few, because Adam's first steps would throw a fresh sigmoid onto its ends."""
    rising = min(1.0, (step + 1) / _RISING)
    return rising * last ** (max(0, step - total // 2) / max(1, total - total // 2))


def target(depth: np.ndarray, far: float, limit: float) -> np.ndarray:
    """What the network is to say: no face, and what lies deeper than ``limit``, is at ``far``."""
    return np.where(np.isnan(depth) | (depth > limit), np.float32(far), depth)


def mean_face(shots: Shots, which: Sequence[tuple[int, int]], limit: float, far: float) -> np.ndarray:
    """(S, S) float32: the mean depth at each pixel of the shots whose face covers it, ``far`` where fewer than half
    do."""
    total, seen = 0.0, 0
    for at in which:
        depth = shots.read(at, "depth")
        there = depth < limit
        total, seen = total + np.where(there, depth, 0), seen + there
    return np.where(2 * seen >= len(which), total / np.maximum(seen, 1), far).astype(np.float32)


def _batch(shots: Shots, which, far: float, limit: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    pairs = [drawn(shots.read(at, "frames"), shots.read(at, "depth"), rng) for at in which]
    truth = np.stack([target(depth, far, limit) for _, depth in pairs]).astype(np.float32)
    return as_pictures(np.stack([frame for frame, _ in pairs])), torch.from_numpy(truth)


def _tested(shots: Shots, which: Sequence[tuple[int, int]], model: DepthModel, mean: np.ndarray | None = None):
    """Mean errors over shots, of the network or of a mean face."""
    rows = []
    for at in which:
        found = model.seen(shots.read(at, "frames")[None])[0] if mean is None else mean
        marks = shots.read(at, "landmarks")
        pitch = 1 / float(np.linalg.norm(marks[1] - marks[0]))
        rows.append(errors(found, shots.read(at, "depth"), model.edge, pitch))
    return mean_errors(rows)
