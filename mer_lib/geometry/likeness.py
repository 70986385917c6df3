"""What a head is like, judged by one picture of it: how far it stands out at each pixel, and how muscles may move it.

LIKENESS.md beside this file is the model card. A small network, which learned it from embedded faces, where it is
exact, sees a face's relief in its shading and outline, as more than a mean face's: what registration needs to tell the
head's turning from the skin's moving (:mod:`mer_lib.geometry.parallax`). Only its shape counts there: scale and plane
are found anew in each clip.
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

CELLS = 32  # of the relief, along a side: as many as a face's features need
CROP, SIDE, MARGIN = 128, 64, 0.15  # pixels and margin of the aligned crop, and what the network sees of it
_DIGITS = 3  # thousandths of an interocular distance, found in double: what a processor does to the last bits ends here


def relief_of(gray: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """(H, W) float32 interocular distances that a face stands out towards the camera, but for a plane, in a picture
    (H, W) uint8 of it with these landmarks (5, 2) in pixels."""
    with torch.inference_mode():
        cells = _model()[0](seen(gray, landmarks)[None])[0].numpy()
    return laid(np.round(cells, _DIGITS).astype(np.float32), landmarks, gray.shape)


def movements_of(landmarks: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(M, H, W, 2) float32: where the skin of a face with these landmarks goes by each action unit, in the order of
    ``mer_lib.synth.head.ACTION_UNITS``, the subject's left side and then the right one of each; at most one pixel of an
    aligned crop of 128."""
    place = align.similarity(align.template(CROP, MARGIN), landmarks)
    return np.stack([laid(field, landmarks, shape) for field in _model()[1] @ place[:, :2].T])


def seen(gray: np.ndarray, landmarks: np.ndarray) -> torch.Tensor:
    """The face as the network reads it: (1, 64, 64) float64, aligned, mean 0, deviation 1."""
    place = align.similarity(landmarks, align.template(CROP, MARGIN))
    crop = align.Warp(place, CROP, *gray.shape)(gray)
    return normalised(cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def normalised(crop: np.ndarray) -> torch.Tensor:
    """A crop (64, 64) at mean 0 and deviation 1: (1, 64, 64) float64."""
    level = crop - crop.mean(dtype=float)
    return torch.from_numpy(level / max(float(level.std()), 1.0))[None]


def laid(cells: np.ndarray, landmarks: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Cells (n, n, ...) of an aligned crop where these landmarks are: (H, W, ...) float32."""
    place = align.similarity(align.template(len(cells), MARGIN), landmarks)
    size = shape[1], shape[0]
    return cv2.warpAffine(cells, place, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


class Net(nn.Module):
    """(N, 1, 64, 64) → (N, 32, 32) interocular distances: five convolutions, and how much of each of K shapes they add
    to the mean face."""

    def __init__(self, shapes: int) -> None:
        super().__init__()
        widths = 1, 32, 48, 64, 96, 128
        self.body = trunk(widths, strides=(2, 1, 2, 2, 2))
        self.head = nn.Linear(widths[-1] * (SIDE // 16) ** 2, shapes)
        self.register_buffer("mean", torch.zeros(CELLS, CELLS))
        self.register_buffer("shapes", torch.zeros(shapes, CELLS, CELLS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.mean + torch.einsum("nk,kij->nij", self.head(self.body(x)), self.shapes)


@cache
def _model() -> tuple[Net, np.ndarray]:
    """The network, and the movements (M, 32, 32, 2)."""
    arrays = weights.packaged(Path(__file__).with_suffix(".safetensors"))
    movements = arrays.pop("movements")
    net = Net(len(arrays["shapes"])).eval().double()
    net.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return net, movements
