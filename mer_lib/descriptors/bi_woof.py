"""Bi-weighted oriented optical flow: histograms of direction, weighted inside a block and between blocks."""

from __future__ import annotations

import numpy as np

from mer_lib.descriptors.fields import check_fields
from mer_lib.problems import BadInput
from mer_lib.registry import register


@register(
    "descriptor",
    reads="onset_apex",
    form="vector",
    title="Bi-WOOF",
    paper="Liong, See, Wong, Phan: Less is more: Micro-expression recognition from video using apex frame (2018)",
    doi="10.1016/j.image.2017.11.006",
)
def bi_woof(
    flow: np.ndarray, strain: np.ndarray, *, blocks: int = 5, bins: int = 8, normalise: bool = True
) -> np.ndarray:
    """Histogram of flow directions in each block, each pixel weighted by its magnitude, each block by its mean strain.

    Parameters
    ----------
    flow : (N, H, W, 2) float
        From onset to apex, pixels.
    strain : (N, H, W) float
        Its strain magnitude.
    blocks : int
        Rows and columns of the grid that parts the face; 5 in the authors' released code. Where a side is no multiple
        of it, sizes differ by one pixel and no pixel is left out or counted twice (the authors' blocks overlap).
    bins : int
        Directions: equal sectors of atan2(v, u), the first from −180°. 8 is the best of 1 to 10 in the paper.
    normalise : bool
        As the authors' code does, unlike the paper's equations: each block's histogram has sum 1 before it is weighted
        by strain, and the vector has length 1. False: plain weighted sums, so that strength stays in.

    Returns
    -------
    (N, blocks · blocks · bins) float32
        Block rows from the top, in each the columns from the left, in each the bins. All 0 where nothing moves.

    Raises
    ------
    BadInput
        More blocks than pixels; flow and strain that do not fit each other or are not finite.
    """
    check_fields(flow, strain)
    count, height, width = strain.shape
    if not 1 <= blocks <= min(height, width) or bins < 1:
        raise BadInput(
            f"{blocks}×{blocks} blocks of {bins} bins on {width}×{height} pixels",
            "give at least 1 of both and at most one block a pixel",
        )
    u, v = flow[..., 0].astype(np.float64), flow[..., 1].astype(np.float64)
    sector = np.floor((np.arctan2(v, u) / np.pi + 1) / 2 * bins).astype(int) % bins  # % bins: +180° is −180°
    block = np.add.outer(np.arange(height) * blocks // height * blocks, np.arange(width) * blocks // width)
    block = block + np.arange(count)[:, None, None] * blocks**2

    cells = count * blocks**2
    histograms = np.bincount((block * bins + sector).ravel(), np.hypot(u, v).ravel(), minlength=cells * bins)
    histograms = histograms.reshape(cells, bins)
    mean_strain = np.bincount(block.ravel(), strain.ravel(), minlength=cells) / np.bincount(block.ravel())
    if normalise:
        histograms = _unit(histograms, histograms.sum(axis=1, keepdims=True))
    features = (histograms * mean_strain[:, None]).reshape(count, blocks**2 * bins)
    if normalise:
        features = _unit(features, np.linalg.norm(features, axis=1, keepdims=True))
    return features.astype(np.float32)


def _unit(values: np.ndarray, size: np.ndarray) -> np.ndarray:
    return np.divide(values, size, out=np.zeros(values.shape), where=size > 0)
