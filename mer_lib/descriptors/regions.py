"""Eyes and mouth as two grey videos, cut out by 68 landmarks of the clip's first frame: MicroExpFuseNet's input.

Registered frames hold the head where the first one has it, so one box a clip and region stays on it, and what moves
inside is the face.
"""

from __future__ import annotations

import cv2
import numpy as np

from mer_lib.descriptors.lengths import brought_to
from mer_lib.faces.landmarks68 import checked68
from mer_lib.motion.gray import to_gray
from mer_lib.problems import BadInput, note
from mer_lib.registry import register

SIDE = 32
BOXES = ("wide", "tight")
MARGIN = 0.2  # of a tight region's larger side, on each side of it
_EYES, _MOUTH = [*range(17, 27), *range(36, 48)], slice(48, 68)  # brows and lids, lips
_SMALLEST = 4  # pixels


@register(
    "descriptor",
    "regions32x96",
    reads="registered",
    form="image",
    title="Eyes and mouth, 32×32, 96 frames",
    channels=("eyes", "mouth"),
    paper="Reddy, Karri, Dubey, Mukherjee: Spontaneous facial micro-expression recognition using 3D spatiotemporal "
    "convolutional neural networks (2019)",
    doi="10.48550/arXiv.1904.01390",
)
def regions32x96(
    frames: np.ndarray,
    landmarks: np.ndarray,
    *,
    length: int = 96,
    take: str = "spread",
    boxes: str = "wide",
    doubt: float = 0.15,
) -> np.ndarray:
    """Eyes and mouth in grey at 32×32 each, brought to 96 frames.

    frames: (T, S, S, 3) uint8; landmarks: (T, 5, 2) px, of which the first frame's check the 68; length, take: see
    :func:`mer_lib.descriptors.lengths.brought_to`; boxes: see ``cut``; doubt: interocular distances, see
    :func:`mer_lib.faces.landmarks68.checked68`. Returns (1, length, 32, 32, 2) uint8. Notes where the 68 are not
    believed. Raises BadInput for a clip of one frame, or that ``take`` refuses.
    """
    return regions(frames, landmarks, length, take, boxes, doubt)


@register(
    "descriptor",
    "regions32x18",
    reads="registered",
    form="image",
    title="Eyes and mouth, 32×32, 18 frames",
    channels=("eyes", "mouth"),
    paper="Reddy, Karri, Dubey, Mukherjee: Spontaneous facial micro-expression recognition using 3D spatiotemporal "
    "convolutional neural networks (2019)",
    doi="10.48550/arXiv.1904.01390",
)
def regions32x18(
    frames: np.ndarray,
    landmarks: np.ndarray,
    *,
    length: int = 18,
    take: str = "spread",
    boxes: str = "wide",
    doubt: float = 0.15,
) -> np.ndarray:
    """Eyes and mouth in grey at 32×32 each, brought to 18 frames. As ``regions32x96``."""
    return regions(frames, landmarks, length, take, boxes, doubt)


def regions(frames: np.ndarray, landmarks: np.ndarray, length: int, take: str, boxes: str, doubt: float) -> np.ndarray:
    """(T, S, S, 3) uint8 → (1, length, 32, 32, 2) uint8."""
    grey, videos = to_gray(frames), []
    points, trusted = checked68(frames[:1], landmarks[:1], doubt=doubt)
    if not trusted[0]:
        note(
            "eyes and mouth are cut by the mean face: the 68 landmarks disagree with the detector's five", "look at it"
        )
    for left, top, right, bottom in cut(points[0], boxes, frames.shape[1]):
        parts = [cv2.resize(g[top:bottom, left:right], (SIDE, SIDE), interpolation=cv2.INTER_AREA) for g in grey]
        videos.append(brought_to(np.stack(parts), length, take))
    return np.stack(videos, axis=-1)[None]


def cut(points: np.ndarray, boxes: str, size: int) -> np.ndarray:
    """The regions' boxes in a crop of ``size`` pixels: (2, 4) int, eyes and mouth, left, top, right, bottom, the last
    two excluded.

    points: (68, 2). boxes 'wide': as the authors' code cuts, from jaw to jaw; the eyes from the brow (point 19) down
    to point 1, the mouth from point 2 down to point 6, so that it holds the nose's tip and the cheeks as well. 'tight':
    as the text says, brows and eyes alone, lips alone, and a fifth of the region's larger side around them.
    Raises BadInput for other boxes, and where hardly anything of a region lies inside the crop.
    """
    if boxes not in BOXES:
        raise BadInput(f"no boxes called '{boxes}'", f"one of {', '.join(BOXES)}")
    found = _wide(points) if boxes == "wide" else np.stack([_tight(points[_EYES]), _tight(points[_MOUTH])])
    found = np.clip(np.stack([np.floor(found[:, :2]), np.ceil(found[:, 2:]) + 1], axis=1), 0, size).astype(int)
    if (found[:, 1] - found[:, 0] < _SMALLEST).any():
        raise BadInput("eyes or mouth lie outside the crop", "choose an interval that shows the whole face")
    return found.reshape(2, 4)


def _wide(points: np.ndarray) -> np.ndarray:
    (x1, y1), (x2, y2), (_, y6) = points[[1, 2, 6]]
    return np.array([[x1, points[19, 1], points[15, 0], y1], [x2, y2, points[14, 0], y6]])


def _tight(points: np.ndarray) -> np.ndarray:
    low, high = points.min(axis=0), points.max(axis=0)
    around = MARGIN * (high - low).max()
    return np.concatenate([low - around, high + around])
