"""Faces for the depth network, in every pose, light and mood that a lab may see: embedded ones, and scans.

A sitter is one painted skin and head of hair of a person whom no corpus shows. Each shot of a sitter has another shape
of face, another expression, turn, distance, light and backdrop, because paint is what costs
(:func:`mer_lib.synth.identity.another_face`). Sitters, not shots, are kept apart by training and test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mer_lib.faces.detect import Face
from mer_lib.geometry.scan import Scan, read_scan
from mer_lib.geometry.shots import Shot, shoot
from mer_lib.problems import BadInput, note
from mer_lib.render.camera import Camera, facing
from mer_lib.render.scene import Light, Renderer
from mer_lib.synth import filming, regions
from mer_lib.synth.dynamics import stream
from mer_lib.synth.head import ACTION_UNITS
from mer_lib.synth.identity import Identity, another_face, make_identity

SIDE = 256  # pixels of the picture that the crop is cut from
EYES = (0.19, 0.27)  # distance between the pupils as a share of the picture
METRES = (0.5, 1.6)  # from the camera to the eyes
PLACE = 0.006  # metres that the head stands beside the middle (standard deviation)
MOVING = 3  # action units of a shot, in the mean
GAZE = 6.0  # degrees (standard deviation)
BACKDROPS = 0.6  # share of shots before something busier than a wall
GRIDS = (2, 3, 5, 9, 17, 33)  # cells of the coarse pictures that a backdrop is made of


@dataclass(frozen=True)
class Studio:
    """How shots are taken. turn: degrees of yaw, pitch and roll (standard deviations; at most twice that); size,
    margin, min_probability: of the crop; detector: of faces; seed: of everything that is drawn."""

    detector: Callable[[np.ndarray], list[list[Face]]]
    seed: int
    turn: tuple[float, float, float]
    size: int
    margin: float
    min_probability: float

    def crop(self) -> dict[str, Any]:
        """The options of the crop."""
        return {"size": self.size, "margin": self.margin, "min_probability": self.min_probability}

    def draw(self, name: str, at: int) -> tuple[np.random.Generator, np.ndarray]:
        """The random numbers of a shot, and the degrees (3,) that the head is turned by in it."""
        rng = stream(self.seed, f"depth/{name}/{at}", "shot")
        return rng, np.clip(rng.normal(0, 1, 3), -2, 2) * self.turn


def sitter(name: str, count: int, studio: Studio) -> dict[str, np.ndarray]:
    """``count`` shots of the sitter of that name.

    Returns frames (n, S, S, 3) uint8 RGB; depth (n, S, S) float32 in interocular distances, NaN off the surface (skin,
    eyes, short hair; neither the shirt nor hair that hangs); landmarks (n, 5, 2) float32 pixels; turn (n, 3) float32
    degrees. A shot in which no face is found is left out and noted; BadInput where none is left.

    Identities are drawn from strings that no corpus's can be: those begin with a number.
    """
    person = make_identity(f"depth/{studio.seed}/{name}")
    faces = person.surface.faces
    shown = bare(person)[faces].all(axis=1)

    def take(renderer: Renderer, at: int) -> tuple[Shot, np.ndarray]:
        rng, angles = studio.draw(name, at)
        face = another_face(person, f"{studio.seed}/{name}/{at}")
        vertices = _moved(face, angles, rng)
        return _photograph(renderer, vertices, vertices[face.head.pupils], shown, np.eye(3), rng, studio), angles

    with Renderer(_lens(1.0, 1.0), person.surface) as renderer:
        return _stacked(name, [partial(take, renderer, at) for at in range(count)])


def scanned(name: str, scans: list[Path], count: int, studio: Studio) -> dict[str, np.ndarray]:
    """``count`` shots of each scan of one person, as :func:`sitter` returns them. A scan that cannot be used is left
    out and noted; BadInput where none is left."""

    def take(scan: Scan, renderer: Renderer, at: int) -> tuple[Shot, np.ndarray]:
        rng, angles = studio.draw(name, at)
        turn = facing(1.0, yaw=angles[0], pitch=angles[1], roll=angles[2])[:3, :3] * ((1,), (-1,), (-1,))
        everything = np.ones(len(scan.surface.faces), bool)
        return _photograph(renderer, scan.vertices, scan.pupils, everything, turn, rng, studio), angles

    found = []
    for number, path in enumerate(scans):
        try:
            scan = read_scan(path, studio.detector)
            with Renderer(_lens(1.0, 1.0), scan.surface) as renderer:
                shots = [partial(take, scan, renderer, number * count + at) for at in range(count)]
                found.append(_stacked(name, shots))
        except BadInput as error:
            note(error.problem.what, error.problem.remedy, file=error.problem.file or path, clip=name)
    if not found:
        raise BadInput(f"none of {len(scans)} scans can be used", "see the notes on each", clip=name)
    return {key: np.concatenate([shots[key] for shots in found]) for key in found[0]}


def _stacked(name: str, takes: list[Callable[[], tuple[Shot, np.ndarray]]]) -> dict[str, np.ndarray]:
    """The shots that show a face, as a store holds them."""
    found = []
    for at, take in enumerate(takes):
        try:
            found.append(take())
        except BadInput as error:
            note(f"shot {at} is left out: {error.problem.what}", "nothing to do, there are others", clip=name)
    if not found:
        raise BadInput(
            f"no face was found in {len(takes)} shots", "lower faces.min_probability or scans.turn", clip=name
        )
    return {
        "frames": np.stack([shot.frame for shot, _ in found]),
        "depth": np.stack([shot.depth for shot, _ in found]),
        "landmarks": np.stack([shot.landmarks for shot, _ in found]),
        "turn": np.array([angles for _, angles in found], np.float32),
    }


def _photograph(
    renderer: Renderer,
    vertices: np.ndarray,
    pupils: np.ndarray,
    shown: np.ndarray,
    turn: np.ndarray,
    rng: np.random.Generator,
    studio: Studio,
) -> Shot:
    """One shot of vertices (V, 3) turned by ``turn`` (3, 3): from anywhere, in any light, before any backdrop."""
    distance = np.exp(rng.uniform(*np.log(METRES)))
    camera = renderer.camera = _lens(rng.uniform(*EYES), distance)
    pose = facing(distance, shift=rng.normal((0, filming.HEIGHT), PLACE))
    pose[:3, :3] = pose[:3, :3] @ turn
    light = filming.lamps(rng) if rng.random() < 0.5 else _harsh(rng)
    backdrop = _backdrop(SIDE, rng) if rng.random() < BACKDROPS else filming.wall(SIDE, rng)
    picture = filming.Sensor(rng).expose(renderer.picture(vertices, pose, light, backdrop), rng.uniform(0.6, 1.5))
    faces = renderer.surface.faces
    return shoot(picture, vertices, pose, camera, faces, shown, pupils, studio.detector, **studio.crop())


def _lens(eyes: float, distance: float) -> Camera:
    """A camera in which pupils at ``distance`` metres are ``eyes`` of the picture apart."""
    return Camera(SIDE, SIDE, eyes * SIDE * distance / filming.PUPILS)


def bare(person: Identity) -> np.ndarray:
    """(V,) bool: vertices of the head itself, which no shirt covers."""
    head = person.head
    return (regions.below_collar(head.vertices) < 0) & ~head.vertices_of("hair")


def _moved(person: Identity, angles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The person's vertices (V, 3) with some expression, a gaze, and the head turned by ``angles`` (3,) degrees."""
    weights = np.zeros((1, len(ACTION_UNITS), 2), np.float32)
    moving = rng.permutation(len(ACTION_UNITS))[: rng.poisson(MOVING)]
    weights[0, moving] = rng.uniform(0.1, 0.9, (len(moving), 1)) * rng.uniform(0.7, 1.0, (len(moving), 2))
    moved = person.deform(weights, rng.normal(0, GAZE, (1, 2)).astype(np.float32))
    return person.turn(moved, *angles[:, None])[0]


