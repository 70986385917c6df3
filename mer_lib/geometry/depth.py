"""How deep a face is at every pixel of its crop, and how far that can be trusted.

The network is :mod:`mer_lib.geometry.depth_net`. What it puts near its far end is no face: the last ``EDGE`` of its
range is background, and of what is left the largest piece is kept. The decoder doubles its maps five times and leaves a
faint grid, which is smoothed off: it says nothing of depth and turns every normal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from mer_lib import weights
from mer_lib.geometry.depth_net import STRIDE, DepthNet
from mer_lib.problems import BadInput, note

EDGE = 0.1  # share of the range, at its far end, that stands for 'no face'
# Of the crop's side, sigma of the smoothing: of none, half, this and twice this, the best normals that cost no depth.
# Chosen on the four people that the default run holds out, and the same on twelve others; docs/depth-and-views.md.
_CALM = 1 / 64
_BATCH = 16  # frames held as activations at once
_MIRRORED = 4  # frames of a clip that are looked at in the mirror as well
_SQUARE, _BELOW = 2.4, 0.6  # the face: a square of this side, its middle below the eyes (interocular distances)
_CORE = (0.75, 0.95)  # half axes of an ellipse about the same middle that is face in every frontal picture
_OUTSIDE, _HIDDEN, _DOUBT = 0.15, 0.10, 0.12  # worth telling: shares, and interocular distances (8 mm)


@dataclass(frozen=True)
class DepthModel:
    """A trained network, what its file says of it, and where it runs."""

    net: DepthNet
    card: Mapping[str, Any]
    device: torch.device

    @property
    def edge(self) -> float:
        """Depth in interocular distances beyond which there is no face."""
        return edge(self.net)

    def seen(self, frames: np.ndarray) -> np.ndarray:
        """Depth (n, S, S) float32 of crops (n, S, S, 3) uint8, smooth where a face is, the network's own elsewhere."""
        with torch.inference_mode():
            raw = self.net(as_pictures(frames).to(self.device)).cpu().numpy()
        face, near = raw < self.edge, (0, *(_CALM * side for side in raw.shape[1:]))
        share = ndimage.gaussian_filter(face.astype(np.float32), near)
        calm = ndimage.gaussian_filter(np.where(face, raw, np.float32(0)), near) / np.maximum(share, np.float32(1e-6))
        return np.where(face, calm, raw)


def edge(net: DepthNet) -> float:
    """Depth in interocular distances beyond which ``net`` says that there is no face."""
    return net.far - EDGE * (net.far - net.near)


def load(path: str | Path, device: str | torch.device = "cpu", recipe: str | None = None) -> DepthModel:
    """The model of a file that :mod:`mer_lib.weights` wrote.

    recipe: what must have made it, by its card; None takes any. Raises BadInput for another one, and for a file that
    holds no depth network.
    """
    tensors, card = weights.load(path)
    made = _recipe(card)
    if recipe is not None and made != recipe:
        raise BadInput(
            f"was made by other parameters or code (recipe {made}, expected {recipe})",
            "delete it and run again",
            file=path,
        )
    try:
        near, far, _ = (float(card[name]) for name in ("near", "far", "size"))
        net = DepthNet(near, far)
        net.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise BadInput("holds no depth network", "make one: snakemake depth", file=path) from None
    device = torch.device(device)
    return DepthModel(net.eval().to(device), card, device)


def _recipe(card: Any) -> Any:
    """What made a file, as its card says; None where it does not."""
    made = card.get("made") if isinstance(card, dict) else None
    return made.get("recipe") if isinstance(made, dict) else None


