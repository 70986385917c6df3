"""Pairs of face crops whose optical flow is known exactly: what flow methods are measured against.

People, action units, camera, noise and crop are the embedded corpus's; how far the expression and the head move, the
light, the noise and the view are chosen, one by one, while all else stays as it is. So the same seed shows the same
faces under every condition, and methods and conditions are compared pair by pair. Nothing is kept on disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import pandas as pd

from mer_lib.corpora import synthetic
from mer_lib.faces import align
from mer_lib.motion.gray import to_gray
from mer_lib.problems import BadInput
from mer_lib.render.camera import facing
from mer_lib.render.raster import Raster, rasterise
from mer_lib.render.scene import Renderer
from mer_lib.synth import filming
from mer_lib.synth.acting import expression, resting
from mer_lib.synth.dynamics import stream
from mer_lib.synth.filming import DISTANCE, Studio, make_studio

PEOPLE = 16  # pair 17 shows the first person again, with another expression
SOURCE = 2  # times the crop's side: the picture that it is cut from, as the corpus's 256 pixels and its crops' 128
MARGIN = 0.15  # of the crop, as params.yaml has it
MOVING = 0.25  # of the pair's largest movement: skin that moves less counts as still
# Regions on the average head, metres: |x| and y from the point between the eyes. Mouth: from below the nose to the
# upper chin. Eyes: with lids and brows.
MOUTH = ((0.0, 0.034), (-0.092, -0.048))
EYES = ((0.010, 0.056), (-0.020, 0.027))


@dataclass(frozen=True)
class Pairs:
    """N pairs of crops of S × S pixels.

    first, second: (N, S, S, 3) uint8 RGB; flow: (N, S, S, 2) float32, pixels of the crop, u right and v down,
    expression and head together, NaN where the wall is (a point that the second picture hides is followed all the
    same). Masks (N, S, S) bool, of the first picture: face (its skin and eyes), and within it moving (the expression
    alone moves it by at least ``MOVING`` of the pair's largest movement), mouth, eyes.
    """

    first: np.ndarray
    second: np.ndarray
    flow: np.ndarray
    face: np.ndarray
    moving: np.ndarray
    mouth: np.ndarray
    eyes: np.ndarray

    @property
    def grey(self) -> tuple[np.ndarray, np.ndarray]:
        """Both pictures as flow methods see them: (N, S, S) uint8 each."""
        return to_gray(self.first), to_gray(self.second)


def exact_pairs(
    n: int = 16,
    *,
    size: int = 128,
    amount: float = 1.0,
    noise: bool = True,
    drift: float = 0.0,
    light: float = 0.0,
    yaw: float = 0.0,
    seed: int = 1,
) -> Pairs:
    """Rendered pairs: a face at rest, and the same face with an expression.

    Parameters
    ----------
    n : int
        Pairs; each shows another person, up to ``PEOPLE``. Pair k is the same for every n.
    size : int
        Pixels, height and width of the crop.
    amount : float
        Pixels of the crop that the expression moves the visible face by, at most.
    noise : bool
        The corpus's camera (shot and read noise, JPEG) on the picture that the crop is cut from; else a perfect one.
    drift : float
        Pixels of the crop that the head's own movement (turning and shifting) moves the face by, in the mean.
    light : float
        Share by which the second picture has more light than the first; negative: less.
    yaw : float
        Degrees that the person is turned by, to the subject's left.
    seed : int
        Other people, expressions and noise.

    Returns
    -------
    Pairs

    Raises
    ------
    BadInput
        No pairs, crops below 32 pixels, an amount or drift that is negative, a light of −1 or less, a yaw beyond 60°.
    """
    if n < 1 or size < 32 or amount < 0 or drift < 0 or light <= -1 or abs(yaw) > 60:
        raise BadInput(
            f"no pairs with n {n}, size {size}, amount {amount}, drift {drift}, light {light}, yaw {yaw}",
            "n from 1, size from 32, amount and drift from 0, light above -1, yaw within 60",
        )
    made = [_pair(row, size, amount, noise, drift, light, yaw, seed) for row in cast(n, seed).itertuples()]
    return Pairs(*(np.stack(arrays) for arrays in zip(*made, strict=True)))


def cast(n: int, seed: int) -> pd.DataFrame:
    """The clips whose people and expressions are shown."""
    classes = list(synthetic.CLASS_SHARE)
    table = synthetic.index("", name="pairs", classes=classes, subjects=PEOPLE, clips=-(-n // PEOPLE), seed=seed)
    turns = table.groupby("subject").cumcount()
    return table.iloc[np.argsort(turns, kind="stable")[:n]]


@dataclass(frozen=True)
class Sides:
    """A face at rest and with an expression, from the front and as cameras beside it see the same moments.

    frames: (2, S, S, 3) uint8 RGB; depth: (2, S, S) float32, interocular distances from the point between the eyes,
    positive away from the camera, NaN where the wall is; landmarks: (2, 5, 2) float32 pixels; fov: degrees that the
    crop's camera sees. Of V yaws: pictures (V, 2, S, S, 3) uint8; flow (V, S, S, 2) float32, exact, rest to expression,
    NaN where the wall is; masks (V, S, S) bool of the first moment, face and moving as in :class:`Pairs`.
    """

    frames: np.ndarray
    depth: np.ndarray
    landmarks: np.ndarray
    fov: float
    pictures: np.ndarray
    flow: np.ndarray
    face: np.ndarray
    moving: np.ndarray


def exact_sides(
    k: int, yaws: tuple[float, ...], *, size: int = 128, amount: float = 2.0, noise: bool = True, seed: int = 1
) -> Sides:
    """Person ``k`` (from 0) of :func:`exact_pairs`; the expression moves the frontal face by at most ``amount`` pixels.

    yaws: degrees, within 60; size, noise, seed: as there. The lamps stand still with the person while cameras go round
    them, and every view is cropped by where it shows the points of the skin that are the frontal face's landmarks.
    """
    row, rest, front = _person_at(k, size, 0.0, seed)
    peak, _ = peak_of(front, row, rest, amount, seed)
    vertices = [front.turned(weights, front.angles) for weights in (rest, rest + peak)]
    views = []
    for yaw in yaws:
        stage = _cropped_as(front, vertices[0], _person_at(k, size, yaw, seed)[2])
        stage = replace(stage, studio=replace(stage.studio, light=stage.studio.light.turned(yaw)))
        views.append(_view(stage, vertices, noise, stream(seed, row.clip, f"{yaw}")))
    pictures, flow, face, moving = (np.stack(arrays) for arrays in zip(*views, strict=True))
    frames, *_ = _view(front, vertices, noise, stream(seed, row.clip, "sensor"))
    fov = 2 * np.degrees(np.arctan(size / 2 / (front.studio.camera.focal * align.scale_of(front.geometry))))
    depth, landmarks = zip(*((_depth(front, v), five_landmarks(front.marks(v))) for v in vertices), strict=True)
    return Sides(frames, np.stack(depth), np.stack(landmarks), float(fov), pictures, flow, face, moving)


@lru_cache(maxsize=PEOPLE)
def _person(subject: str, seed: int) -> Studio:
    """A studio costs a second, nearly all of it the person: conditions and sizes share it."""
    return make_studio(subject, seed=seed)


def _studio(subject: str, seed: int, size: int) -> Studio:
    studio = _person(subject, seed)
    return replace(studio, camera=filming.lens(size), wall=cv2.resize(studio.wall, (size, size)))


@dataclass(frozen=True)
class Stage:
    """A person before the camera, and where the crop lies in the picture: geometry (2, 3), picture to crop."""

    studio: Studio
    pose: np.ndarray
    angles: np.ndarray
    geometry: np.ndarray
    size: int

    def turned(self, weights: np.ndarray, angles: np.ndarray) -> np.ndarray:
        """Vertices (V, 3) under the units' weights (A, 2), the head turned by (3,) degrees."""
        person = self.studio.person
        return person.turn(person.deform(weights[None]), *angles[:, None])[0]

    def seen(self, vertices: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """(…, 3): where in the crop, and the depth."""
        projected = self.studio.camera.project(vertices, pose)
        projected[..., :2] = align.transform(self.geometry, projected[..., :2])
        return projected

    def marks(self, vertices: np.ndarray) -> np.ndarray:
        """(68, 2): the landmarks in the crop."""
        return self.seen(vertices[self.studio.person.head.landmarks], self.pose)[:, :2]

    def raster(self, vertices: np.ndarray) -> Raster:
        """What each pixel of the crop shows."""
        return rasterise(self.seen(vertices, self.pose), self.studio.person.surface.faces, self.size, self.size)

    def flow(self, raster: Raster, vertices: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """Where each pixel's point goes when the vertices go there: (S, S, 2) pixels, NaN where the wall is."""
        points = raster.sample(vertices, self.studio.person.surface.faces)
        rows, columns = np.mgrid[: self.size, : self.size]
        return self.seen(points, pose)[..., :2] - np.stack([columns, rows], axis=-1, dtype=np.float32)


def _pair(row: Any, size, amount, noise, drift, light, yaw, seed) -> tuple[np.ndarray, ...]:
    rest = resting(row, seed)
    stage = stage_of(row, rest, size, yaw, seed)
    still = stage.turned(rest, stage.angles)
    raster = stage.raster(still)
    face, mouth, eyes = regions_of(stage.studio, raster)
    peak, moved = peak_of(stage, row, rest, amount, seed)
    angles, pose = _drifted(stage, raster, face, rest, drift, stream(seed, row.clip, "drift"))
    later = stage.turned(rest + peak, angles)
    shots = ((still, stage.pose, 1.0), (later, pose, 1.0 + light))
    pictures = photograph(stage, shots, noise, stream(seed, row.clip, "sensor"))
    moving = face & (moved >= MOVING * moved.max())
    return *pictures, stage.flow(raster, later, pose), face, moving, mouth, eyes


def peak_of(stage: Stage, row: Any, rest: np.ndarray, amount: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (A, 2) that the expression adds, moving the face by at most ``amount`` pixels, and the length (S, S) of
    the movement it was scaled from."""
    still = stage.turned(rest, stage.angles)
    raster = stage.raster(still)
    peak = expression(row.action_units, stage.studio.reach, stream(seed, row.clip, "micro"))
    origin = stage.flow(raster, still, stage.pose)  # zero, up to rounding
    alone = stage.flow(raster, stage.turned(rest + peak, stage.angles), stage.pose) - origin
    moved = np.where(regions_of(stage.studio, raster)[0], np.linalg.norm(alone, axis=-1), 0)
    return peak * (amount / moved.max()), moved  # the picture is linear in the weights to 0.2 %


def _person_at(k: int, size: int, yaw: float, seed: int) -> tuple[Any, np.ndarray, Stage]:
    """(row, resting weights, stage) of a person."""
    row = list(cast(PEOPLE, seed).itertuples())[k]
    rest = resting(row, seed)
    return row, rest, stage_of(row, rest, size, yaw, seed)


def _cropped_as(front: Stage, vertices: np.ndarray, side: Stage) -> Stage:
    """The stage at the side, cropped by the points that the front shows at its landmarks: the middle of an eye's lids
    lies behind the eye that is seen there, and comes out elsewhere when the head is turned."""
    points = front.raster(vertices).sample(vertices, front.studio.person.surface.faces).astype(np.float32)
    at = five_landmarks(front.marks(vertices))[:, None]
    skin = cv2.remap(points, at[..., 0], at[..., 1], cv2.INTER_LINEAR)[:, 0]
    five = side.studio.camera.project(skin, side.pose)[:, :2]
    return replace(side, geometry=align.similarity(five, align.template(side.size, MARGIN)))


def _view(stage: Stage, vertices: list[np.ndarray], noise: bool, rng) -> tuple[np.ndarray, ...]:
    """Both moments from one side: pictures (2, S, S, 3), flow, face, moving."""
    raster = stage.raster(vertices[0])
    face = regions_of(stage.studio, raster)[0]
    flow = stage.flow(raster, vertices[1], stage.pose)
    length = np.where(face, np.linalg.norm(flow, axis=-1), 0)
    pictures = photograph(stage, [(v, stage.pose, 1.0) for v in vertices], noise, rng)
    return np.stack(pictures), flow, face, face & (length >= MOVING * length.max())


def _depth(stage: Stage, vertices: np.ndarray) -> np.ndarray:
    """Depth map (S, S) in interocular distances."""
    raster, head = stage.raster(vertices), stage.studio.person.head
    seen = vertices[head.landmarks] @ stage.pose[:3, :3].T + stage.pose[:3, 3]
    eyes = np.stack([seen[36:42].mean(axis=0), seen[42:48].mean(axis=0)])
    apart = np.linalg.norm(eyes[1] - eyes[0])
    return np.where(raster.seen, (raster.depth - eyes[:, 2].mean()) / apart, np.nan).astype(np.float32)


def five_landmarks(points: np.ndarray) -> np.ndarray:
    """Eyes, tip of the nose and corners of the mouth (5, 2) out of iBUG's 68 points."""
    five = [points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30], points[48], points[54]]
    return np.array(five, np.float32)


def stage_of(row: Any, rest: np.ndarray, size: int, yaw: float, seed: int) -> Stage:
    """The head stands as a clip of the corpus may find it; the crop is the pipeline's, from the true landmarks."""
    studio, rng = _studio(row.subject, seed, SOURCE * size), stream(seed, row.clip, "head")
    angles = rng.normal(0, filming.POSE_SPREAD)
    right, up = rng.normal((0, filming.HEIGHT), filming.SHIFT_SPREAD)
    stage = Stage(studio, facing(DISTANCE, yaw=yaw, shift=(right, up)), angles, np.eye(2, 3, dtype=np.float32), size)
    five = five_landmarks(stage.marks(stage.turned(rest, angles)))
    return replace(stage, geometry=align.similarity(five, align.template(size, MARGIN)))


def regions_of(studio: Studio, raster: Raster) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Masks (S, S) of face, mouth and eyes."""
    head, faces = studio.person.head, studio.person.surface.faces
    share = np.maximum(head.masks["face"] - head.masks["inside-mouth"], head.vertices_of("eye"))
    face = raster.seen & (raster.sample(share[:, None].astype(np.float32), faces)[..., 0] > 0.5)
    x, y, _ = np.moveaxis(raster.sample(head.vertices, faces), -1, 0)

    def within(box: tuple) -> np.ndarray:
        (inner, outer), (low, high) = box
        return face & (np.abs(x) >= inner) & (np.abs(x) <= outer) & (y >= low) & (y <= high)

    return face, within(MOUTH), within(EYES)


def _drifted(stage: Stage, raster: Raster, face, rest, drift: float, rng) -> tuple[np.ndarray, np.ndarray]:
    """Angles (3,) and pose (4, 4) of the head after a movement in the corpus's proportions, ``drift`` pixels in all."""
    if drift == 0:
        return stage.angles, stage.pose
    turn = rng.uniform(-1, 1, 3) * filming.DRIFT_DEGREES
    right, up, near = rng.uniform(-1, 1, 3) * filming.DRIFT_METRES
    step, factor = np.array([right, -up, -near]), 1.0
    for _ in range(3):  # nearly linear: each round brings two digits
        angles, pose = stage.angles + factor * turn, stage.pose.copy()
        pose[:3, 3] += factor * step
        flow = stage.flow(raster, stage.turned(rest, angles), pose)[face]
        factor *= drift / np.linalg.norm(flow, axis=-1).mean()
    return angles, pose


def photograph(stage: Stage, shots: Iterable[tuple], noise: bool, rng: np.random.Generator) -> list[np.ndarray]:
    """The crops (S, S, 3) uint8 of shots: (vertices, pose, share of the light) each."""
    studio, side = stage.studio, stage.studio.camera.height
    sensor, crop = filming.Sensor(rng), align.Warp(stage.geometry, stage.size, side, side)
    found = []
    with Renderer(studio.camera, studio.person.surface) as renderer:
        for vertices, pose, share in shots:
            picture = renderer.picture(vertices, pose, studio.light, studio.wall)
            bright = np.clip(np.rint(picture * np.sqrt(share)), 0, 255).astype(np.uint8)
            found.append(crop(sensor.expose(picture, share) if noise else bright))
    return found
