"""How like the true view a rendered one is, and whether the expression in it moves as it does in the true one.

Faces of the embedded (synthetic) corpus at rest and with an expression, photographed from the front and, for the truth,
from each side too. The frontal pair is turned by its depth; both are cropped by the landmarks of what they show.

psnr, ssim   of the rendered against the true view, over the face that the true one shows; psnr_all: over the crop
shown        share of that face of which the rendered view shows anything; psnr_shown: over this part
epe          mean length of (flow measured in the rendered view − exact flow of the true view), where the face moves
of_motion    that over the mean length of the exact flow there
epe_true     the same with the flow measured in the true view: what the flow method itself leaves

Depths: true; that of a network (--depth FILE); and as peers the mean face (of the other people) and a plane.

Example: python benchmarks/views.py --people 2 --depth results/depth/depth.safetensors
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from skimage.metrics import structural_similarity

from mer_lib.geometry.relief import Relief, relief
from mer_lib.geometry.views import YAWS, film
from mer_lib.motion.flow import compute
from mer_lib.motion.gray import to_gray
from mer_lib.synth.pairs import PEOPLE, Sides, exact_sides


def depths(sides: list[Sides], k: int, network: Path | None) -> dict[str, np.ndarray]:
    """The depths (2, S, S) that person k is turned by, by name."""
    true = sides[k].depth
    others = np.stack([other.depth[0] for at, other in enumerate(sides) if at != k])
    with warnings.catch_warnings():  # a pixel where nobody's face is
        warnings.simplefilter("ignore", RuntimeWarning)
        mean = np.where(np.isfinite(others).mean(axis=0) > 0.5, np.nanmean(others, axis=0), np.nan)
    found = {"true": true, "mean face": np.stack([mean, mean]), "plane": np.where(np.isfinite(true), 0, np.nan)}
    if network:
        from mer_lib.geometry import depth

        found["network"], _ = depth.predict(sides[k].frames, sides[k].landmarks, depth.load(network))
    return {name: values.astype(np.float32) for name, values in found.items()}


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Peak signal to noise ratio in decibels of two sets of grey levels."""
    return float(10 * np.log10(255**2 / np.square(one.astype(float) - other).mean()))


def covered(surface: Relief, size: int) -> np.ndarray:
    """Where the views show the surface, (V, S, S) bool: a white one before black."""
    white = np.zeros((1, size, size, 3), np.uint8)
    white[0, surface.shape.at[:, 0], surface.shape.at[:, 1]] = 255
    return film(surface, white, YAWS)[:, 0, ..., 0] > 127


def measured(shown: np.ndarray, there: np.ndarray, sides: Sides, view: int, flow: str) -> dict[str, float]:
    """The figures of one rendered view (2, S, S, 3) that shows the surface at ``there`` (S, S)."""
    true, face, moving = sides.pictures[view], sides.face[view], sides.moving[view]
    _, similar = structural_similarity(true[0], shown[0], channel_axis=-1, full=True)
    exact = sides.flow[view][moving]
    errors = {}
    for name, pair in (("epe", shown), ("epe_true", true)):
        grey = to_gray(pair)
        errors[name] = np.linalg.norm(compute(grey[:1], grey[1:], flow=flow)[0][moving] - exact, axis=1).mean()
    motion = np.linalg.norm(exact, axis=1).mean()
    return {
        "psnr": psnr(true[0][face], shown[0][face]),
        "ssim": similar[face].mean(),
        "psnr_all": psnr(true[0], shown[0]),
        "shown": there[face].mean(),
        "psnr_shown": psnr(true[0][face & there], shown[0][face & there]),
        "motion": motion,
        **errors,
        "of_motion": errors["epe"] / motion,
        "of_motion_true": errors["epe_true"] / motion,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=8, help=f"faces, 2 to {PEOPLE}")
    parser.add_argument("--amount", type=float, default=2.0, help="pixels, largest movement of the expression")
    parser.add_argument("--depth", type=Path, help="a trained depth network")
    parser.add_argument("--fov", type=float, help="degrees that the renderer takes the crop to see; else the true ones")
    parser.add_argument("--flow", default="tvl1", help="how motion is measured")
    parser.add_argument("--size", type=int, default=128, help="pixels of the crop")
    parser.add_argument("--seed", type=int, default=1, help="other people, expressions and noise")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    sides = []
    for k in range(given.people):
        sides.append(exact_sides(k, YAWS, size=given.size, amount=given.amount, seed=given.seed))
        print(f"photographed {k + 1}/{given.people}", file=sys.stderr)
    rows = []
    for k, truth in enumerate(sides):
        for name, depth in depths(sides, k, given.depth).items():
            surface = relief(truth.frames, depth, truth.landmarks, yaws=YAWS, fov=given.fov or truth.fov)
            shown, there = film(surface, truth.frames, YAWS), covered(surface, given.size)
            for view, yaw in enumerate(YAWS):
                figures = measured(shown[view], there[view], truth, view, given.flow)
                rows.append({"person": k, "depth": name, "angle": abs(yaw), **figures})
        print(f"rendered {k + 1}/{given.people}", file=sys.stderr)
    table = pd.DataFrame(rows).drop(columns="person").groupby(["depth", "angle"], sort=False).mean()
    print(f"{given.people} rendered faces, {given.size} × {given.size} pixels, means over people and both sides")
    print(table.round(3).to_string())
    told = table.astype(float).round(4).reset_index().to_dict("records")
    options = {"people": given.people, "size": given.size, "amount": given.amount, "flow": given.flow, "fov": given.fov}
    print(json.dumps({"benchmark": "views", "corpus": "synthetic", **options, "rows": told}))


if __name__ == "__main__":
    main()