def predict(frames: np.ndarray, landmarks: np.ndarray, model: DepthModel) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Depth of a clip's crops.

    frames: (T, S, S, 3) uint8 RGB, S a multiple of 32; landmarks: (T, 5, 2) pixels. Returns depth (T, S, S) float32 in
    interocular distances along the camera's axis from the point between the pupils, positive away from the camera,
    NaN where no face is; and its quality, (T,) float32 each: ``outside``, share of the face's square beyond the crop;
    ``hidden``, share of the middle of the face where none is seen (a hand, hair, a strong light); ``doubt``, mean
    difference in interocular distances from what the network sees in the mirror, measured on a few frames and
    interpolated. What is worth telling is noted (:mod:`mer_lib.problems`). Raises BadInput for crops of another size
    than the network learned from.
    """
    if frames.shape[1] % STRIDE or frames.shape[1:3] != (model.card["size"],) * 2:
        told = f"crops of {frames.shape[2]} × {frames.shape[1]} pixels, the depth network learned from "
        raise BadInput(f"{told}{model.card['size']}", "set faces.size as it was, or train another: snakemake depth")
    depth = np.concatenate([model.seen(frames[at : at + _BATCH]) for at in range(0, len(frames), _BATCH)])
    looked_at = np.unique(np.linspace(0, len(frames) - 1, _MIRRORED).astype(int))
    mirrored = model.seen(frames[looked_at, :, ::-1])[:, :, ::-1]
    away = [np.abs(d - m)[(d < model.edge) & (m < model.edge)] for d, m in zip(depth[looked_at], mirrored, strict=True)]
    doubt = [float(a.mean()) if len(a) else np.inf for a in away]
    depth = np.stack([_largest(d, model.edge) for d in depth])
    quality = {
        "outside": np.array([_outside(marks, frames.shape[1]) for marks in landmarks]),
        "hidden": np.array([_hidden(d, marks) for d, marks in zip(depth, landmarks, strict=True)]),
        "doubt": np.interp(np.arange(len(frames)), looked_at, doubt),
    }
    _tell(quality)
    return depth, {name: values.astype(np.float32) for name, values in quality.items()}


def of_clip(frames: np.ndarray, landmarks: np.ndarray, model: DepthModel) -> dict[str, np.ndarray]:
    """:func:`predict` as a store holds it: ``depth`` and the qualities."""
    depth, quality = predict(frames, landmarks, model)
    return {"depth": depth, **quality}


def as_pictures(frames: np.ndarray) -> Tensor:
    """(n, S, S, 3) uint8 -> (n, 3, S, S) float32 within 0 and 1."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 255


def _largest(depth: np.ndarray, limit: float) -> np.ndarray:
    """The map (S, S) with NaN everywhere but on its largest connected piece of surface."""
    pieces, count = ndimage.label(depth < limit)
    if not count:
        return np.full_like(depth, np.nan)
    sizes = np.bincount(pieces.ravel())
    return np.where(pieces == 1 + np.argmax(sizes[1:]), depth, np.nan)


def _in_face(marks: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 2) of the crop in interocular distances from the middle of the face, along and across its eyes."""
    across = marks[1] - marks[0]
    along = np.stack([across, [-across[1], across[0]]], axis=1) / max(float(across @ across), 1e-6)
    return (points - marks[:2].mean(axis=0)) @ along - [0, _BELOW]


def _outside(marks: np.ndarray, size: int) -> float:
    """Share of the face's square that lies beyond the crop."""
    steps = (np.arange(16) + 0.5) / 16 * _SQUARE - _SQUARE / 2
    x, y = np.meshgrid(steps, steps + _BELOW)
    across = marks[1] - marks[0]
    points = marks[:2].mean(axis=0) + x[..., None] * across + y[..., None] * np.array([-across[1], across[0]])
    return float(np.mean(((points < 0) | (points > size - 1)).any(axis=-1)))


def _hidden(depth: np.ndarray, marks: np.ndarray) -> float:
    """Share of the middle of the face where there is no surface."""
    rows, columns = np.mgrid[: depth.shape[0], : depth.shape[1]]
    x, y = np.moveaxis(_in_face(marks, np.stack([columns, rows], axis=-1)), -1, 0)
    core = (x / _CORE[0]) ** 2 + (y / _CORE[1]) ** 2 < 1
    return float(np.isnan(depth[core]).mean()) if core.any() else 1.0


def _tell(quality: dict[str, np.ndarray]) -> None:
    worst = {name: float(np.max(values)) for name, values in quality.items()}
    if worst["outside"] > _OUTSIDE:
        told = f"the face lies at the border: up to {worst['outside']:.0%} of it beyond the crop"
        note(told, "its depth ends there; centre the face")
    if worst["hidden"] > _HIDDEN:
        told = f"something hides the face: up to {worst['hidden']:.0%} of its middle has no depth"
        note(told, "look at the clip: hand, hair, glasses or light")
    if worst["doubt"] > _DOUBT:
        told = f"its depth is doubtful: {worst['doubt']:.2f} interocular distances from what the mirror shows"
        note(told, "look at its views before trusting them")
