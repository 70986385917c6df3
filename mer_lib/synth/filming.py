"""The person before the camera and the camera itself: head motion, wall, light, sensor and compression.

None of it is expression and all of it moves pixels: a pipeline has to see 1–3 pixels of muscle through it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from mer_lib.render.camera import Camera, facing
from mer_lib.render.scene import Light
from mer_lib.synth.dynamics import stream, wander
from mer_lib.synth.head import ACTION_UNITS
from mer_lib.synth.identity import Identity, make_identity

DISTANCE = 1.0  # metres from camera to eyes: a lens of moderate length, as labs use
EYES = 0.235  # distance between the pupils as a share of the picture's height: 60 pixels of 256
HEIGHT = 0.015  # metres the eyes stand above the middle of the picture, so that head and neck fill it
PUPILS = 0.063  # metres, of an average adult; people differ

POSE_SPREAD = np.array([3.0, 2.5, 1.5])  # degrees of yaw, pitch and roll that clips start from (standard deviation)
SHIFT_SPREAD = 0.004  # metres
DRIFT_DEGREES = np.array([1.6, 1.3, 0.8])  # reach of the slow drift of yaw, pitch and roll …
DRIFT_METRES = np.array([0.0025, 0.002, 0.004])  # … and to the right, up and towards the camera
DRIFT_HERTZ = (0.3, 1.4)
STILLNESS = (0.25, 1.0)  # people and moments differ: factor on all drift
BREATH_HERTZ = (0.2, 0.35)
BREATH_METRES = 0.002  # the whole upper body rises and falls
BREATH_DEGREES = 0.3  # and the head nods a little

MAINS_HERTZ = (99.9, 100.1)  # lamps brighten twice a cycle of 50 Hz mains
FLICKER = (0.0, 0.02)  # share of the light
LIGHT_DRIFT = 0.03
READ_NOISE = 0.8  # grey levels
SHOT_NOISE = 0.016  # variance a grey level: 1.6 levels of noise at mid-grey
JPEG_QUALITY = (88, 96)  # labs store frames as JPEG; CASME II's do not look worse


@dataclass(frozen=True)
class Studio:
    """What a subject's clips share: who, through which lens, in which light, before which wall (S, S, 3) uint8."""

    person: Identity
    camera: Camera
    light: Light
    wall: np.ndarray

    @cached_property
    def skin(self) -> np.ndarray:
        """(V,) bool: the vertices whose movement counts; what an open mouth shows of its inside does not."""
        return self.person.head.vertices_of("skin") & (self.person.head.masks["inside-mouth"] < 0.5)

    @cached_property
    def reach(self) -> np.ndarray:
        """(A,) pixels that each action unit moves the skin by at most, at full strength, seen from the front."""
        count = len(ACTION_UNITS)
        moved = self.person.deform(np.eye(count + 1, count))  # the last row is the face at rest
        seen = self.camera.project(moved[:, self.skin], facing(DISTANCE))[..., :2]
        return np.linalg.norm(seen[:-1] - seen[-1], axis=-1).max(axis=1)


def make_studio(subject: str, *, seed: int = 1, size: int = 256) -> Studio:
    """The studio of a subject's id; ``size``: pixels, height and width of the pictures."""
    rng = stream(seed, subject, "studio")
    return Studio(make_identity(f"{seed}/{subject}"), lens(size), lamps(rng), wall(size, rng))


def lens(size: int) -> Camera:
    """The corpus's camera: ``size`` pixels square, an average face in the middle."""
    return Camera(size, size, EYES * size * DISTANCE / PUPILS)


@dataclass(frozen=True)
class HeadMotion:
    """angles: (T, 3) degrees of yaw, pitch and roll of the head on its shoulders; poses: (T, 4, 4) of the body."""

    angles: np.ndarray
    poses: np.ndarray


def head_motion(frames: int, fps: float, rng: np.random.Generator) -> HeadMotion:
    """Where the clip finds the person, slow drift of head and body, and breath."""
    start, place = rng.normal(0, POSE_SPREAD), np.append(rng.normal((0, HEIGHT), SHIFT_SPREAD), 0.0)
    still = rng.uniform(*STILLNESS)
    drift = still * wander(frames, fps, rng, hertz=DRIFT_HERTZ, width=6)
    breath = breathing(frames, fps, rng)[:, None]
    angles = start + drift[:, :3] * DRIFT_DEGREES + breath * (0, BREATH_DEGREES, 0)
    moves = place + drift[:, 3:] * DRIFT_METRES + breath * (0, BREATH_METRES, 0)
    poses = [facing(DISTANCE - near, shift=(right, up)) for right, up, near in moves]
    return HeadMotion(angles.astype(np.float32), np.stack(poses))


def breathing(frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """(T,) the part of a breath that a clip sees, within ±1."""
    phase, hertz = rng.uniform(0, 2 * np.pi), rng.uniform(*BREATH_HERTZ)
    return np.sin(phase + 2 * np.pi * hertz * np.arange(frames) / fps)


def wall(size: int, rng: np.random.Generator) -> np.ndarray:
    """(S, S, 3) uint8: a plain wall, lit unevenly."""
    colour = np.clip(rng.normal(150, 35) + rng.normal(0, 5, 3), 60, 225)
    v, u = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    slope, corner = rng.normal(0, 0.09, 2), rng.uniform(0.02, 0.10)
    shade = 1 + slope[0] * u + slope[1] * v - corner * (u**2 + v**2)
    return np.clip(shade[..., None] * colour, 0, 255).astype(np.uint8)


def lamps(rng: np.random.Generator) -> Light:
    """A session's light: two lamps and the room, never twice the same."""
    side = rng.choice([-1.0, 1.0])
    warmth = rng.normal(0, 0.03)
    return Light(
        key=rng.uniform(0.45, 0.65),
        key_from=(side * rng.uniform(15, 50), rng.uniform(20, 45)),
        fill=rng.uniform(0.2, 0.4),
        fill_from=(-side * rng.uniform(25, 55), rng.uniform(0, 30)),
        room=rng.uniform(0.28, 0.42),
        tint=(1 + warmth, 1.0, 1 - warmth),
    )


def brightness(frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """(T,) factor on the light: a slow change and the mains' flicker, which 200 frames a second sample at its edge."""
    slow = LIGHT_DRIFT * rng.uniform(0, 1) * wander(frames, fps, rng, hertz=(0.2, 1.5), width=1)[:, 0]
    hertz, phase = rng.uniform(*MAINS_HERTZ), rng.uniform(0, 2 * np.pi)
    flicker = rng.uniform(*FLICKER) * np.sin(2 * np.pi * hertz * np.arange(frames) / fps + phase)
    return 1 + slow + flicker


@dataclass
class Sensor:
    """Turns clean pictures into what a camera stores: shot and read noise, then JPEG."""

    rng: np.random.Generator

    def __post_init__(self) -> None:
        self.quality = int(self.rng.integers(*JPEG_QUALITY, endpoint=True))

    def expose(self, picture: np.ndarray, light: float) -> np.ndarray:
        """(H, W, 3) uint8 RGB under ``light`` times the light it was drawn with. Grey levels go with its root."""
        signal = picture.astype(np.float32) * np.float32(np.sqrt(light))
        noise = self.rng.standard_normal(signal.shape, dtype=np.float32)
        noisy = signal + noise * np.sqrt(READ_NOISE**2 + SHOT_NOISE * signal)
        raw = cv2.cvtColor(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), cv2.COLOR_RGB2BGR)
        stored = cv2.imencode(".jpg", raw, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1]
        return cv2.cvtColor(cv2.imdecode(stored, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
