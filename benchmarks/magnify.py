"""What magnification makes of a movement that is known: how far it gets, how wrong it is, what it does to noise.

Clips of the embedded (synthetic) corpus are rendered with the head held still, so that the exact flow from onset to
apex is the expression alone; sensor noise, flickering light and JPEG stay. Each method magnifies the noisy clip, and
flow (DIS, fine) is measured between its onset and its apex. Flow underestimates small movements, so 'drawn' is the
peer of all: the same face drawn with its movement really that many times as large, and measured in the same way.

gain    measured movement over the true one, projected on it, where the true one is at least half its maximum
kept    gain over that of 'drawn': 1 is a magnification by the factor that was asked for
error   mean length of (measured − factor × true) over factor × mean true length, in the same place
noise   temporal standard deviation of a face that does not move, over that of the clip given

Methods: eulerian with its default bound, with the bound set for the true movement, without any bound; lagrangian.

Example: python benchmarks/magnify.py --clips 2 --strengths 0.5 --factors 10
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pandas as pd

from mer_lib.corpora.synthetic import index
from mer_lib.motion import band
from mer_lib.motion.flow import compute
from mer_lib.motion.gray import to_gray
from mer_lib.motion.magnify import magnify
from mer_lib.render.raster import exact_flow
from mer_lib.render.scene import Renderer
from mer_lib.synth import acting, corpus, filming

CLASSES = ("negative", "positive", "surprise")
UNBOUNDED = 1e-3  # pixels of reach: no level's factor is cut


@dataclass(frozen=True)
class Scene:
    """A clip with its head held still. given, still: (T, H, W, 3) noisy frames of the expression and of the face at
    rest; flow: (H, W, 2) exact, onset to apex, 0 at the wall."""

    given: np.ndarray
    still: np.ndarray
    flow: np.ndarray


def scene(row, strength: float, seed: int, *, pair: bool = False) -> Scene:
    """The clip of a row from onset to offset, or its onset and apex alone, with a largest movement of ``strength``."""
    studio = corpus.make_studio(row.subject, seed=seed)
    take = corpus.plan(row, studio, seed=seed, strength=(strength, strength))
    weights = take.weights.copy()
    weights[:, acting.UNITS.index(45)] = 0  # no blink
    first = np.full(len(weights), row.onset)
    held = filming.HeadMotion(take.motion.angles[first], take.motion.poses[first])
    take = replace(take, weights=weights, gaze=take.gaze[first], motion=held)
    times = [row.onset, row.apex] if pair else list(range(row.onset, row.offset + 1))
    vertices, pose = take.vertices(studio.person, times), held.poses[0]
    with Renderer(studio.camera, studio.person.surface) as renderer:
        clean = [renderer.picture(v, pose, studio.light, studio.wall) for v in vertices]
    sensor, light = filming.Sensor(np.random.default_rng(seed)), take.brightness[times]
    given = np.stack([sensor.expose(picture, factor) for picture, factor in zip(clean, light, strict=True)])
    still = np.stack([sensor.expose(clean[0], factor) for factor in light])
    ends = vertices[[0, 1 if pair else row.apex - row.onset]]
    flow, _ = exact_flow(ends[0], pose, ends[1], pose, studio.person.surface.faces, studio.camera)
    return Scene(given, still, np.nan_to_num(flow))


def movement(frames: np.ndarray, true: np.ndarray, factor: float) -> tuple[float, float]:
    """(gain, error) of the flow between two frames (2, H, W, 3)."""
    gray = to_gray(frames)
    found = compute(gray[:1], gray[1:], flow="dis", preset="fine")[0].astype(float)
    length = np.linalg.norm(true, axis=-1)
    there = length > length.max() / 2
    found, true = found[there], true[there].astype(float)
    gain = (found * true).sum() / (true * true).sum()
    return gain, np.linalg.norm(found - factor * true, axis=1).mean() / (factor * np.linalg.norm(true, axis=1).mean())


def noise(frames: np.ndarray) -> float:
    """Temporal standard deviation in grey levels, mean over pixels; what all of them share is light, and left out."""
    values = frames.astype(np.float32)
    return float((values - values.mean(axis=(1, 2, 3), keepdims=True)).std(axis=0).mean())


def ways(strength: float) -> dict[str, dict]:
    """The methods that are compared, with their options."""
    return {
        "eulerian": {"method": "eulerian"},
        "eulerian, bound for the movement": {"method": "eulerian", "reach": strength},
        "eulerian, no bound": {"method": "eulerian", "reach": UNBOUNDED},
        "lagrangian": {"method": "lagrangian", "flow": "dis", "preset": "fine"},
    }


def measured(row, strength: float, factors: list[float], seed: int) -> list[dict]:
    """A row of figures for each factor and method on one clip."""
    clip, at, rows = scene(row, strength, seed), row.apex - row.onset, []
    chosen = band.choose(row.fps, (row.onset, row.apex, row.offset))
    for factor in factors:
        drawn = scene(row, factor * strength, seed, pair=True).given
        gain, error = movement(drawn, clip.flow, factor)
        common = {"movement": strength, "factor": factor}
        rows.append({**common, "method": "drawn", "gain": gain, "kept": 1.0, "error": error, "noise": 1.0})
        reference = gain
        for name, options in ways(strength).items():
            options = {**options, "factor": factor, "band": chosen, "fps": row.fps}
            begin = time.perf_counter()
            larger = magnify(clip.given, **options)
            spent = 1000 * (time.perf_counter() - begin) / len(larger)
            gain, error = movement(larger[[0, at]], clip.flow, factor)
            louder = noise(magnify(clip.still, **options)) / noise(clip.still)
            figures = {"gain": gain, "kept": gain / reference, "error": error, "noise": louder, "ms_a_frame": spent}
            rows.append({**common, "method": name, **figures})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=6, help="clips, each of another subject (about a minute each)")
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.25, 1.0], help="largest true movement, pixels")
    parser.add_argument("--factors", type=float, nargs="+", default=[5.0, 10.0], help="magnification asked for")
    parser.add_argument("--seed", type=int, default=3, help="of the corpus")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    table = index(".", name="synthetic", classes=CLASSES, subjects=given.clips, clips=1, seed=given.seed)
    found = []
    for number, row in enumerate(table.itertuples(), 1):
        for strength in given.strengths:
            found += measured(row, strength, given.factors, given.seed)
        print(f"{number}/{len(table)} {row.clip}", file=sys.stderr)
    mean = pd.DataFrame(found).groupby(["movement", "factor", "method"], sort=False).mean().round(3)
    print(f"{len(table)} rendered clips of 256 × 256 pixels, head held still; movement in pixels, means over clips")
    print(mean.to_string(na_rep=""))
    rows = mean.reset_index().to_dict("records")
    told = [{name: value for name, value in row.items() if value == value} for row in rows]  # nan is no JSON
    print(json.dumps({"benchmark": "magnify", "corpus": "synthetic", "clips": len(table), "rows": told}))


if __name__ == "__main__":
    main()
