"""Skin, lips, brows, hair, eyes and clothes, painted where they belong on the head.

A texel knows the point of the average head that it covers, so nothing is drawn in texture coordinates and no seam
shows. One texture takes about a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates

from mer_lib.render.raster import rasterise
from mer_lib.synth import regions
from mer_lib.synth.head import load_head
from mer_lib.synth.looks import Looks
from mer_lib.synth.regions import smoothstep

SIZE = 1024
SKIN_GLOSS, LIP_GLOSS, HAIR_GLOSS, CLOTH_GLOSS, TEETH_GLOSS, EYE_GLOSS = 60, 100, 50, 10, 120, 255
EYE_EDGE = np.arccos(-0.25)  # radians from the eye's axis to the edge of its picture (tools/build_head.py)
IRIS, PUPIL = np.radians(23.5), np.radians(8.5)


@dataclass(frozen=True)
class Texels:
    """The texels that cover something, N of them.

    where: (N,) index into the flat picture; part: (N,) str; points: (N, 3) metres on the average head; uv: (N, 2);
    masks: name -> (N,); lids: (N,) metres from the edge of the nearest eye's lids, negative from the lower one.
    """

    where: np.ndarray
    part: np.ndarray
    points: np.ndarray
    uv: np.ndarray
    masks: dict[str, np.ndarray]
    lids: np.ndarray

    def of(self, own: np.ndarray) -> Texels:
        """Some of them."""
        masks = {name: mask[own] for name, mask in self.masks.items()}
        return Texels(self.where[own], self.part[own], self.points[own], self.uv[own], masks, self.lids[own])


@cache
def texels() -> Texels:
    """What each texel of the embedded head covers."""
    head = load_head()
    place = np.column_stack([head.uv[:, 0] * SIZE - 0.5, (1 - head.uv[:, 1]) * SIZE - 0.5, np.ones(len(head.uv))])
    raster = rasterise(place, head.uv_faces, SIZE, SIZE)
    where = np.flatnonzero(raster.seen)
    values = np.column_stack([head.vertices, *head.masks.values()])[head.corners]
    sampled = raster.sample(values, head.uv_faces).reshape(SIZE * SIZE, -1)[where]
    row, column = np.divmod(where, SIZE)
    uv = np.stack([(column + 0.5) / SIZE, 1 - (row + 0.5) / SIZE], axis=1)
    masks = dict(zip(head.masks, sampled[:, 3:].T, strict=True))
    points = sampled[:, :3]
    return Texels(where, head.part[raster.face.ravel()[where]], points, uv, masks, regions.from_lids(points))


def paint(looks: Looks, rng: np.random.Generator) -> np.ndarray:
    """The texture (1024, 1024, 4) uint8 of a person: RGB and gloss."""
    t = texels()
    colour = np.zeros((len(t.where), 3), np.float32)
    gloss = np.zeros(len(t.where), np.float32)
    for part, brush in (("skin", _skin), ("eye", _eye), ("teeth", _teeth), ("tongue", _tongue), ("hair", _hanging)):
        own = np.flatnonzero(t.part == part)
        colour[own], gloss[own] = brush(t.of(own), looks, rng)
    picture = np.zeros((SIZE * SIZE, 4), np.uint8)
    picture[t.where, :3] = np.clip(np.rint(colour), 0, 255)
    picture[t.where, 3] = gloss
    return _bleed(picture.reshape(SIZE, SIZE, 4))


def _bleed(picture: np.ndarray) -> np.ndarray:
    """Empty texels take their nearest neighbour's colour, so that filtering across an edge finds nothing foreign."""
    return picture[_nearest()]


@cache
def _nearest() -> tuple[np.ndarray, np.ndarray]:
    empty = np.ones(SIZE * SIZE, bool)
    empty[texels().where] = False
    return tuple(distance_transform_edt(empty.reshape(SIZE, SIZE), return_distances=False, return_indices=True))


