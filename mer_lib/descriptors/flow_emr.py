"""Flow to the apex of magnified micro- and half-way up reduced macro-expressions: what paper D's network reads."""

from __future__ import annotations

import cv2
import numpy as np

from mer_lib.descriptors.fields import check_fields
from mer_lib.registry import register


@register(
    "descriptor",
    reads="emr",
    form="image",
    title="Flow after magnification and reduction, 128×128",
    channels=("u", "v", "length"),
    paper="Liu, Du, Zheng, Gedeon: A neural micro-expression recognizer (2019)",
    doi="10.1109/FG.2019.8756583",
)
def flow_emr(flow: np.ndarray, strain: np.ndarray, *, side: int = 128) -> np.ndarray:
    """Horizontal flow, vertical flow and its length, in pixels of a picture of ``side`` pixels.

    flow: (1, H, W, 2) px; strain: (1, H, W), not used. Returns (1, side, side, 3) float16. The paper gives no channels:
    three, because ImageNet's weights have three.
    """
    check_fields(flow, strain)
    field = resized(flow[0], side)
    return np.dstack([field, np.linalg.norm(field, axis=-1)]).astype(np.float16)[None]


def resized(field: np.ndarray, side: int) -> np.ndarray:
    """Flow (H, W, 2) in pixels → (side, side, 2) in pixels of the new picture, averaged over areas."""
    height, width = field.shape[:2]
    scale = np.array([side / width, side / height], np.float32)
    return cv2.resize(field.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA) * scale
