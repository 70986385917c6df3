"""The embedded corpus on disk: each row of its table acted, filmed and written as a lab would keep it, with the truth.

A clip is planned first (:class:`Take`: muscles, eyes, head and light over time), and both its pictures and its ground
truth follow from the plan alone; so a video is written frame by frame, and the truth without drawing a picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_lib import finished, store
from mer_lib.ingest.writer import write_video
from mer_lib.problems import Problem
from mer_lib.render.raster import exact_flow, rasterise
from mer_lib.render.scene import Renderer
from mer_lib.synth import filming
from mer_lib.synth.acting import act
from mer_lib.synth.dynamics import gaze, stream
from mer_lib.synth.filming import Studio, make_studio
from mer_lib.synth.identity import Identity
from mer_lib.whole import write_csv


@dataclass(frozen=True)
class Take:
    """The plan of one clip. weights: (T, A, 2) float32 of the action units in the order of ``head.ACTION_UNITS``, left
    and right; gaze: (T, 2) degrees to the subject's left and up; motion: of head and body; brightness: (T,) factor."""

    clip: str
    weights: np.ndarray
    gaze: np.ndarray
    motion: filming.HeadMotion
    brightness: np.ndarray

    def vertices(self, person: Identity, at: slice | list[int] = slice(None)) -> np.ndarray:
        """The person's vertices (T, V, 3) in metres at the frames ``at``."""
        moved = person.deform(self.weights[at], self.gaze[at])
        return person.turn(moved, *self.motion.angles[at].T)


def plan(row: Any, studio: Studio, *, seed: int = 1, strength: tuple[float, float] = (1.0, 3.0)) -> Take:
    """What happens in the clip of a row (a named tuple of the clip table)."""
    frames, fps = int(row.frames), float(row.fps)
    motion = filming.head_motion(frames, fps, stream(seed, row.clip, "head"))
    return Take(
        clip=row.clip,
        weights=act(row, studio, motion, seed=seed, strength=strength),
        gaze=gaze(frames, fps, stream(seed, row.clip, "gaze")),
        motion=motion,
        brightness=filming.brightness(frames, fps, stream(seed, row.clip, "brightness")),
    )


def film(take: Take, studio: Studio, renderer: Renderer, *, seed: int = 1) -> Iterator[np.ndarray]:
    """The pictures of a take, (S, S, 3) uint8 RGB, one by one, as the sensor stored them."""
    sensor = filming.Sensor(stream(seed, take.clip, "sensor"))
    for vertices, pose, light in zip(take.vertices(studio.person), take.motion.poses, take.brightness, strict=True):
        yield sensor.expose(renderer.picture(vertices, pose, studio.light, studio.wall), light)


def truth(row: Any, take: Take, studio: Studio) -> dict[str, np.ndarray]:
    """What no camera tells, exactly, all float32.

    action_units (T, A, 2), landmarks (T, 68, 2) in pixels, head (T, 6): yaw, pitch and roll in degrees, then metres to
    the picture's right, down and away from the camera; depth (2, S, S) in metres at onset and apex, 0 where the wall
    is; flow (1, S, S, 2) from onset to apex in pixels, u right and v down, NaN there; focal (1,) in pixels.
    """
    person, camera = studio.person, studio.camera
    vertices, poses, faces = take.vertices(person), take.motion.poses, person.surface.faces
    onset, apex = int(row.onset), int(row.apex)
    flow, depth = exact_flow(vertices[onset], poses[onset], vertices[apex], poses[apex], faces, camera)
    later = rasterise(camera.project(vertices[apex], poses[apex]), faces, camera.height, camera.width)
    arrays = {
        "action_units": take.weights,
        "landmarks": camera.project(vertices[:, person.head.landmarks], poses)[..., :2],
        "head": np.concatenate([take.motion.angles, poses[:, :3, 3]], axis=1),
        "depth": np.stack([depth, later.depth]),
        "flow": flow[None],
        "focal": np.array([camera.focal]),
    }
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def sheet(rows: pd.DataFrame) -> pd.DataFrame:
    """The annotation as a lab's coders would hand it over: subject without the data set, frames counted from 1."""
    return pd.DataFrame(
        {
            "Subject": rows["subject"].str.split("/").str[-1],
            "Filename": rows["name"],
            "OnsetFrame": rows["onset"] + 1,
            "ApexFrame": rows["apex"] + 1,
            "OffsetFrame": rows["offset"] + 1,
            "Action Units": rows["action_units"],
            "Estimated Emotion": rows["emotion"],
        }
    )


def write_subject(
    folder: str | Path,
    rows: pd.DataFrame,
    header: store.Header,
    *,
    seed: int = 1,
    size: int = 256,
    strength: tuple[float, float] = (1.0, 3.0),
) -> list[Problem]:
    """One subject's folder: a lossless video for each of its rows, annotation.csv, and truth.h5 as :func:`truth` says.

    rows: the subject's rows of the clip table; header: what makes it, for the store; seed, size, strength: as
    ``corpora.synthetic.index`` documents them. Memory is that of one clip. Returns the store's problems.
    """
    folder = Path(folder)
    studio = make_studio(rows["subject"].iloc[0], seed=seed, size=size)
    takes = [folder / Path(source).name for source in rows["source"]]
    with finished.once(f"{header.key()}-videos", *takes) as missing:
        for row, path in zip(rows.itertuples(), takes, strict=True) if missing else ():
            take = plan(row, studio, seed=seed, strength=strength)
            # A context for each clip: Mesa keeps a megabyte of every drawing until the context goes.
            with Renderer(studio.camera, studio.person.surface) as renderer:
                write_video(path, film(take, studio, renderer, seed=seed), float(row.fps))
    write_csv(sheet(rows), folder / "annotation.csv")

    def make(row: Any) -> dict[str, np.ndarray]:
        return truth(row, plan(row, studio, seed=seed, strength=strength), studio)

    return store.write_shard(folder / "truth.h5", header, rows.itertuples(), make)