def _noise(points: np.ndarray, scale: float | np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise (N,) of unit variance or so in space; ``scale``: metres from one value to the next."""
    grid = rng.standard_normal((32, 32, 32), np.float32)
    return map_coordinates(grid, (points / scale).T, order=1, mode="grid-wrap") * 1.5


def _skin(t: Texels, looks: Looks, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    p = t.points
    base = np.float32(looks.skin)
    dark = 1 - base.mean() / 255
    colour = base * (1 + 0.022 * _noise(p, 0.016, rng) + 0.018 * _noise(p, 0.005, rng))[:, None]
    colour *= 1 + 0.03 * rng.standard_normal(len(p), np.float32)[:, None]
    red = np.float32([0.02, -0.10, -0.09]) * (0.6 + 0.4 * looks.blush)
    flush = (
        0.8 * looks.blush * regions.blob(p, 0.040, -0.034, 0.020, 0.016)
        + 0.8 * regions.blob(p, 0.0, -0.038, 0.012, 0.010)
        + 0.5 * regions.blob(p, 0.016, -0.042, 0.006, 0.007)
        + 0.7 * t.masks["ears"]
        + 0.4 * regions.blob(p, 0.0, -0.095, 0.014, 0.010)
        + 0.25 * _noise(p, 0.022, rng)
    )
    colour *= 1 + flush[:, None] * red
    shade = 0.05 * (1 + dark) + 0.10 * looks.wrinkles
    colour *= 1 - shade * regions.blob(p, 0.029, -0.013, 0.012, 0.006)[:, None] * np.float32([0.8, 1.0, 0.9])
    colour *= 1 - 0.09 * regions.blob(p, 0.032, 0.008, 0.014, 0.006)[:, None] * np.float32([0.8, 1.0, 1.0])
    _spots(colour, p, looks, rng)
    _folds(colour, p, looks, rng)
    _grow_beard(colour, p, looks, rng)
    gloss = np.full(len(p), SKIN_GLOSS, np.float32) * (1 + 0.4 * regions.blob(p, 0, 0.0, 0.012, 0.06))
    _lips(colour, gloss, t, looks, rng)
    _lids(colour, t)
    _brows(colour, p, looks, rng)
    _hair(colour, gloss, t, looks, rng)
    _clothe(colour, gloss, p, looks, rng)
    inside = smoothstep(0.3, 0.8, t.masks["inside-mouth"])[:, None]
    colour += inside * (np.float32([96, 40, 38]) - colour)
    return colour, gloss


def _spots(colour: np.ndarray, p: np.ndarray, looks: Looks, rng: np.random.Generator) -> None:
    """Freckles over nose and cheeks, and a few moles anywhere on the face."""
    where = regions.blob(p, 0.022, -0.026, 0.034, 0.022) * looks.freckles
    own = np.flatnonzero(where > 0.02)
    grain = smoothstep(1.1, 2.2, _noise(p[own], 0.0022, rng))
    colour[own] *= 1 - 0.35 * (where[own] * grain)[:, None] * np.float32([0.6, 1, 1.2])
    front = np.flatnonzero((p[:, 2] > -0.02) & (p[:, 1] > -0.11) & (p[:, 1] < 0.06))
    for mole in p[rng.choice(front, rng.integers(1, 6))]:
        size = rng.uniform(0.0006, 0.0014)
        own = np.flatnonzero(np.abs(p - mole).max(axis=1) < 3 * size)
        spot = np.exp(-(((p[own] - mole) / size) ** 2).sum(axis=1))[:, None]
        colour[own] *= 1 - rng.uniform(0.2, 0.55) * spot * np.float32([0.8, 1, 1.05])


def _folds(colour: np.ndarray, p: np.ndarray, looks: Looks, rng: np.random.Generator) -> None:
    """A fold is a dark line with a light flank; it fades out at its ends."""
    for strength, line in regions.wrinkle_lines(rng):
        near, distance, share = regions.along(p, line, 0.006)
        depth = strength * (0.18 + 0.82 * looks.wrinkles) * np.minimum(1, 4 * np.minimum(share, 1 - share))
        dark = np.exp(-((distance / 0.0011) ** 2)) - 0.35 * np.exp(-(((distance - 0.0026) / 0.0016) ** 2))
        colour[near] *= 1 - 0.20 * (depth * dark)[:, None] * np.float32([0.85, 1, 1])


def _grow_beard(colour: np.ndarray, p: np.ndarray, looks: Looks, rng: np.random.Generator) -> None:
    where = regions.beard(p) * looks.beard
    own = np.flatnonzero(where > 0.01)
    grain = 0.75 + 0.3 * _noise(p[own], 0.0012, rng) + 0.15 * _noise(p[own], 0.008, rng)
    share = np.clip(where[own] * grain, 0, 0.92)[:, None]
    shadow = 0.35 * np.float32(looks.skin) + 0.65 * np.float32(looks.hair)
    colour[own] += share * (shadow - colour[own])


def _lips(colour: np.ndarray, gloss: np.ndarray, t: Texels, looks: Looks, rng: np.random.Generator) -> None:
    own = np.flatnonzero((t.masks["lips"] > 0.2) | regions.near_mouth(t.points))
    p = t.points[own]
    lips = smoothstep(0.25, 0.75, t.masks["lips"][own])
    tone = np.float32(looks.skin) * np.float32([0.86, 0.66, 0.66])
    lines = 1 + 0.05 * _noise(p, np.array([0.0012, 0.01, 0.01]), rng)
    upper = 1 - 0.10 * smoothstep(-0.066, -0.064, p[:, 1])  # the upper lip faces down
    colour[own] += (0.85 * lips)[:, None] * (tone * (lines * upper)[:, None] - colour[own])
    gloss[own] += lips * (LIP_GLOSS - gloss[own])
    parting = np.exp(-(((p[:, 1] + 0.0668) / 0.0014) ** 2)) * smoothstep(0.0255, 0.022, np.abs(p[:, 0]))
    colour[own] *= 1 - 0.45 * parting[:, None] * np.float32([0.9, 1, 1])


def _lids(colour: np.ndarray, t: Texels) -> None:
    """Lashes and the moist red edge; the outer half of the upper lid is the darkest."""
    outward = smoothstep(0.020, 0.042, np.abs(t.points[:, 0]))
    upper = np.exp(-(((t.lids - 0.0018) / 0.0011) ** 2)) * (t.lids > 0) * (0.65 + 0.3 * outward)
    lower = np.exp(-(((t.lids + 0.0022) / 0.0010) ** 2)) * (t.lids < 0) * (0.15 + 0.3 * outward)
    colour += (upper + lower)[:, None] * (np.float32([34, 24, 22]) - colour)
    edge = np.exp(-((t.lids / 0.0009) ** 2))[:, None] * 0.5
    colour += edge * (np.float32(0.75) * np.float32([205, 130, 120]) - colour)


def _brows(colour: np.ndarray, p: np.ndarray, looks: Looks, rng: np.random.Generator) -> None:
    near, distance, share = regions.along(p, regions.BROW, 0.008)
    half = np.interp(share, [0, 0.15, 0.6, 1], [0.0022, 0.0034, 0.0028, 0.0009]) * (0.6 + 0.45 * looks.brows)
    inside = smoothstep(1.25, 0.55, np.abs(distance) / half) * smoothstep(0, 0.10, share) * smoothstep(1.0, 0.9, share)
    tilt = share * 0.055 + distance * 0.9  # hairs lean outwards
    hairs = _noise(np.stack([tilt, distance * 0.15, np.sign(p[near, 0])], axis=1), 0.0007, rng)
    cover = np.clip(inside * looks.brows * (0.80 + 0.30 * hairs), 0, 0.95)[:, None]
    colour[near] += cover * (0.9 * np.float32(looks.hair) + 6 - colour[near])


def hair_cover(points: np.ndarray, ears: np.ndarray, looks: Looks, fray: np.ndarray | float = 0.0) -> np.ndarray:
    """The share (N,) of hair at points of the average head; ``fray`` (metres) moves its edge."""
    height = regions.above_hairline(points, looks.style) + fray
    return smoothstep(-0.004, 0.008, height) * (1 - smoothstep(0.2, 0.6, ears))


def _hair(colour: np.ndarray, gloss: np.ndarray, t: Texels, looks: Looks, rng: np.random.Generator) -> None:
    own = np.flatnonzero(regions.above_hairline(t.points, looks.style) > -0.02)
    p = t.points[own]
    strands = _strands(p, looks, rng)
    cover = hair_cover(p, t.masks["ears"][own], looks, 0.0012 * strands + 0.0015 * _noise(p, 0.006, rng))
    cover *= {"crew": 0.86, "bald": 0.6, "receding": 0.85}.get(looks.style, 1.0)
    contrast = 0.22 - 0.22 * np.mean(looks.hair) / 255
    tone = np.float32(looks.hair) * (1 + contrast * strands + 0.08 * _noise(p, 0.02, rng))[:, None]
    colour[own] += cover[:, None] * (tone - colour[own])
    gloss[own] += cover * (HAIR_GLOSS - gloss[own])


def _strands(p: np.ndarray, looks: Looks, rng: np.random.Generator) -> np.ndarray:
    """Noise (N,) drawn out along the hair: from the crown, to the knot of hair tied back, or off a parting."""
    if looks.style in ("long", "bob"):
        return _noise(np.stack([p[:, 2], 0.02 * np.hypot(p[:, 0], p[:, 1]), np.sign(p[:, 0])], axis=1), 0.0013, rng)
    pole = np.array([0, 0.045, -0.170]) if looks.style == "tied" else np.array([0.01, 0.105, -0.120])
    away = p - pole
    side = np.arctan2(away[:, 0], away[:, 2] if looks.style != "tied" else away[:, 1])
    short = 0.25 if looks.style in ("crew", "bald", "receding") else 0.05
    return _noise(np.stack([0.08 * side, short * np.linalg.norm(away, axis=1), 0 * side], axis=1), 0.0012, rng)


def _clothe(colour: np.ndarray, gloss: np.ndarray, p: np.ndarray, looks: Looks, rng: np.random.Generator) -> None:
    depth = regions.below_collar(p)
    own = np.flatnonzero(depth > -0.004)
    p, depth = p[own], depth[own]
    cloth = smoothstep(-0.0016, 0.0012, depth)
    weave = 1 + 0.05 * _noise(p, 0.0018, rng) + 0.05 * _noise(p, 0.03, rng)
    seam = 1 - 0.25 * np.exp(-(((depth - 0.014) / 0.0012) ** 2)) - 0.30 * np.exp(-((depth / 0.0016) ** 2))
    colour[own] += cloth[:, None] * (np.float32(looks.cloth) * (weave * seam)[:, None] - colour[own])
    gloss[own] += cloth * (CLOTH_GLOSS - gloss[own])


def _eye(t: Texels, looks: Looks, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    low, high = t.uv.min(axis=0), t.uv.max(axis=0)
    x, y = ((t.uv - (low + high) / 2) / ((high - low) / 2)).T
    turn, around = np.hypot(x, y) * EYE_EDGE, np.arctan2(y, x)
    white = np.float32([214, 206, 200]) * (1 - 0.16 * smoothstep(0.3, 1.1, turn))[:, None]
    ring = np.stack([np.cos(around), np.sin(around), 0.15 * turn / IRIS], axis=1)
    fibres = 1 + 0.22 * _noise(ring, 0.06, rng) + 0.12 * _noise(ring, 0.02, rng)
    depth = turn / IRIS
    iris = np.float32(looks.iris) * (fibres * (0.80 + 0.45 * smoothstep(0.95, 0.45, depth)))[:, None]
    iris *= (1 - 0.65 * smoothstep(0.78, 1.0, depth))[:, None]
    colour = white + smoothstep(1.06, 0.94, depth)[:, None] * (iris - white)
    colour += smoothstep(PUPIL + 0.02, PUPIL - 0.02, turn)[:, None] * (np.float32([10, 8, 8]) - colour)
    return colour, np.full(len(turn), EYE_GLOSS, np.float32)


def _teeth(t: Texels, looks: Looks, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = np.abs(t.points[:, 0])
    back = smoothstep(0.011, 0.019, x)  # only the front teeth catch light; at the corners of the mouth they'd be specks
    gaps = 1 - 0.25 * np.abs(np.cos(np.pi * x / 0.0075)) ** 24
    colour = np.float32([206, 196, 176]) * (gaps * (1 - 0.85 * back))[:, None]
    return colour, TEETH_GLOSS * (1 - back)


def _tongue(t: Texels, looks: Looks, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    colour = np.float32([150, 74, 72]) * (1 + 0.05 * _noise(t.points, 0.002, rng))[:, None]
    return colour, np.full(len(colour), SKIN_GLOSS, np.float32)


def _hanging(t: Texels, looks: Looks, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x, y = t.uv.T
    strands = _noise(np.stack([x, 0.02 * y, 0 * x], axis=1), 0.0022, rng)
    locks = _noise(np.stack([x, 0.06 * y, 0 * x], axis=1), 0.012, rng)
    colour = np.float32(looks.hair) * (1 + 0.2 * strands + 0.12 * locks)[:, None]
    return colour, np.full(len(x), HAIR_GLOSS, np.float32)
