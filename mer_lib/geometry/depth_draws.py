"""What is drawn anew each time a shot is learned from: so that a rendered face teaches something about real ones.

The colour jitter is paper A's. Mirror, blur, noise and things before the face are ours: rendered pictures are sharper
and cleaner than a camera's, and nothing ever hides them.
"""

from __future__ import annotations

import cv2
import numpy as np

BRIGHTNESS, CONTRAST, SATURATION, HUE = 0.2, 0.2, 0.2, 0.1  # reach of the factors; hue as a share of the circle
JITTERED = 0.5  # share of pictures
BLURRED, SIGMA = 0.5, (0.3, 1.4)  # share, pixels
NOISY, NOISE = 0.5, 8.0  # share, grey levels at most
HIDDEN = 0.15  # share of pictures with something before the face
_GREY = np.float32([0.299, 0.587, 0.114])
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def drawn(frame: np.ndarray, depth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A variant of a shot: frame (S, S, 3) uint8 and depth (S, S) float32, NaN off the face, likewise."""
    picture, depth = frame.astype(np.float32), depth.copy()
    if rng.random() < 0.5:
        picture, depth = picture[:, ::-1], depth[:, ::-1]
    if rng.random() < HIDDEN:
        picture, depth = _behind_something(picture.copy(), depth.copy(), rng)
    if rng.random() < JITTERED:
        picture = jittered(picture, rng)
    if rng.random() < BLURRED:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(*SIGMA))
    if rng.random() < NOISY:
        picture = picture + rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(0, NOISE))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), depth


def jittered(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture (S, S, 3) float32, 0 to 255, with other brightness, contrast, saturation and hue.

    Hue is turned in the plane of YIQ, which is linear and keeps brightness.
    """
    bright, contrast, saturation = (1 + rng.uniform(-r, r) for r in (BRIGHTNESS, CONTRAST, SATURATION))
    angle = 2 * np.pi * rng.uniform(-HUE, HUE)
    picture = np.clip(picture * np.float32(bright), 0, 255)
    picture = np.clip((picture @ _GREY).mean() * (1 - contrast) + picture * contrast, 0, 255)
    grey = (picture @ _GREY)[..., None]
    picture = np.clip(grey * (1 - saturation) + picture * saturation, 0, 255)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    return np.clip(picture @ (np.linalg.inv(_TO_YIQ) @ turn @ _TO_YIQ).T.astype(np.float32), 0, 255)


def _behind_something(picture: np.ndarray, depth: np.ndarray, rng: np.random.Generator):
    """A hand, a sleeve, a strand: an ellipse of one colour, shaded, that reaches in from the picture's edge."""
    size = len(picture)
    angle = rng.uniform(0, 2 * np.pi)
    out = np.array([np.cos(angle), np.sin(angle)])
    centre = size / 2 + out * size * rng.uniform(0.4, 0.7)
    axes = size * rng.uniform((0.15, 0.05), (0.45, 0.2))
    mask = np.zeros((size, size), np.uint8)
    tilt = np.degrees(angle) + rng.normal(0, 25)
    cv2.ellipse(mask, (tuple(map(float, centre)), tuple(map(float, 2 * axes)), float(tilt)), 1, -1)
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    shade = 1 + rng.uniform(-0.4, 0.4) * rows + rng.uniform(-0.4, 0.4) * columns
    where = mask.astype(bool)
    picture[where] = np.clip(shade[..., None] * np.float32(rng.uniform(10, 245, 3)), 0, 255)[where]
    depth[where] = np.nan
    return picture, depth
