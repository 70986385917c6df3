"""Flow and strain from onset to apex as small pictures: what STSTNet, OFF-ApexNet and their successors read.

28×28 in most papers; 60×60 and, in 8 bits, 224×224 for networks that were made for such sizes.
"""

from __future__ import annotations

import cv2
import numpy as np

from mer_lib.descriptors.fields import check_fields
from mer_lib.problems import BadInput
from mer_lib.registry import register

SIDE = 28
SCALINGS = ("image", "none")


@register(
    "descriptor",
    reads="onset_apex",
    form="image",
    title="Flow and strain at 28×28",
    channels=("u", "v", "strain"),
    paper="Liong, Gan, See, Khor, Huang: Shallow triple stream three-dimensional CNN (STSTNet) (2019)",
    doi="10.1109/FG.2019.8756567",
)
def flow28(flow: np.ndarray, strain: np.ndarray, *, scaling: str = "image") -> np.ndarray:
    """Horizontal flow, vertical flow and strain, averaged over areas to 28×28.

    Parameters
    ----------
    flow : (N, H, W, 2) float
        From onset to apex, pixels.
    strain : (N, H, W) float
        Its strain magnitude.
    scaling : str
        'image' stretches each channel of each clip to 0–255, as the authors' published inputs are: their weights, and
        any method tuned on those inputs, expect this, and strong and weak expressions come out alike. What it loses:
        strength, and which grey means 'no motion' (it differs from clip to clip). A channel without contrast becomes 0.
        'none' keeps pixels (u, v) and strain.

    Returns
    -------
    (N, 28, 28, 3) float32
        Channels in the order of the paper: u, v, strain. (The authors' PyTorch code reads strain, v, u.)

    Raises
    ------
    BadInput
        Unknown scaling; flow and strain that do not fit each other or are not finite.
    """
    return _at(SIDE, flow, strain, scaling)


@register(
    "descriptor",
    reads="onset_apex",
    form="image",
    title="Flow and strain at 60×60",
    channels=("u", "v", "strain"),
    paper="Xia, Peng, Khor, Feng, Zhao: Revealing the invisible with model and data shrinking for composite-database "
    "micro-expression recognition (2020)",
    doi="10.1109/TIP.2020.3018222",
)
def flow60(flow: np.ndarray, strain: np.ndarray, *, scaling: str = "image") -> np.ndarray:
    """As ``flow28``, at 60×60: (N, 60, 60, 3) float32."""
    return _at(60, flow, strain, scaling)


@register(
    "descriptor",
    reads="onset_apex",
    form="image",
    title="Flow and strain at 224×224",
    channels=("u", "v", "strain"),
    paper="Khor, See, Liong, Phan, Lin: Dual-stream shallow networks for facial micro-expression recognition (2019)",
    doi="10.1109/ICIP.2019.8802965",
)
def flow224(flow: np.ndarray, strain: np.ndarray) -> np.ndarray:
    """As ``flow28`` scaled to 'image', at 224×224 and rounded to 8 bits: (N, 224, 224, 3) uint8."""
    return np.rint(_at(224, flow, strain, "image")).astype(np.uint8)


def _at(side: int, flow: np.ndarray, strain: np.ndarray, scaling: str) -> np.ndarray:
    """u, v and strain at one size, (N, side, side, 3) float32: means over areas, or interpolated where it is larger."""
    if scaling not in SCALINGS:
        raise BadInput(f"no scaling '{scaling}'", f"one of {', '.join(SCALINGS)}")
    check_fields(flow, strain)
    images = np.empty((len(flow), side, side, 3), np.float32)
    how = cv2.INTER_AREA if side <= min(strain.shape[1:]) else cv2.INTER_LINEAR
    for n in range(len(flow)):
        channels = np.dstack([flow[n], strain[n]]).astype(np.float32)
        images[n] = cv2.resize(channels, (side, side), interpolation=how)
    return stretch(images) if scaling == "image" else images


def stretch(images: np.ndarray) -> np.ndarray:
    """Each channel of each image to 0–255: (N, H, W, C) float32 → the same; a constant channel becomes 0."""
    low = images.min(axis=(1, 2), keepdims=True)
    span = images.max(axis=(1, 2), keepdims=True) - low
    return np.divide(255 * (images - low), span, out=np.zeros_like(images), where=span > 0)
