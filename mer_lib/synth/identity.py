"""Somebody: a face of its own drawn from a seed, which can then be moved.

Ancestry, sex, age and weight choose among MakeHuman's macro shapes, about 300 local shapes make the person, and the
looks (:mod:`mer_lib.synth.texture`) follow from the same draw. The same seed gives the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from mer_lib.render.scene import Surface, adjacency, smooth_normals
from mer_lib.synth import regions
from mer_lib.synth.head import Head, load_head
from mer_lib.synth.looks import Looks, draw_looks
from mer_lib.synth.texture import hair_cover, paint

ANCESTRIES = ("african", "asian", "caucasian")
SEXES = ("female", "male")
SHIRT = 0.006  # metres that cloth stands off the skin
GAZE_DEGREES = 30.0  # what the gaze shapes turn the eye by at full strength
MACROS = ("african", "asian", "caucasian", "universal")
SKIPPED = ("head-age", "head-angle", "head-trans", "neck-back", "neck-scale-vert", "neck-trans", "measure-neck-height")
CALM = (
    "head",
    "l-eye",
    "r-eye",
    "asym",
    "l-ear",
    "r-ear",
    "neck",
    "mouth-angles-down",
    "nose-flaring",
    "nose-nostrils",
)
AT_REST = {"eyeBlinkLeft": 0.10, "eyeBlinkRight": 0.10, "mouthSmileLeft": 0.05, "mouthSmileRight": 0.05}
NECK = np.array([0.0, -0.13, -0.085])  # metres; where the head nods
NECK_FROM, NECK_TO = -0.205, -0.12  # heights between which the skin goes over from the shoulders to the head


@dataclass(frozen=True)
class Facts:
    """Who it is: ancestry (of ``ANCESTRIES``, the largest share), sex (of ``SEXES``) and age in years."""

    ancestry: str
    sex: str
    age: int


@dataclass(frozen=True)
class Identity:
    """A person.

    vertices: (V, 3) float32 metres, neutral, with the origin between the eyes; scale: size, 1 for the average head;
    facts, looks: as drawn; texture: (1024, 1024, 4) uint8, RGB and gloss.
    """

    head: Head
    vertices: np.ndarray
    scale: float
    facts: Facts
    looks: Looks
    texture: np.ndarray

    @cached_property
    def surface(self) -> Surface:
        """What the renderer needs besides moving vertices. ``surface.faces`` are the faces of this person."""
        head, shown = self.head, (self.head.part != "hair") | (self.looks.hanging > 0)
        return Surface(head.faces[shown], head.corners, head.uv, head.uv_faces[shown], self.texture, head.occlusion)

    @cached_property
    def _basis(self) -> np.ndarray:
        return self.scale * self.head.movements

    def deform(self, weights: np.ndarray, gaze: np.ndarray | None = None) -> np.ndarray:
        """Move the face.

        weights: (T, A) or (T, A, 2) strengths of the action units in the order of ``head.ACTION_UNITS``; the last axis,
        where there is one, is the subject's left and right. gaze: (T, 2) degrees to the subject's left and up.
        Returns vertices (T, V, 3) float32 in metres; linear in the weights.
        """
        weights = np.asarray(weights, np.float32)
        sides = weights if weights.ndim == 3 else np.repeat(weights[..., None], 2, axis=-1)
        looks = np.zeros((len(sides), 4, 2), np.float32)
        if gaze is not None:
            left, up = np.asarray(gaze, np.float32).T / GAZE_DEGREES
            out, in_, high, low = (np.maximum(x, 0) for x in (left, -left, up, -up))
            looks = np.stack([[out, in_], [in_, out], [high, high], [low, low]]).transpose(2, 0, 1)
        channels = np.concatenate([sides, looks], axis=1).reshape(len(sides), -1)
        used = np.flatnonzero(channels.any(axis=0))
        moved = channels[:, used] @ self._basis[used]
        return self.vertices + moved.reshape(len(sides), -1, 3)

    def turn(self, vertices: np.ndarray, yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> np.ndarray:
        """Turn the head on its shoulders.

        vertices: (T, V, 3) metres; (T,) degrees of yaw to the subject's left, pitch up, roll to the left shoulder.
        Returns (T, V, 3) float32. The skin of the neck goes over smoothly from the head to the shoulders, which stay.
        """
        turns = Rotation.from_euler("YXZ", np.stack([yaw, -np.asarray(pitch), -np.asarray(roll)], axis=1), degrees=True)
        share = np.clip((self.head.vertices[:, 1:2] - NECK_FROM) / (NECK_TO - NECK_FROM), 0, 1)
        share = np.where(self.head.vertices_of("hair")[:, None], 1, share**2 * (3 - 2 * share)).astype(np.float32)
        pivot = (NECK * self.scale).astype(np.float32)
        lever = vertices - pivot
        turned = lever @ turns.as_matrix().astype(np.float32).transpose(0, 2, 1)
        return vertices + share * (turned - lever)


def make_identity(seed: int | str, facts: Facts | None = None) -> Identity:
    """The person of a seed; ``facts`` fixes ancestry, sex and age instead of drawing them."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(f"identity/{seed}".encode()).digest()[:8], "big"))
    drawn = Facts(str(rng.choice(ANCESTRIES)), str(rng.choice(SEXES)), int(rng.triangular(18, 24, 72)))
    facts = facts or drawn
    head = load_head()
    looks = draw_looks(facts.ancestry, facts.sex, facts.age, rng)
    shape = head.vertices + head.blend(macros(facts, rng) | features(head, facts, rng) | AT_REST)
    shape = dress(head, shape, looks)
    vertices, scale = centre(head, shape, _between_pupils(facts, rng))
    return Identity(head, vertices, scale, facts, looks, paint(looks, rng))


