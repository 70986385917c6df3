"""A ball with a pattern on it, seen by a crop's camera: pictures, depth and views of it can be worked out by hand."""

from __future__ import annotations

import numpy as np

from mer_lib.faces import align
from mer_lib.geometry import mesh

SIZE, FOV = 96, 20.0
LANDMARKS = align.template(SIZE, 0.15)
CAMERA = mesh.crop_camera(SIZE, FOV)
EYES = mesh.eyes_place(CAMERA, LANDMARKS)
RADIUS = 1.2 * mesh.PUPILS
CENTRE = EYES + np.array([0, 0.5 * mesh.PUPILS, RADIUS])  # in the camera's axes: x right, y down, z forward
PIXELS = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1).astype(float)


def rays(camera, pixels=PIXELS):
    """Directions (..., 3) of pixels' lines of sight, z = 1."""
    flat = (pixels - np.asarray(camera.centre)) / camera.focal
    return np.concatenate([flat, np.ones((*pixels.shape[:-1], 1))], axis=-1)


def hit(start, ray, centre=CENTRE):
    """Where rays (..., 3) from a point meet the ball first, NaN where they miss it: (..., 3)."""
    off = start - centre
    a, b, c = (ray**2).sum(-1), 2 * (ray * off).sum(-1), (off**2).sum(-1) - RADIUS**2
    root = b * b - 4 * a * c
    with np.errstate(invalid="ignore"):
        return start + ray * ((-b - np.sqrt(root)) / (2 * a))[..., None]


def depth(centre=CENTRE):
    """The depth map (S, S) float32 of the ball, interocular distances from the eyes, NaN beside it."""
    return ((hit(np.zeros(3), rays(CAMERA), centre)[..., 2] - EYES[2]) / mesh.PUPILS).astype(np.float32)


def pattern(pixels):
    """Colours (..., 3) of the frontal picture at pixels (..., 2): waves of about ten pixels, no two alike."""
    u, v = np.moveaxis(pixels, -1, 0)
    waves = [
        np.sin(0.6 * u + 0.25 * v) + np.sin(0.5 * v),
        np.sin(0.55 * v - 0.3 * u),
        np.sin(0.45 * u) * np.sin(0.5 * v),
    ]
    return 128 + 45 * np.stack(waves, axis=-1)


def frame(moved=None, centre=CENTRE):
    """The frontal picture (S, S, 3) uint8 before a grey wall; moved: pixels (S, S, 2) the pattern has moved by."""
    picture = pattern(PIXELS if moved is None else PIXELS - moved)
    picture[np.isnan(depth(centre))] = 128
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def clip(count=1, noise=0.0, blur=4.0, seed=0):
    """frames, depth and landmarks of a ball at rest; noise: interocular distances, rms of the depth's error, which is
    as blotchy as a Gaussian of ``blur`` pixels."""
    from scipy import ndimage

    errors = np.random.default_rng(seed).standard_normal((count, SIZE, SIZE))
    errors = ndimage.gaussian_filter(errors, (0, blur, blur))
    known = np.repeat(depth()[None], count, axis=0)
    if noise:
        known = known + (noise * errors / errors.std()).astype(np.float32)
    return np.repeat(frame()[None], count, axis=0), known, np.repeat(LANDMARKS[None], count, axis=0)
