"""How well registration takes the head's movement out of a clip, and whether it leaves the expression in.

    python benchmarks/registration.py                # a minute and a half on one idle core
    python benchmarks/registration.py --clips 3      # does it run, roughly what comes out

The suite is fixed: rendered clips of 12 frames in which an expression of 2 pixels rises to its apex in the last one
while the head drifts by 2, 5 and 10 pixels of the crop, without and with yaw and roll of up to 3°, under light
that changes by 15 %, with the corpus's noise and JPEG. What the head alone does to each point is known exactly.

residual  median over frames and over skin that the expression does not move (below .1 px): how far a point lies from
          where it was in the first frame. 'best' is the homography fitted to the truth of that skin: a head is no
          plane, so this is what is left to gain. ecc: OpenCV's ECC, a homography too, sought on the head alone, each
          frame from the one before.
motion    end-point error of the flow (tvl1, first frame to apex) on the skin that the expression moves. free: the same
          face with the head held still. after: on the registered clip, against the expression alone, so what
          registration left of the head or took of the expression counts; ecc and best: the same registered by these.
          carried: on the registered clip against where its skin truly goes, what was left of the head included: above
          'free', resampling would have hurt.
kept      the share of the expression that registration does not take for the head (1: all).

Last line: JSON, over all conditions. Synthetic: rendered faces, which says little of people.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"  # before the libraries that read it are imported

# ruff: noqa: E402
import cv2
import numpy as np
import pandas as pd

from mer_lib.geometry.registration import Registered, head_mask, register, warp
from mer_lib.motion.flow import compute
from mer_lib.motion.gray import to_gray
from mer_lib.synth.drifts import Drift, drifting_clips

CONDITIONS = {f"{d} px{f', {a}°' if a else ''}": {"drift": d, "degrees": a} for a in (0, 3) for d in (2, 5, 10)}
ECC = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-6)
ECC_BLUR = 5  # pixels, OpenCV's default


@dataclass(frozen=True)
class Planar:
    """Frames registered by a homography each, (T, 3, 3), as :class:`mer_lib.geometry.registration.Registered`."""

    homography: np.ndarray

    def home(self, t: int, points: np.ndarray) -> np.ndarray:
        """Where points (N, 2) of frame t are brought."""
        return cv2.perspectiveTransform(points[None], self.homography[t])[0]

    def warp(self, t: int, frame: np.ndarray) -> np.ndarray:
        """Frame t, brought to the first."""
        return warp(frame, self.homography[t])


def ecc(clip: Drift) -> Planar:
    """Registered by OpenCV's ECC; where it gives up, the frame before's stays."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip.frames]
    mask, last, found = head_mask(clip.landmarks[0], grey[0].shape), np.eye(3, dtype=np.float32), [np.eye(3)]
    for frame in grey[1:]:
        try:
            last = cv2.findTransformECC(grey[0], frame, last.copy(), cv2.MOTION_HOMOGRAPHY, ECC, mask, ECC_BLUR)[1]
        except cv2.error:
            print("ECC did not converge", file=sys.stderr)
        found.append(np.linalg.inv(last.astype(float)))
    return Planar(np.stack(found))


def best(clip: Drift) -> Planar:
    """Registered by homographies fitted to where the still skin truly is."""
    still = clip.rigid[:, clip.still].astype(float)
    return Planar(np.stack([cv2.findHomography(points, still[0])[0] for points in still]))


def remainder(clip: Drift, method: Registered | Planar, t: int) -> np.ndarray:
    """(S, S, 2) pixels: where frame t shows each point of the head after registration, from where the first does."""
    points = clip.rigid[t].astype(float)
    return method.home(t, points.reshape(-1, 2)).reshape(points.shape) - clip.rigid[0]


def residual(clip: Drift, method: Registered | Planar) -> np.ndarray:
    """Distances in pixels of the still skin, of all frames but the first."""
    left = [remainder(clip, method, t)[clip.still] for t in range(1, len(clip.frames))]
    return np.linalg.norm(np.concatenate(left), axis=-1)


def motion(clip: Drift, apex: np.ndarray, truth: np.ndarray) -> float:
    """Mean end-point error of the flow from the first frame to ``apex``, where the expression moves the skin."""
    flow = compute(to_gray(clip.frames[:1]), to_gray(apex[None]), flow="tvl1")[0]
    return float(np.linalg.norm(flow - truth, axis=-1)[clip.moving].mean())


def kept(clip: Drift, left: np.ndarray) -> float:
    """1 plus the projection of what registration left on the expression, over the expression's own size."""
    expression = clip.motion[clip.moving]
    return 1 + float((left[clip.moving] * expression).sum() / (expression**2).sum())


def measure(clip: Drift) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Distances by method, and figures of the expression."""
    start = time.process_time()
    found = register(clip.frames, clip.landmarks)
    spent = time.process_time() - start
    still = Planar(np.tile(np.eye(3), (len(clip.frames), 1, 1)))
    methods = {"before": still, "after": found, "ecc": ecc(clip), "best": best(clip)}
    last = len(clip.frames) - 1
    left = remainder(clip, found, last)
    seen = {name: method.warp(last, clip.frames[last]) for name, method in methods.items()}
    figures = {
        "free": motion(clip, clip.free, clip.motion),
        **{name: motion(clip, seen[name], clip.motion) for name in ("after", "ecc", "best")},
        "carried": motion(clip, seen["after"], clip.motion + left),
        "kept": kept(clip, left),
        "kept_ecc": kept(clip, remainder(clip, methods["ecc"], last)),
        "ms_frame": 1000 * spent / last,
    }
    return {name: residual(clip, method) for name, method in methods.items()}, figures


def suite(clips: int, seed: int = 1) -> tuple[pd.DataFrame, dict[str, float]]:
    """A row a condition, and the figures over all of them."""
    rows, every, distances = {}, [], []
    for name, condition in CONDITIONS.items():
        print(name, file=sys.stderr)
        measured = [measure(clip) for clip in drifting_clips(clips, **condition, seed=seed)]
        distances.append({of: np.concatenate([found[of] for found, _ in measured]) for of in measured[0][0]})
        figures = pd.DataFrame([found for _, found in measured])
        every.append(figures)
        rows[name] = {f"residual_{of}": np.median(found) for of, found in distances[-1].items()} | dict(figures.mean())
    whole = {f"residual_{of}": np.median(np.concatenate([d[of] for d in distances])) for of in distances[0]}
    rows["all"] = whole | dict(pd.concat(every).mean())
    table = pd.DataFrame(rows).T.rename(
        columns={of: f"motion_epe_{of}" for of in ("free", "after", "ecc", "best", "carried")}
    )
    return table, {name: round(float(value), 4) for name, value in table.loc["all"].items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=8, help="clips a condition, each of another person (up to 16)")
    parser.add_argument("--seed", type=int, default=1, help="other people")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    table, figures = suite(given.clips, given.seed)
    shown = table.rename(columns=lambda name: name.replace("residual_", "").replace("motion_epe_", "epe "))
    print(f"{given.clips} rendered clips a condition; pixels")
    print(shown.to_string(float_format="{:.3f}".format))
    print(json.dumps({"benchmark": "registration", "corpus": "synthetic", "clips": given.clips, **figures}))


if __name__ == "__main__":
    main()
