"""What the muscles of a face do in a clip: the micro-expression of its row, scaled to pixels, among other movements."""

from __future__ import annotations

from typing import Any

import numpy as np

from mer_lib.render.camera import Camera, facing
from mer_lib.synth import dynamics
from mer_lib.synth.dynamics import stream
from mer_lib.synth.filming import DISTANCE, HeadMotion
from mer_lib.synth.head import ACTION_UNITS
from mer_lib.synth.identity import Identity

UNITS = tuple(ACTION_UNITS)
MIX = 0.45  # how unequal the units of one expression are (log scale)
LOPSIDED = 0.15  # difference between left and right (log scale)
TRACE = 0.12  # of a one-sided unit on the other side, at most
# A resting face is not the average face: slight habitual tension of these units (scale of the weights) …
RESTING = {1: 0.04, 4: 0.06, 7: 0.05, 12: 0.05, 14: 0.04, 15: 0.05, 17: 0.05, 24: 0.05, 25: 0.05}
# … and muscles are never quite still (pixels, reach of a slow wandering of a few units).
IDLE_UNITS = (1, 4, 6, 7, 10, 12, 14, 15, 17, 24, 25)
IDLE_PIXELS = 0.25
IDLE_HERTZ = (0.5, 3.0)


def act(
    row: Any,
    person: Identity,
    camera: Camera,
    motion: HeadMotion,
    *,
    seed: int = 1,
    strength: tuple[float, float] = (1.0, 3.0),
) -> np.ndarray:
    """Weights (T, A, 2) float32 of the action units over a clip, left and right of the subject.

    row: of the clip table; strength: range in pixels that the largest movement of the micro-expression is drawn from.
    """
    frames, fps, onset, apex, offset = int(row.frames), float(row.fps), int(row.onset), int(row.apex), int(row.offset)
    reach = reaches(person, camera)
    weights = np.zeros((frames, len(UNITS), 2), np.float32)
    weights += resting(row, seed)
    weights += idle(frames, fps, reach, stream(seed, row.clip, "idle"))
    closing = dynamics.blink(frames, fps, stream(seed, row.clip, "blink"))
    weights[:, UNITS.index(45)] += closing[:, None]
    units, course = dynamics.macro(frames, fps, onset, offset, stream(seed, row.clip, "macro"))
    for unit in units:
        weights[:, UNITS.index(unit)] += course[:, None]

    rng = stream(seed, row.clip, "micro")
    at, peak = expression(row.action_units, reach, rng)
    peak *= pixels_to_scale(rng.uniform(*strength), at, peak, weights[onset], person, camera, motion, onset)
    starts = dynamics.late_onsets(len(at), onset, apex, rng)
    for unit, start, most in zip(at, starts, peak, strict=True):
        weights[:, unit] += dynamics.intensity(frames, start, apex, offset, rng)[:, None] * most
    return weights


def expression(text: str, reach: np.ndarray, rng: np.random.Generator) -> tuple[list[int], np.ndarray]:
    """The units of a sheet's text as positions in ``UNITS``, and their shares (n, 2) of the movement as weights."""
    units = dynamics.parse_units(text)
    at = [UNITS.index(unit) for unit in units]
    sides = np.array(list(units.values()))
    sides = np.maximum(sides, rng.uniform(0, TRACE, sides.shape))
    shares = rng.lognormal(0, MIX, (len(at), 1)) * rng.lognormal(0, LOPSIDED, sides.shape)
    return at, shares * sides / reach[at][:, None]


def pixels_to_scale(
    pixels: float,
    at: list[int],
    peak: np.ndarray,
    rest: np.ndarray,
    person: Identity,
    camera: Camera,
    motion: HeadMotion,
    onset: int,
) -> float:
    """What to multiply ``peak`` by so that the skin moves ``pixels`` at most, seen as the onset's head stands."""
    shown, scale = skin(person), 1.0
    for _ in range(3):  # the picture is all but linear in the weights
        weights = np.stack([rest, rest])
        weights[1, at] += scale * peak
        angles = np.repeat(motion.angles[onset : onset + 1], 2, axis=0)
        seen = camera.project(person.turn(person.deform(weights), *angles.T), motion.poses[onset])[:, shown, :2]
        scale *= pixels / np.linalg.norm(seen[1] - seen[0], axis=-1).max()
    return scale


def reaches(person: Identity, camera: Camera) -> np.ndarray:
    """(A,) pixels that each unit moves the skin by at most, at full strength, seen from the front."""
    seen = camera.project(person.deform(np.eye(len(UNITS) + 1, len(UNITS))), facing(DISTANCE))[:, skin(person), :2]
    return np.linalg.norm(seen[:-1] - seen[-1], axis=-1).max(axis=1)


def skin(person: Identity) -> np.ndarray:
    """(V,) bool: the vertices whose movement counts; what an open mouth shows of its inside does not."""
    return person.head.vertices_of("skin") & (person.head.masks["inside-mouth"] < 0.5)


def resting(row: Any, seed: int) -> np.ndarray:
    """(A, 2) weights of the face at rest: the subject's own, a little different from clip to clip."""
    habit = stream(seed, row.subject, "resting").normal(0, 1, len(RESTING))
    mood = stream(seed, row.clip, "resting").uniform(0.6, 1.4, len(RESTING))
    weights = np.zeros((len(UNITS), 2), np.float32)
    for (unit, scale), h, m in zip(RESTING.items(), habit, mood, strict=True):
        weights[UNITS.index(unit)] = max(0.0, h) * m * scale
    return weights


def idle(frames: int, fps: float, reach: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(T, A, 2) weights of movements that mean nothing."""
    at = [UNITS.index(unit) for unit in IDLE_UNITS]
    pixels = IDLE_PIXELS * rng.uniform(0, 1, (len(at), 2))
    course = (1 + dynamics.wander(frames, fps, rng, hertz=IDLE_HERTZ, width=2 * len(at)).reshape(frames, -1, 2)) / 2
    weights = np.zeros((frames, len(reach), 2), np.float32)
    weights[:, at] = course * pixels / reach[at][:, None]
    return weights
