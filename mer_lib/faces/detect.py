"""Faces in frames: MTCNN with the weights that facenet-pytorch brings, on CPU or GPU.

K. Zhang, Z. Zhang, Z. Li, Y. Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", IEEE Signal Processing Letters 23(10), 2016, doi:10.1109/LSP.2016.2603342.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

_SMALLEST = 0.1  # of the frame's shorter side: smaller faces are not sought (a third of the time goes into them)
_PIXELS = 1 << 22  # of the frames looked at in one go: bounds memory at about 300 MB


@dataclass(frozen=True)
class Face:
    """One face: box (4,) x1, y1, x2, y2, its probability, and landmarks (5, 2), all in pixels x, y.

    The landmarks are the eyes, the tip of the nose and the corners of the mouth, the one on the picture's left first.
    """

    box: np.ndarray
    probability: float
    landmarks: np.ndarray

    @property
    def area(self) -> float:
        return float(np.prod(self.box[2:] - self.box[:2]))


class Detector:
    """Finds all faces of frames; build it once a job. The first frames load it, and torch with it: some seconds."""

    def __init__(self, device: str = "cpu") -> None:
        self._device = device

    @cached_property
    def _mtcnn(self) -> torch.nn.Module:
        import torch

        from mer_lib.faces.nms import import_mtcnn

        return import_mtcnn()(keep_all=True, device=torch.device(self._device)).eval()

    def __call__(self, frames: np.ndarray) -> list[list[Face]]:
        """The faces of each of ``frames`` (N, H, W, 3) uint8 RGB, largest first.

        A face smaller than a tenth of the frame's shorter side is not sought.
        """
        height, width = frames.shape[1:3]
        self._mtcnn.min_face_size = _SMALLEST * min(height, width)
        batch = max(1, _PIXELS // (height * width))
        found = []
        for at in range(0, len(frames), batch):
            boxes, probabilities, points = self._mtcnn.detect(frames[at : at + batch], landmarks=True)
            found += [_faces(*of_frame) for of_frame in zip(boxes, probabilities, points, strict=True)]
        return found


def _faces(boxes: np.ndarray | None, probabilities: np.ndarray, points: np.ndarray | None) -> list[Face]:
    """One frame's faces; landmarks to 1/100 px, so that what threads and device do to the last bits ends here."""
    if boxes is None:
        return []
    return [
        Face(np.asarray(box, np.float32), float(probability), np.round(np.asarray(landmarks, np.float32), 2))
        for box, probability, landmarks in zip(boxes, probabilities, points, strict=True)
    ]
