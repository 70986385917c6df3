"""The embedded corpus: rendered faces, annotated as a lab would, whose table follows from four options alone.

Nothing is rendered here (that is ``mer_lib.synth.corpus``), so planning a run costs milliseconds. Every number comes
from a hash of the seed and the clip's (or subject's) id: more subjects or more clips change no clip that was there
before. Which action units an emotion shows follows the coding of CASME II and SAMM in broad strokes; mixtures differ
from person to person and overlap between classes, because real ones do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mer_lib import clips as clip_table
from mer_lib.problems import BadInput
from mer_lib.registry import register

ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26)

# How often a class is meant to appear: negatives lead, as in the real sets, but not by so much that a corpus of a few
# dozen clips has hardly any surprise.
CLASS_SHARE = {"negative": 0.42, "positive": 0.31, "surprise": 0.27}

# emotion: (class, its share of the class, {action unit: probability that it takes part}). A unit listed with a middling
# probability under several classes is an overlap made on purpose (12 in repression, 1 and 5 in sadness, anger and fear,
# 14 and 10 in happiness, 4 in surprise): with the diagonal alone the corpus would be too easy to tell a method by.
EMOTIONS: dict[str, tuple[str, float, dict[int, float]]] = {
    "disgust": ("negative", 0.34, {4: 0.60, 7: 0.45, 9: 0.45, 10: 0.50, 14: 0.10, 17: 0.20, 25: 0.05}),
    "repression": ("negative", 0.20, {12: 0.35, 14: 0.45, 15: 0.45, 17: 0.55, 23: 0.20, 6: 0.10}),
    "anger": ("negative", 0.18, {4: 0.85, 5: 0.20, 7: 0.50, 23: 0.45, 17: 0.20, 10: 0.15}),
    "sadness": ("negative", 0.12, {1: 0.55, 4: 0.50, 15: 0.60, 17: 0.40, 14: 0.10}),
    "contempt": ("negative", 0.09, {14: 0.85, 12: 0.25, 10: 0.15}),
    "fear": ("negative", 0.07, {1: 0.55, 2: 0.35, 4: 0.60, 5: 0.40, 20: 0.60, 25: 0.25}),
    "happiness": ("positive", 1.0, {6: 0.55, 12: 0.88, 7: 0.12, 10: 0.10, 14: 0.18, 17: 0.08, 25: 0.18, 4: 0.05}),
    "surprise": ("surprise", 1.0, {1: 0.75, 2: 0.75, 5: 0.4, 25: 0.3, 26: 0.25, 4: 0.12, 7: 0.05, 12: 0.05, 14: 0.05}),
}  # fmt: skip
CORE = 0.35  # units at least this probable make an emotion what it is: one of them is always there
HABIT = 0.6  # how far a subject's liking shifts the log-odds of a unit or a class (scale of a logistic draw)
# Units that sheets code on one side ("L12", "R2"), and how often they are.
ONE_SIDED = {2: 0.20, 4: 0.06, 10: 0.20, 12: 0.20, 14: 0.55, 15: 0.15}

# A clip's length: 30 to 100 frames at 200 fps; macro-expressions as long as those of CK+, 18 to 60 frames at 30 fps.
SECONDS = {"micro": (0.15, 0.50), "macro": (0.60, 2.00)}
LEAD = (0.06, 0.20)  # share of the clip before the onset …
TAIL = (0.06, 0.42)  # … and after the offset; mostly short, now and then long enough for another movement
RISE = (0.30, 0.60)  # where the apex stands between onset and offset
FEWEST_FRAMES = 8
_GOLDEN = (5**0.5 - 1) / 2


@register("corpus", "synthetic", synthetic=True)
def index(
    root: str | Path,
    *,
    name: str,
    classes: Sequence[str],
    subjects: int = 16,
    clips: int = 6,
    seed: int = 1,
    fps: float = 200,
    type: str = "micro",
) -> pd.DataFrame:
    """The embedded corpus of rendered faces: subjects × clips from a seed.

    name: the dataset in all ids; classes: must hold the three official ones; subjects: people; clips: of each;
    seed: of every choice; fps: camera frames a second; type: micro, or macro for slow clips (how far they move is up to
    the rendering's ``strength``). ``root`` is where the videos will stand (sources are relative
    to it); it need not exist. Raises BadInput for a count below 1, fewer than 10 fps, or a class that is lacking.
    """
    _check_options(subjects, clips, fps)
    if type not in SECONDS:
        raise BadInput(f"no expressions of type '{type}'", f"one of {', '.join(SECONDS)}", file="params.yaml")
    if lacking := [label for label in CLASS_SHARE if label not in classes]:
        raise BadInput(f"the synthetic corpus has the class '{lacking[0]}'", "add it to classes", file="params.yaml")
    people = np.repeat([f"s{i:02d}" for i in range(1, subjects + 1)], clips)
    take = np.tile(np.arange(clips), subjects)
    names = [f"{person}_{number + 1:02d}" for person, number in zip(people, take, strict=True)]
    subject_ids = [f"{name}/{person}" for person in people]
    ids = [f"{subject}/{name}" for subject, name in zip(subject_ids, names, strict=True)]
    emotions = _emotions(seed, ids, subject_ids, take)
    return clip_table.table(
        pd.DataFrame(
            {
                "clip": ids,
                "dataset": name,
                "subject": subject_ids,
                "name": names,
                # AVI, because Matroska stamps every file with a random id: the same seed gives the same bytes
                "source": [f"{person}/{name}.avi" for person, name in zip(people, names, strict=True)],
                "kind": "video",
                "type": type,
                "fps": fps,
                **_timing(seed, ids, fps, SECONDS[type]),
                "emotion": np.array(list(EMOTIONS))[emotions],
                "label": np.array([label for label, _, _ in EMOTIONS.values()])[emotions],
                "action_units": _action_units(seed, ids, subject_ids, emotions),
            }
        )
    )


def _check_options(subjects: int, clips: int, fps: int) -> None:
    for name, value, least in (("subjects", subjects, 1), ("clips", clips, 1), ("fps", fps, 10)):
        if value < least:
            raise BadInput(f"synthetic.{name} is {value}", f"give at least {least}", file="params.yaml")


def uniform(seed: int, keys: list[str], topic: str, width: int) -> np.ndarray:
    """(N, width) numbers in [0, 1), each row a function of seed, its key and the topic: SHAKE-256 as a counter-free
    generator, the same on every machine and for any number of rows."""
    made: dict[str, bytes] = {}
    for key in keys:
        if key not in made:
            made[key] = hashlib.shake_256(f"{seed}|{topic}|{key}".encode()).digest(8 * width)
    raw = np.frombuffer(b"".join(made[key] for key in keys), dtype="<u8").reshape(len(keys), width)
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return np.log(p) - np.log1p(-p)


def _pick(u: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N,) index drawn with (N, K) weights by inverting their cumulative sum at u (N,)."""
    edges = np.cumsum(weights, axis=1)
    return (u[:, None] * edges[:, -1:] >= edges[:, :-1]).sum(axis=1)


