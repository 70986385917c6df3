"""How a face moves in time: the micro-expression's own curves, and everything that is not it.

Curves are functions of a clip's frames and a random stream; none knows the head's shapes or the camera. A stream is
named by seed, clip and topic, so a clip's blink does not depend on how many numbers its head motion took.
"""

from __future__ import annotations

import hashlib
import re

import numpy as np

from mer_lib.problems import BadInput

LATE = 0.25  # a unit may start this share of the rise after the first one
HOLD = (0.0, 0.25)  # share of the fall spent near the peak …
HOLD_LOSS = 0.05  # … and what is lost there
RISE_POWER = (0.8, 1.6)  # above 1: hesitates, then hurries
FALL_POWER = (0.6, 1.4)
TREMOR = 0.06  # a muscle is no spring: smooth dips below the ideal curve, none at onset, apex and offset

BLINKS_PER_SECOND = 0.3  # 15–20 a minute at rest
BLINK_SECONDS = (0.15, 0.30)
BLINK_CLOSES = 0.35  # lids fall faster than they rise
SACCADES_PER_SECOND = 1.0
SACCADE_DEGREES = 4.0  # scale of a jump across a screen
SACCADE_SECONDS = 0.03

MACRO_CHANCE = 0.6  # of a clip that has room for one
MACRO_FEWEST_SECONDS = 0.045  # shorter rooms show nothing of a movement
MACRO_SECONDS = 0.35  # onset to peak of a large expression: its first or last part is what fits
MACRO_UNITS = ((12, 6), (1, 2), (25, 26), (4,), (18,), (17, 24), (14,))
MACRO_WEIGHT = (0.35, 0.8)

_UNIT = re.compile(r"([LR]?)(\d+)")


def stream(seed: int, key: str, topic: str) -> np.random.Generator:
    """The random numbers of one topic of one clip or subject."""
    digest = hashlib.sha256(f"{seed}|{topic}|{key}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype="<u4"))


def parse_units(text: str) -> dict[int, tuple[float, float]]:
    """{action unit: (left, right)} of a sheet's text: "6+L12" is {6: (1, 1), 12: (1, 0)}, sides as the subject's.

    Raises BadInput for text this corpus's own sheets never hold."""
    sides = {"": (1.0, 1.0), "L": (1.0, 0.0), "R": (0.0, 1.0)}
    words = [_UNIT.fullmatch(word) for word in text.split("+")]
    if not all(words):
        raise BadInput(f"action units '{text}' cannot be rendered", "write them as in '6+L12'")
    return {int(word[2]): sides[word[1]] for word in words}


def intensity(frames: int, onset: int, apex: int, offset: int, rng: np.random.Generator) -> np.ndarray:
    """(T,) course of one unit: 0 until the onset, 1 at the apex and only there, 0 again from the offset."""
    rise_power, fall_power = rng.uniform(*RISE_POWER), rng.uniform(*FALL_POWER)
    hold = rng.uniform(*HOLD)
    tremor = np.abs(_smooth(frames, rng, cycles=(2.0, 5.0)))[:, 0]
    t = np.arange(frames)
    up = np.clip((t - onset) / (apex - onset), 0, 1)
    down = np.clip((t - apex) / (offset - apex), 0, 1)
    falling = _ease(np.clip((1 - down) / (1 - hold), 0, 1) ** fall_power)
    lost = HOLD_LOSS * np.clip(down / max(hold, 1e-6), 0, 1)
    course = _ease(up**rise_power) * falling * (1 - lost)
    away = np.sin(np.pi * up) + np.sin(np.pi * down)
    return (course * (1 - TREMOR * tremor * away)).astype(np.float32)


def _ease(x: np.ndarray) -> np.ndarray:
    return x * x * (3 - 2 * x)


def late_onsets(count: int, onset: int, apex: int, rng: np.random.Generator) -> np.ndarray:
    """(count,) each unit's own onset; the earliest is the clip's."""
    late = rng.uniform(0, LATE, count)
    return onset + np.floor((late - late.min()) * (apex - onset)).astype(int)


def _smooth(frames: int, rng: np.random.Generator, *, cycles: tuple[float, float], width: int = 1) -> np.ndarray:
    """(T, width) smooth wandering within about ±1: three sines of random phase, ``cycles`` of them over the clip."""
    t = np.linspace(0, 1, frames)[:, None, None]
    speed = rng.uniform(*cycles, (3, width))
    phase = rng.uniform(0, 2 * np.pi, (3, width))
    return np.sin(2 * np.pi * t * speed + phase).sum(axis=1) / 3


def wander(frames: int, fps: float, rng: np.random.Generator, *, hertz: tuple[float, float], width: int) -> np.ndarray:
    """(T, width) smooth wandering within ±1 at the given rates of a living body, whatever the clip's length."""
    seconds = frames / fps
    return _smooth(frames, rng, cycles=(hertz[0] * seconds, hertz[1] * seconds), width=width)


def blink(frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """(T,) lid closure in [0, 1]; mostly none. A blink may begin before the clip or end after it."""
    seconds = rng.uniform(*BLINK_SECONDS)
    start = rng.uniform(-seconds, frames / fps)
    depth = rng.uniform(0.75, 1.0)
    happens = rng.random() < 1 - np.exp(-BLINKS_PER_SECOND * (frames / fps + seconds))
    s = np.clip((np.arange(frames) / fps - start) / seconds, 0, 1)
    shape = np.where(s < BLINK_CLOSES, s / BLINK_CLOSES, (1 - s) / (1 - BLINK_CLOSES))
    return (happens * depth * _ease(shape)).astype(np.float32)


def gaze(frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """(T, 2) degrees the eyes look to the subject's left and up: a fixation, its tremble, now and then a saccade."""
    look = rng.normal(0, SACCADE_DEGREES / 2, 2) + 0.15 * wander(frames, fps, rng, hertz=(1, 4), width=2)
    jump = rng.normal(0, SACCADE_DEGREES, 2) * (1, 0.5)
    happens = rng.random() < 1 - np.exp(-SACCADES_PER_SECOND * frames / fps)
    since = np.arange(frames) / fps - rng.uniform(0, frames / fps)
    return (look + happens * jump * _ease(np.clip(since / SACCADE_SECONDS, 0, 1))[:, None]).astype(np.float32)


def macro(
    frames: int, fps: float, onset: int, offset: int, rng: np.random.Generator
) -> tuple[tuple[int, ...], np.ndarray]:
    """The units of an occasional large movement and its (T,) course: the tail of one that ends before the onset, or
    the beginning of one after the offset, whichever has more room. No units where there is none."""
    units = MACRO_UNITS[rng.integers(len(MACRO_UNITS))]
    weight = rng.uniform(*MACRO_WEIGHT)
    happens = rng.random() < MACRO_CHANCE
    before, after = onset, frames - 1 - offset
    if not happens or max(before, after) < MACRO_FEWEST_SECONDS * fps:
        return (), np.zeros(frames, np.float32)
    t = np.arange(frames)
    away = t - offset if after >= before else onset - t
    return units, (weight * _ease(np.clip(away / (MACRO_SECONDS * fps), 0, 1))).astype(np.float32)
