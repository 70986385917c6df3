"""How far from the true apex each spotting method lands, on the embedded (synthetic) corpus as the pipeline sees it.

Clips are rendered with all that disturbs (drifting head, blinks, gaze, light, noise, JPEG), the face is cropped and
registered from onset to offset, and every method names its apex. 'middle' is half way from onset to offset and looks
at nothing: what a method must beat. ASR is the share of clips within the tolerance. Figures of rendered faces: they
tell the methods apart, and say nothing of people.

Example: python benchmarks/apex.py --clips 12
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator

import numpy as np
import torch

from mer_lib.corpora.synthetic import index
from mer_lib.faces.crop import crop_clip
from mer_lib.faces.detect import Detector
from mer_lib.geometry.registration import register
from mer_lib.render.scene import Renderer
from mer_lib.spotting.apex import METHODS, spot_apex
from mer_lib.synth import corpus

TOLERANCE = 0.1  # of the interval
CLASSES = ("negative", "positive", "surprise")


class Filmed:
    """Frames in memory as a source that ``crop_clip`` reads."""

    def __init__(self, frames: np.ndarray) -> None:
        self._frames, self.height, self.width = frames, *frames.shape[1:3]

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[np.ndarray]:
        return iter(self._frames[start:stop:step])


def registered(row, detector: Detector, seed: int) -> np.ndarray:
    """The clip of a row from onset to offset, filmed, cropped and registered: (T, 128, 128, 3)."""
    studio = corpus.make_studio(row.subject, seed=seed)
    take = corpus.plan(row, studio, seed=seed)
    with Renderer(studio.camera, studio.person.surface) as renderer:
        frames = np.stack(list(corpus.film(take, studio, renderer, seed=seed)))
    face = crop_clip(Filmed(frames), row.onset, row.offset + 1, detector)
    return register(face.frames, face.landmarks).frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=48, help="clips to render, two a subject (about 4 s each)")
    parser.add_argument("--seed", type=int, default=11, help="of the corpus; the methods were chosen on seed 1")
    parser.add_argument("--flow", default="tvl1", help="a registered flow (mer list flows)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    subjects = -(-given.clips // 2)
    rows = index(".", name="synthetic", classes=CLASSES, subjects=subjects, clips=2, seed=given.seed).head(given.clips)
    detector, errors, lengths = Detector("cpu"), {name: [] for name in (*METHODS, "middle")}, []
    seconds = dict.fromkeys(errors, 0.0)
    for number, row in enumerate(rows.itertuples(), 1):
        frames = registered(row, detector, given.seed)
        lengths.append(len(frames))
        for name in errors:
            begin = time.perf_counter()
            at = len(frames) // 2 if name == "middle" else spot_apex(frames, flow=given.flow, method=name)[0]
            seconds[name] += time.perf_counter() - begin
            errors[name].append(at - (row.apex - row.onset))
        print(f"{number}/{len(rows)} {row.clip}", file=sys.stderr)
    told = {name: figures(np.array(errors[name]), np.array(lengths)) for name in errors}
    print(f"{len(rows)} rendered clips, {np.mean(lengths):.0f} frames in the mean, flow {given.flow}")
    print(f"{'method':10}{'MAE':>7}{'median':>8}{'bias':>7}{'ASR':>7}{'ms a frame':>12}")
    for name, row in told.items():
        row["ms_a_frame"] = round(1000 * seconds[name] / sum(lengths), 2)
        print(
            f"{name:10}{row['mae']:7.2f}{row['median']:8.1f}{row['bias']:7.1f}{row['asr']:7.2f}{row['ms_a_frame']:12.1f}"
        )
    print(json.dumps({"benchmark": "apex", "corpus": "synthetic", "clips": len(rows), "tolerance": TOLERANCE, **told}))


def figures(error: np.ndarray, length: np.ndarray) -> dict[str, float]:
    """Errors in frames, and the share within the tolerance."""
    size = np.abs(error)
    return {
        "mae": round(float(size.mean()), 2),
        "median": float(np.median(size)),
        "bias": round(float(error.mean()), 2),
        "asr": round(float((size <= TOLERANCE * length).mean()), 3),
    }


if __name__ == "__main__":
    main()