def _harsh(rng: np.random.Generator) -> Light:
    """Light as it comes: from anywhere in front, dim or bright, warm or cold."""
    warmth = rng.normal(0, 0.12)
    return Light(
        key=rng.uniform(0.2, 1.0),
        key_from=(rng.uniform(-80, 80), rng.uniform(-20, 70)),
        fill=rng.uniform(0.0, 0.5),
        fill_from=(rng.uniform(-80, 80), rng.uniform(-30, 60)),
        room=rng.uniform(0.12, 0.5),
        tint=(1 + warmth, 1.0, 1 - warmth),
    )


def _backdrop(size: int, rng: np.random.Generator) -> np.ndarray:
    """(S, S, 3) uint8: patches, stripes and gradients of any colour, as shelves, windows and flags are."""
    picture = np.full((size, size, 3), rng.uniform(0, 255, 3), np.float32)
    for _ in range(rng.integers(1, 4)):
        cells = rng.choice(GRIDS, 2)
        coarse = rng.normal(0, rng.uniform(20, 90), (*cells, 3)).astype(np.float32)
        if rng.random() < 0.5:
            coarse = coarse.mean(axis=2, keepdims=True).repeat(3, axis=2)
        how = cv2.INTER_NEAREST if rng.random() < 0.4 else cv2.INTER_CUBIC
        picture += cv2.resize(coarse, (size, size), interpolation=how)
    return np.clip(picture, 0, 255).astype(np.uint8)
