"""The mean face's relief, from the pictures that the depth network learns from: people whom no corpus shows.

    snakemake --cores 2 depth
    python tools/build_relief.py results/depth/shots/*.h5 mer_lib/geometry/relief.npz

Crops are aligned by their landmarks, so the median depth at each pixel is that of a face.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from mer_lib.geometry.mesh import nearest
from mer_lib.store import Store

SIDE = 32  # cells of the relief, as many as a face's features need
SEEN = 0.5  # share of the pictures that must have depth at a pixel


def mean_relief(paths: list[Path]) -> np.ndarray:
    """(SIDE, SIDE) float32 interocular distances towards the camera from the point between the eyes."""
    depth = []
    for path in paths:
        with Store(path) as shots:
            depth += [shots.read(person, "depth") for person in shots.clips]
    depth = np.concatenate(depth)
    there = np.isfinite(depth).mean(axis=0) > SEEN
    median = np.full(there.shape, np.nan, np.float32)
    median[there] = np.nanmedian(depth[:, there], axis=0)
    smooth = cv2.GaussianBlur(nearest(median), (0, 0), 1.0)
    return -cv2.resize(smooth, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shots", type=Path, nargs="+", help="stores of the stage 'shots'")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    np.savez_compressed(given.out, relief=mean_relief(given.shots).astype(np.float16))


if __name__ == "__main__":
    main()
