"""The embedded head: a mesh, the shapes that make it somebody, and the shapes that make it move.

Everything is linear and in metres, in the axes of :mod:`mer_lib.render.camera` (x to the subject's left, y up, z out of
the face), with the origin between the eyes. HEAD.md says where the data come from and what may be done with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from scipy import sparse

# Action unit -> face shapes and their weights at full strength. A name without a side stands for Left and Right, or
# for one shape that moves both; `Head.action_units` cuts the latter in two, so that every unit can be one-sided.
ACTION_UNITS: dict[int, dict[str, float]] = {
    1: {"browInnerUp": 1},
    2: {"browOuterUp": 1},
    4: {"browDown": 1},
    5: {"eyeWide": 1},
    6: {"cheekSquint": 1},
    7: {"eyeSquint": 1},
    9: {"noseSneer": 1},
    10: {"mouthUpperUp": 1},
    12: {"mouthSmile": 1},
    14: {"mouthDimple": 1},
    15: {"mouthFrown": 1},
    16: {"mouthLowerDown": 1},
    17: {"mouthShrugLower": 1, "mouthShrugUpper": 0.4},
    18: {"mouthPucker": 1},
    20: {"mouthStretch": 1},
    22: {"mouthFunnel": 1},
    23: {"mouthRollUpper": 0.5, "mouthRollLower": 0.5, "mouthPress": 0.5},
    24: {"mouthPress": 1},
    25: {"jawOpen": 0.12, "mouthLowerDown": 0.2},
    26: {"jawOpen": 0.4},
    28: {"mouthRollUpper": 1, "mouthRollLower": 1},
    45: {"eyeBlink": 1},
}
SIDES = ("Left", "Right")
GAZES = ("eyeLookOut", "eyeLookIn", "eyeLookUp", "eyeLookDown")
MIDLINE = 0.012  # metres on either side over which a shape of both sides fades from one to the other


@dataclass(frozen=True)
class Head:
    """The average head.

    vertices: (V, 3) float32 metres; faces: (M, 3) int32; corners: (R,) int32, the vertex of each texture coordinate;
    uv: (R, 2) float32, v up; uv_faces: (M, 3) int32; part: (M,) str ('skin', 'eye', 'teeth', 'tongue', 'hair');
    masks: name -> (V,) float32 between 0 and 1 ('lips', 'eyelids', 'ears', 'face', 'inside-mouth');
    occlusion: (V,) float32, the share of the light from all around that reaches a vertex;
    landmarks: (68,) int32, the vertices that are iBUG's points (jaw, brows, nose, eyes, mouth);
    names: of the shapes; shapes: (K, 3 V) float32 sparse, their displacements in metres.
    """

    vertices: np.ndarray
    faces: np.ndarray
    corners: np.ndarray
    uv: np.ndarray
    uv_faces: np.ndarray
    part: np.ndarray
    masks: dict[str, np.ndarray]
    occlusion: np.ndarray
    landmarks: np.ndarray
    names: tuple[str, ...]
    shapes: sparse.csr_array

    def blend(self, weights: Mapping[str, float]) -> np.ndarray:
        """The sum of weighted shapes: displacements (V, 3) float32 in metres."""
        row = np.zeros(len(self.names), np.float32)
        for name, weight in weights.items():
            row[self.names.index(name)] += weight
        return (self.shapes.T @ row).reshape(-1, 3)

    def vertices_of(self, *parts: str) -> np.ndarray:
        """(V,) bool: the vertices of the named parts."""
        found = np.zeros(len(self.vertices), bool)
        found[self.faces[np.isin(self.part, parts)]] = True
        return found

    @property
    def pupils(self) -> np.ndarray:
        """(2,) vertices: the foremost of each eye, the subject's left one first."""
        eyes = self.vertices_of("eye")
        return np.array([_foremost(self.vertices, eyes & (side * self.vertices[:, 0] > 0)) for side in (1, -1)])

    def action_units(self) -> np.ndarray:
        """What each action unit moves at full strength: (A, 2, V, 3) float32 metres, in the order of ``ACTION_UNITS``;
        the second axis is the subject's left and right."""
        return np.stack([sum(w * self._sides(name) for name, w in unit.items()) for unit in ACTION_UNITS.values()])

    def gazes(self) -> np.ndarray:
        """What turning each eye moves: (4, 2, V, 3) float32 metres, in the order of ``GAZES``."""
        return np.stack([self._sides(name) for name in GAZES])

    @cached_property
    def movements(self) -> np.ndarray:
        """All of :meth:`action_units` and then of :meth:`gazes`, a row a unit or gaze and side: (2 A + 8, 3 V)."""
        units, gazes = self.action_units(), self.gazes()
        return np.concatenate([units.reshape(-1, units[0, 0].size), gazes.reshape(-1, gazes[0, 0].size)])

    def _sides(self, name: str) -> np.ndarray:
        if name + SIDES[0] in self.names:
            return np.stack([self.blend({name + side: 1}) for side in SIDES])
        whole = self.blend({name: 1})
        left = np.clip(self.vertices[:, :1] / (2 * MIDLINE) + 0.5, 0, 1)
        return np.stack([whole * left, whole * (1 - left)])


def _foremost(vertices: np.ndarray, among: np.ndarray) -> int:
    return int(np.argmax(np.where(among, vertices[:, 2], -np.inf)))


@cache
def load_head() -> Head:
    """The head of this package."""
    with np.load(Path(__file__).with_name("head.npz")) as data:
        arrays = dict(data)
    count, shapes = len(arrays["vertices"]), len(arrays["names"])
    start, index = arrays["start"] * 3, arrays["index"].astype(np.int32)
    columns = (3 * index[:, None] + np.arange(3, dtype=np.int32)).ravel()
    moves = arrays["delta"].T.ravel() * arrays["step"]
    return Head(
        vertices=arrays["vertices"],
        faces=arrays["faces"].astype(np.int32),
        corners=arrays["corners"].astype(np.int32),
        uv=arrays["uv"],
        uv_faces=arrays["uv_faces"].astype(np.int32),
        part=arrays["part_names"][arrays["part"]],
        masks=dict(zip(arrays["mask_names"].tolist(), arrays["masks"].astype(np.float32) / 255, strict=True)),
        occlusion=arrays["occlusion"].astype(np.float32) / 255,
        landmarks=arrays["landmarks"].astype(np.int32),
        names=tuple(arrays["names"].tolist()),
        shapes=sparse.csr_array((moves.astype(np.float32), columns, start), shape=(shapes, 3 * count)),
    )
