"""What a person looks like beyond the shape of the face, drawn to fit ancestry, sex and age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]

# Photographs of skin in even light, from the lightest to the darkest (sRGB); a tone is a position on this ramp.
SKIN = [(243, 207, 187), (232, 187, 161), (213, 163, 132), (184, 131, 98), (146, 98, 70), (110, 72, 51), (78, 51, 39)]
TONES = {"african": (3.4, 5.6), "asian": (0.7, 2.7), "caucasian": (0.0, 1.9)}
HAIRS = {
    "african": [(22, 18, 17), (34, 25, 21)],
    "asian": [(20, 18, 19), (30, 24, 22), (48, 33, 26)],
    "caucasian": [(38, 27, 21), (66, 45, 30), (98, 70, 44), (150, 116, 74), (112, 58, 33)],
}
GREY = np.array([168.0, 166.0, 164.0])
IRISES = {
    "african": [(58, 34, 20), (44, 26, 17)],
    "asian": [(62, 38, 22), (44, 27, 18)],
    "caucasian": [(94, 60, 32), (106, 100, 60), (98, 122, 140), (120, 140, 148)],
}
CLOTHES = [(52, 56, 64), (32, 36, 48), (128, 130, 134), (196, 194, 188), (92, 40, 44), (54, 74, 66), (70, 84, 112)]
STYLES = {"male": ("crew", "short", "receding", "bald"), "female": ("tied", "long", "bob", "short")}


@dataclass(frozen=True)
class Looks:
    """Colours are sRGB, 0 to 255; shares are 0 to 1.

    skin, hair, iris, cloth: colours; style: of the hair, one of ``STYLES``; thickness: of the hair on the head, metres;
    beard: share of stubble's darkness; brows: share of full brows; wrinkles, freckles, blush: shares.
    """

    skin: Colour
    hair: Colour
    iris: Colour
    cloth: Colour
    style: str
    thickness: float
    beard: float
    brows: float
    wrinkles: float
    freckles: float
    blush: float

    @property
    def hanging(self) -> float:
        """How far the hair hangs down from the crown: 0 not at all, 1 over the shoulders."""
        return {"long": 1.0, "bob": 0.66}.get(self.style, 0.0)


def draw_looks(ancestry: str, sex: str, age: int, rng: np.random.Generator) -> Looks:
    """The looks of a person of that ancestry, sex and age."""
    tone = rng.uniform(*TONES[ancestry])
    skin = np.array([np.interp(tone, np.arange(len(SKIN)), channel) for channel in zip(*SKIN, strict=True)])
    skin *= 1 + rng.normal(0, 0.012, 3) + (np.array([-0.01, 0.0, -0.04]) if ancestry == "asian" else 0)
    hair = np.array(HAIRS[ancestry][rng.integers(len(HAIRS[ancestry]))]) * rng.uniform(0.85, 1.15)
    grey = np.clip((age - 38) / 35 + rng.normal(0, 0.15), 0, 0.9) if age > 34 else 0.0
    style = _style(sex, age, rng)
    thickness = {"crew": 0.003, "short": 0.009, "receding": 0.004, "bald": 0.002, "tied": 0.006}.get(style, 0.012)
    full = rng.choice([0.0, 0.25, 0.5, 0.85], p=[0.35, 0.3, 0.25, 0.1])
    return Looks(
        skin=_colour(skin),
        hair=_colour(hair * (1 - grey) + GREY * grey),
        iris=_colour(np.array(IRISES[ancestry][rng.integers(len(IRISES[ancestry]))]) * rng.uniform(0.85, 1.15)),
        cloth=_colour(np.array(CLOTHES[rng.integers(len(CLOTHES))], float)),
        style=style,
        thickness=thickness * rng.uniform(0.8, 1.25),
        beard=float(full) * (sex == "male"),
        brows=float(rng.uniform(0.75, 1.0) if sex == "male" else rng.uniform(0.55, 0.85)),
        wrinkles=float(np.clip((age - 32) / 45 + rng.normal(0, 0.06), 0.03, 1)),
        freckles=float(max(0, rng.normal(-0.2, 0.6))) * (tone < 1.6),
        blush=float(rng.uniform(0.3, 1.0)),
    )


def _style(sex: str, age: int, rng: np.random.Generator) -> str:
    if sex == "female":
        return str(rng.choice(STYLES["female"], p=[0.4, 0.3, 0.2, 0.1]))
    thin = np.clip((age - 25) / 70, 0, 0.6)
    return str(rng.choice(STYLES["male"], p=[0.4 * (1 - thin), 0.6 * (1 - thin), 0.7 * thin, 0.3 * thin]))


def _colour(values: np.ndarray) -> Colour:
    return tuple(float(value) for value in np.clip(values, 0, 255))
