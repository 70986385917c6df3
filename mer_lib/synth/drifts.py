"""Clips in which an expression rises while the head drifts, with the head's own movement known exactly.

What registration is measured against: the same take with and without the drift, and where each point of the face goes
when the head alone moves. People, camera, noise and crop are those of :mod:`mer_lib.synth.pairs`. Nothing is kept on
disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mer_lib.problems import BadInput
from mer_lib.synth import filming, pairs
from mer_lib.synth.acting import resting
from mer_lib.synth.dynamics import stream

SWAY = 0.25  # of the way: the head does not go straight
DETECTOR = 0.4  # pixels, noise of the landmarks
STILL = 0.1  # pixels: skin that the whole expression moves by less stays with the head


@dataclass(frozen=True)
class Drift:
    """A clip of T crops of S × S pixels that ends at the apex, and what is true of it.

    frames: (T, S, S, 3) uint8 RGB. free: (S, S, 3), the last frame as it would be had the head not moved. landmarks:
    (T, 5, 2) float32, as a detector would see them. rigid: (T, S, S, 2) float32, pixels, where each point of the first
    picture is in frame t if the head alone has moved. motion: (S, S, 2) float32, what the expression alone moves from
    the first frame to the last. Both NaN where the wall is. Masks (S, S) bool of the face: moving (see
    :class:`mer_lib.synth.pairs.Pairs`) and still (the expression moves it by less than ``STILL``).
    """

    frames: np.ndarray
    free: np.ndarray
    landmarks: np.ndarray
    rigid: np.ndarray
    motion: np.ndarray
    moving: np.ndarray
    still: np.ndarray


def drifting_clips(
    n: int,
    *,
    drift: float,
    degrees: float = 0.0,
    size: int = 128,
    frames: int = 12,
    amount: float = 2.0,
    light: float = 0.15,
    noise: bool = True,
    yaw: float = 0.0,
    seed: int = 1,
) -> Iterator[Drift]:
    """Rendered clips, each of another person up to ``pairs.PEOPLE``, one in memory at a time.

    Parameters
    ----------
    n : int
        Clips; clip k is the same for every n, and shows the same expression under every condition.
    drift : float
        Pixels of the crop between the face in the first frame and in the last, in the mean.
    degrees : float
        The head's yaw and roll between the two are drawn up to this, to either side.
    size, frames, amount, noise, yaw, seed
        Pixels of the crop; frames; pixels that the expression moves the visible face by at the apex; the corpus's
        camera; degrees that the person is turned by; other people.
    light : float
        Share of light that comes or goes until the last frame.

    Raises
    ------
    BadInput
        No clips, fewer than two frames, crops below 32 pixels, a negative drift, degrees or amount.
    """
    if n < 1 or frames < 2 or size < 32 or min(drift, degrees, amount) < 0 or not -1 < light < 1:
        raise BadInput(
            f"no clips with n {n}, frames {frames}, size {size}, drift {drift}, degrees {degrees}, light {light}",
            "n from 1, frames from 2, size from 32, drift, degrees and amount from 0, light between -1 and 1",
        )
    for row in pairs.cast(n, seed).itertuples():
        yield _clip(row, drift, degrees, size, frames, amount, light, noise, yaw, seed)


def _clip(row: Any, drift, degrees, size, frames, amount, light, noise, yaw, seed) -> Drift:
    rest = resting(row, seed)
    stage = pairs.stage_of(row, rest, size, yaw, seed)
    raster = stage.raster(stage.turned(rest, stage.angles))
    face = pairs.regions_of(stage.studio, raster)[0]
    peak, moved = pairs.peak_of(stage, row, rest, amount, seed)
    way = np.linspace(0, 1, frames)
    heads = _heads(stage, raster, face, rest, way, drift, degrees, stream(seed, row.clip, "drift"))
    course = way**2 * (3 - 2 * way)
    acted = [stage.turned(rest + share * peak, angles) for share, (angles, _) in zip(course, heads, strict=True)]
    calm, poses = stage.turned(rest + peak, stage.angles), [pose for _, pose in heads]
    bright = 1 + light * stream(seed, row.clip, "light").choice([-1, 1]) * way
    film = zip(acted, poses, bright, strict=True)
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1)
    rigid = [grid + stage.flow(raster, stage.turned(rest, angles), pose) for angles, pose in heads]
    return Drift(
        frames=np.stack(pairs.photograph(stage, film, noise, stream(seed, row.clip, "sensor"))),
        free=pairs.photograph(stage, [(calm, stage.pose, bright[-1])], noise, stream(seed, row.clip, "free"))[0],
        landmarks=_landmarks(stage, acted, poses, stream(seed, row.clip, "detector")),
        rigid=np.stack(rigid).astype(np.float32),
        motion=stage.flow(raster, calm, stage.pose),
        moving=face & (moved >= pairs.MOVING * moved.max()),
        still=face & (moved * amount < STILL * moved.max()),
    )


def _heads(stage: pairs.Stage, raster, face, rest, way, drift, degrees, rng) -> list[tuple[np.ndarray, np.ndarray]]:
    """Angles (3,) and pose (4, 4) of each frame: the face's mean goes ``drift`` pixels, swaying, and the head turns."""
    turn = rng.uniform(-1, 1, 3) * (degrees, 0, degrees)
    towards = rng.uniform(0, 2 * np.pi)
    along = drift * np.array([np.cos(towards), np.sin(towards)])
    side = SWAY * rng.uniform(-1, 1) * along[::-1] * (1, -1)
    near = rng.uniform(-1, 1) * filming.DRIFT_METRES[2]
    metres = np.linalg.inv(stage.geometry[:, :2]) * filming.DISTANCE / stage.studio.camera.focal  # of a crop's pixel
    pose, heads = stage.pose.copy(), []
    for share in way:
        angles, aim = stage.angles + share * turn, share * along + np.sin(np.pi * share) * side
        turned = stage.turned(rest, angles)
        pose = pose.copy()
        pose[2, 3] = stage.pose[2, 3] - share * near
        for _ in range(2):  # nearly linear: each round brings two digits
            missing = aim - stage.flow(raster, turned, pose)[face].mean(axis=0)
            pose[:2, 3] += metres @ missing
        heads.append((angles, pose))
    return heads


def _landmarks(stage: pairs.Stage, vertices: list[np.ndarray], poses: list[np.ndarray], rng) -> np.ndarray:
    """(T, 5, 2) float32 pixels, with a detector's noise."""
    at = stage.studio.person.head.landmarks
    seen = [stage.seen(found[at], pose)[:, :2] for found, pose in zip(vertices, poses, strict=True)]
    exact = np.stack([pairs.five_landmarks(points) for points in seen])
    return (exact + rng.normal(0, DETECTOR, exact.shape)).astype(np.float32)
