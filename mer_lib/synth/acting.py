"""What the muscles of a face do in a clip: the micro-expression of its row, scaled to pixels, among other movements."""

from __future__ import annotations

from typing import Any

import numpy as np

from mer_lib.synth import dynamics
from mer_lib.synth.dynamics import stream
from mer_lib.synth.filming import HeadMotion, Studio
from mer_lib.synth.head import ACTION_UNITS

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
    row: Any, studio: Studio, motion: HeadMotion, *, seed: int = 1, strength: tuple[float, float] = (1.0, 3.0)
) -> np.ndarray:
    """Weights (T, A, 2) float32 of the action units over a clip, left and right of the subject.

    row: of the clip table; strength: range in pixels that the largest movement of the micro-expression is drawn from,
    seen as the onset's head stands.
    """
    frames, fps, onset, apex, offset = int(row.frames), float(row.fps), int(row.onset), int(row.apex), int(row.offset)
    reach = studio.reach
    weights = resting(row, seed) + idle(frames, fps, reach, stream(seed, row.clip, "idle"))
    weights[:, UNITS.index(45)] += dynamics.blink(frames, fps, stream(seed, row.clip, "blink"))[:, None]
    units, course = dynamics.macro(frames, fps, onset, offset, stream(seed, row.clip, "macro"))
    for unit in units:
        weights[:, UNITS.index(unit)] += course[:, None]

    rng = stream(seed, row.clip, "micro")
    peak = expression(row.action_units, reach, rng)
    peak *= rng.uniform(*strength) / largest_movement(weights[onset], peak, studio, motion, onset)
    moving = np.flatnonzero(peak.any(axis=1))
    starts = dynamics.late_onsets(len(moving), onset, apex, rng)
    for unit, start in zip(moving, starts, strict=True):
        weights[:, unit] += dynamics.intensity(frames, start, apex, offset, rng)[:, None] * peak[unit]
    return weights


def expression(text: str, reach: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(A, 2) weights of the units in a sheet's text, each moving about a pixel: a mixture of the clip's own."""
    units = dynamics.parse_units(text)
    at = [UNITS.index(unit) for unit in units]
    sides = np.array(list(units.values()))
    sides = np.maximum(sides, rng.uniform(0, TRACE, sides.shape))
    shares = rng.lognormal(0, MIX, (len(at), 1)) * rng.lognormal(0, LOPSIDED, sides.shape)
    peak = np.zeros((len(UNITS), 2))
    peak[at] = shares * sides / reach[at, None]
    return peak


def largest_movement(rest: np.ndarray, peak: np.ndarray, studio: Studio, motion: HeadMotion, at: int) -> float:
    """Pixels that the skin moves by at most when ``peak`` comes to ``rest``, both (A, 2), the head being as at ``at``.

    The picture is linear in the weights to 0.2 %, so what is measured here may be scaled.
    """
    moved = studio.person.deform(np.stack([rest, rest + peak]))
    moved = studio.person.turn(moved, *np.repeat(motion.angles[at : at + 1], 2, axis=0).T)
    seen = studio.camera.project(moved, motion.poses[at])[:, studio.skin, :2]
    return float(np.linalg.norm(seen[1] - seen[0], axis=-1).max())


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
    weights = np.zeros((frames, len(UNITS), 2), np.float32)
    weights[:, at] = course * pixels / reach[at][:, None]
    return weights
