"""68 points on the aligned face: a small network that learned them from embedded faces, where they are exact.

LANDMARKS68.md beside this file is its model card. Detectors give five points; regions of a face want its brows, lids
and lips. Published networks for them rest on pictures whose terms bar some uses; this one rests on none.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from mer_lib import weights
from mer_lib.faces import align
from mer_lib.faces.trunk import trunk
from mer_lib.problems import BadInput

CROP, SIDE = 128, 64  # pixels: the crop that points are learned in, and what the network sees of it
POINTS = 68
_BATCH = 64


def checked68(frames: np.ndarray, five: np.ndarray, *, doubt: float) -> tuple[np.ndarray, np.ndarray]:
    """The 68 points of aligned faces, held against the five of a detector.

    frames: (N, S, S, 3) uint8 RGB; five: (N, 5, 2) px of the crop; doubt: mean distance between the detector's points
    and the same of the 68, in interocular distances, above which the 68 are taken for wrong. Two detectors differ by
    .02 to .09 on real faces. Returns the points (N, 68, 2) float32 and whether they are the network's, (N,) bool; where
    they are not, the mean face stands there, brought to the five by a similarity. Raises BadInput as ``landmarks68``.
    """
    points = landmarks68(frames)
    apart = np.linalg.norm(five_of(points) - five, axis=2).mean(axis=1)
    trusted = apart <= doubt * np.linalg.norm(five[:, 1] - five[:, 0], axis=1)
    mean = _net().mean.numpy()
    for n in np.flatnonzero(~trusted):
        points[n] = align.transform(align.similarity(five_of(mean[None])[0], five[n]), mean)
    return points, trusted


def five_of(points: np.ndarray) -> np.ndarray:
    """What a detector gives, (N, 5, 2), out of (N, 68, 2): eyes, tip of the nose, corners of the mouth."""
    eyes = [points[:, 36:42].mean(axis=1), points[:, 42:48].mean(axis=1)]
    return np.stack([*eyes, points[:, 30], points[:, 48], points[:, 54]], axis=1)


def landmarks68(frames: np.ndarray) -> np.ndarray:
    """iBUG's 68 points of aligned faces.

    frames: (N, S, S, 3) uint8 RGB, crops as ``faces`` and ``registered`` hold them (margin .15). Returns (N, 68, 2)
    float32, x and y in pixels of the crop: 0–16 jaw, 17–26 brows, 27–35 nose, 36–47 eyes, 48–67 mouth; those named
    right stand first, at the picture's left. Points that the head hides are where they would be seen through it.
    Raises BadInput for frames of another shape.
    """
    if frames.ndim != 4 or frames.dtype != np.uint8 or frames.shape[1] != frames.shape[2] or frames.shape[3] != 3:
        raise BadInput(f"frames of shape {frames.shape} and type {frames.dtype}", "give crops (N, S, S, 3) in 8 bits")
    found = np.empty((len(frames), POINTS, 2), np.float32)
    with torch.inference_mode():
        for at in range(0, len(frames), _BATCH):
            found[at : at + _BATCH] = _net()(normalised(frames[at : at + _BATCH])).numpy()
    return (found + 0.5) * (frames.shape[1] / CROP) - 0.5


def normalised(frames: np.ndarray) -> torch.Tensor:
    """Crops (N, S, S) or (N, S, S, 3) uint8 as the network reads them: (N, 1, 64, 64), grey, mean 0, deviation 1."""
    small = np.empty((len(frames), 1, SIDE, SIDE), np.float32)
    for n, frame in enumerate(frames):
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) if frame.ndim == 3 else frame
        small[n, 0] = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    small -= small.mean(axis=(2, 3), keepdims=True)
    return torch.from_numpy(small / np.maximum(small.std(axis=(2, 3), keepdims=True), 1))


class Net(nn.Module):
    """(N, 1, 64, 64) → (N, 68, 2) pixels of a crop of 128: five convolutions, and what they add to the mean face."""

    def __init__(self) -> None:
        super().__init__()
        widths = 1, 24, 32, 64, 96, 128
        self.body = trunk(widths, strides=(2, 2, 1, 2, 2))
        self.head = nn.Linear(widths[-1] * (SIDE // 16) ** 2, 2 * POINTS)
        self.register_buffer("mean", torch.zeros(POINTS, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.mean + CROP / 8 * self.head(self.body(x)).unflatten(1, (POINTS, 2))


@cache
def _net() -> Net:
    arrays = weights.packaged(Path(__file__).with_suffix(".safetensors"))
    net = Net().eval()
    net.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return net