def another_face(person: Identity, seed: int | str) -> Identity:
    """Somebody of the same ancestry, sex, age, skin and hair with a face of another shape: a fiftieth of the cost of
    :func:`make_identity`, nearly all of which is paint."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(f"face/{seed}".encode()).digest()[:8], "big"))
    head, facts = person.head, person.facts
    shape = head.vertices + head.blend(macros(facts, rng) | features(head, facts, rng) | AT_REST)
    vertices, scale = centre(head, dress(head, shape, person.looks), _between_pupils(facts, rng))
    return replace(person, vertices=vertices, scale=scale)


def _between_pupils(facts: Facts, rng: np.random.Generator) -> float:
    """Metres between somebody's pupils."""
    return 0.0625 + 0.001 * (facts.sex == "male") + rng.normal(0, 0.0015)


def dress(head: Head, shape: np.ndarray, looks: Looks) -> np.ndarray:
    """The shape (V, 3) with the body of its hair, and its shirt, raised from the skin."""
    normals = smooth_normals(shape, head.faces, adjacency(head.faces, len(shape)))
    skin = head.vertices_of("skin")
    hair = hair_cover(head.vertices, head.masks["ears"], looks) * skin
    cloth = regions.smoothstep(-0.004, 0.010, regions.below_collar(head.vertices)) * skin
    dressed = shape + (looks.thickness * hair + SHIRT * cloth)[:, None] * normals
    hanging = head.vertices_of("hair")
    top = dressed[hanging, 1].max()
    dressed[hanging, 1] = top + (dressed[hanging, 1] - top) * max(looks.hanging, 0.1)
    return dressed


def centre(head: Head, shape: np.ndarray, pupils: float) -> tuple[np.ndarray, float]:
    """The shape (V, 3) with the origin midway between its eyes and ``pupils`` metres between them, and the scale."""
    eyes = head.vertices_of("eye")
    left, right = (shape[eyes & (side * head.vertices[:, 0] > 0)].mean(axis=0) for side in (1, -1))
    scale = pupils / float(np.linalg.norm(left - right))
    return ((shape - (left + right) / 2) * scale).astype(np.float32), scale


def macros(facts: Facts, rng: np.random.Generator) -> dict[str, float]:
    """Weights of the shapes for ancestry, sex, age and weight, as MakeHuman mixes them."""
    ancestry = 0.15 * rng.dirichlet(np.ones(3)) + 0.85 * (np.array(ANCESTRIES) == facts.ancestry)
    male = np.clip(rng.normal(0.1, 0.08), 0, 0.3)
    male = 1 - male if facts.sex == "male" else male
    old = np.clip((facts.age - 25) / 65, 0, 1)
    weight = np.clip(rng.normal(0.5, 0.2), 0, 1)
    heavy = {"min": max(0, 1 - 2 * weight), "max": max(0, 2 * weight - 1)}  # the average weight needs no shape
    mix = {}
    for sex, of_sex in (("female", 1 - male), ("male", male)):
        for age, of_age in (("young", 1 - old), ("old", old)):
            mix |= {f"{a}-{sex}-{age}": s * of_sex * of_age for a, s in zip(ANCESTRIES, ancestry, strict=True)}
            mix |= {f"universal-{sex}-{age}-averagemuscle-{w}weight": s * of_sex * of_age for w, s in heavy.items()}
    return mix


def features(head: Head, facts: Facts, rng: np.random.Generator) -> dict[str, float]:
    """Weights of the local shapes; the two sides of a face differ by no more than about 15 %."""
    weights = {}
    for name in head.names:
        if name.startswith(MACROS + SKIPPED) or name.lower() != name:  # ARKit's names have capitals
            continue
        twin = "l" + name[1:] if name.startswith("r-") else ""
        if twin in weights:
            weights[name] = weights[twin] * rng.uniform(0.85, 1.15)
        else:
            calm = 0.5 if name.startswith(CALM) else 1.0
            weights[name] = calm * float(np.clip(rng.normal(-0.12, 0.30), 0, 0.7))
    return weights | {"head-age-incr": 0.5 * float(np.clip((facts.age - 40) / 40, 0, 1))}