def _emotions(seed: int, ids: list[str], subject_ids: list[str], take: np.ndarray) -> np.ndarray:
    """(N,) emotion of each clip as a position in EMOTIONS."""
    # A golden-ratio walk from a start of the subject's own spreads its clips over the classes however many there are.
    u = (uniform(seed, subject_ids, "class", 1)[:, 0] + take * _GOLDEN) % 1.0
    liking = np.exp(HABIT * _logit(uniform(seed, subject_ids, "class habit", len(CLASS_SHARE))) / 2)
    chosen = _pick(u, np.array(list(CLASS_SHARE.values())) * liking)
    of_class = np.array([list(CLASS_SHARE).index(label) for label, _, _ in EMOTIONS.values()])
    shares = np.array([share for _, share, _ in EMOTIONS.values()])
    return _pick(uniform(seed, ids, "emotion", 1)[:, 0], shares * (of_class == chosen[:, None]))


def _action_units(seed: int, ids: list[str], subject_ids: list[str], emotions: np.ndarray) -> list[str]:
    """What the sheet says, e.g. "4+L10": each clip's own mixture, bent by the subject's habits."""
    table = np.array([[units.get(au, 0.0) for au in ACTION_UNITS] for _, _, units in EMOTIONS.values()])
    habit = HABIT * _logit(uniform(seed, subject_ids, "unit habit", len(ACTION_UNITS)))
    chance = table[emotions]
    chance = np.where(chance > 0, 1 / (1 + np.exp(-_logit(chance) - habit)), 0.0)
    present = uniform(seed, ids, "units", len(ACTION_UNITS)) < chance
    # Without any unit of its core an emotion would be mere label noise: then the subject's favourite of it takes part.
    core = np.where(table[emotions] >= CORE, chance, 0.0)
    lacking = ~(present & (core > 0)).any(axis=1)
    present |= lacking[:, None] & (core == core.max(axis=1, keepdims=True))
    one_sided = np.array([ONE_SIDED.get(au, 0.0) for au in ACTION_UNITS])
    u = uniform(seed, ids, "side", len(ACTION_UNITS)) / np.maximum(one_sided, 1e-12)
    side = np.where(u < 0.5, "L", np.where(u < 1.0, "R", ""))
    words = np.char.add(side, np.array(ACTION_UNITS).astype(str))
    return ["+".join(row[on]) for row, on in zip(words, present, strict=True)]


def _timing(seed: int, ids: list[str], fps: int, seconds: tuple[float, float]) -> dict[str, np.ndarray]:
    """Frames, onset, apex and offset (0-based) of each clip; onset < apex < offset < frames."""
    u = uniform(seed, ids, "timing", 4)
    frames = np.maximum(np.rint((seconds[0] + u[:, 0] * np.ptp(seconds)) * fps), FEWEST_FRAMES).astype(int)
    onset = np.maximum(np.rint((LEAD[0] + u[:, 1] * np.ptp(LEAD)) * frames), 1).astype(int)
    offset = frames - 1 - np.rint((TAIL[0] + u[:, 2] ** 3 * np.ptp(TAIL)) * frames).astype(int)
    apex = onset + np.rint((RISE[0] + u[:, 3] * np.ptp(RISE)) * (offset - onset)).astype(int)
    return {"frames": frames, "onset": onset, "apex": np.clip(apex, onset + 1, offset - 1), "offset": offset}
