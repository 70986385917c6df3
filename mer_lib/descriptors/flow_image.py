"""Flow from onset to apex as one picture of 224×224 pixels in colours: what MJFN, and AlexNet beside it, read."""

from __future__ import annotations

import cv2
import numpy as np

from mer_lib.descriptors.fields import check_fields
from mer_lib.motion.colour import encode
from mer_lib.registry import register

SIDE = 224


@register(
    "descriptor",
    reads="onset_apex",
    form="image",
    title="Flow in colours at 224×224",
    channels=("red", "green", "blue"),
    paper="Li, Wei, Wang, Zhou: Multi-scale joint feature network for micro-expression recognition (2021)",
    doi="10.1007/s41095-021-0217-9",
)
def flow_image(flow: np.ndarray) -> np.ndarray:
    """Direction as hue, length as strength of colour, in proportion to the clip's longest flow (eq. 5 and 6).

    The field is brought to size before it is coded: means of directions, not of hues, which are a circle.

    flow: (N, H, W, 2) pixels.
    Returns (N, 224, 224, 3) uint8, RGB; white where nothing moves.
    """
    check_fields(flow)
    fields = np.empty((len(flow), SIDE, SIDE, 2), np.float32)
    larger = max(flow.shape[1:3]) > SIDE
    for n, field in enumerate(flow):
        how = cv2.INTER_AREA if larger else cv2.INTER_LINEAR
        fields[n] = cv2.resize(field.astype(np.float32), (SIDE, SIDE), interpolation=how)
    return encode(fields)
