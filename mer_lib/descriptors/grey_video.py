"""The whole face as a grey video of a fixed number of frames: what networks of whole clips read."""

from __future__ import annotations

import cv2
import numpy as np

from mer_lib.descriptors.lengths import brought_to
from mer_lib.motion.gray import to_gray
from mer_lib.registry import register


@register(
    "descriptor",
    "grey64x96",
    reads="registered",
    form="image",
    title="Grey video, 64×64, 96 frames",
    channels=("grey",),
    paper="Reddy, Karri, Dubey, Mukherjee: Spontaneous facial micro-expression recognition using 3D spatiotemporal "
    "convolutional neural networks (2019)",
    doi="10.48550/arXiv.1904.01390",
)
def grey64x96(frames: np.ndarray, *, length: int = 96, take: str = "spread") -> np.ndarray:
    """Registered frames in grey at 64×64, brought to 96: MicroExpSTCNN's input for CAS(ME)².

    frames: (T, S, S, 3) uint8; length, take: see :func:`mer_lib.descriptors.lengths.brought_to`.
    Returns (1, length, 64, 64, 1) uint8. Raises BadInput for a clip of one frame, or that ``take`` refuses.
    """
    return grey_video(frames, 64, length, take)


@register(
    "descriptor",
    "grey64x18",
    reads="registered",
    form="image",
    title="Grey video, 64×64, 18 frames",
    channels=("grey",),
    paper="Reddy, Karri, Dubey, Mukherjee: Spontaneous facial micro-expression recognition using 3D spatiotemporal "
    "convolutional neural networks (2019)",
    doi="10.48550/arXiv.1904.01390",
)
def grey64x18(frames: np.ndarray, *, length: int = 18, take: str = "spread") -> np.ndarray:
    """Registered frames in grey at 64×64, brought to 18: MicroExpSTCNN's input for SMIC HS. As ``grey64x96``."""
    return grey_video(frames, 64, length, take)


@register(
    "descriptor",
    "grey128x12",
    reads="registered",
    form="image",
    title="Grey video, 128×128, 12 frames",
    channels=("grey",),
    paper="Takalkar, Xu: Image based facial micro-expression recognition using deep learning on small datasets (2017)",
    doi="10.1109/DICTA.2017.8227443",
)
def grey128x12(frames: np.ndarray, *, length: int = 12, take: str = "spread") -> np.ndarray:
    """Registered frames in grey at 128×128, brought to 12: pictures for a network of pictures. As ``grey64x96``."""
    return grey_video(frames, 128, length, take)


def grey_video(frames: np.ndarray, side: int, length: int, take: str) -> np.ndarray:
    """(T, S, S, 3) uint8 → (1, length, side, side, 1) uint8, each pixel the mean of those that it stands for."""
    small = [cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in to_gray(frames)]
    return brought_to(np.stack(small), length, take)[None, ..., None]
