"""Pictures as data URIs, so that the page carries them: frames, flow in colour, strain, short films."""

from __future__ import annotations

import base64
import io

import cv2
import matplotlib
import numpy as np
from markupsafe import Markup
from PIL import Image

from mer_lib.motion import colour
from mer_lib.report import ui

_BRIGHTEST = 99.5  # per cent of the pixels stay below the brightest colour
_STRAIN = "magma"  # perceptually even, readable without colour vision and in grey
_NOTHING = 128  # grey level of what has no value
_FILM = {"format": "WEBP", "quality": 60, "method": 4}  # some 3 kB a frame of 256 × 128 pixels


def photo(frame: np.ndarray, alt: str) -> Markup:
    """A frame (H, W, 3) uint8 RGB; JPEG, since a page of lossless frames would be megabytes."""
    return _image(frame, alt, "JPEG", quality=90)


def flow(field: np.ndarray, alt: str) -> Markup:
    """Flow (H, W, 2) in colour, full colour at its longest vector."""
    return _image(colour.encode(field), alt, "PNG")


def strain(field: np.ndarray, alt: str) -> Markup:
    """Strain (H, W) from black (0) to pale yellow: a single torn pixel at the border must not darken all the others."""
    top = float(np.percentile(field, _BRIGHTEST))
    return _image(_coloured(np.minimum(field / top, 1) if top > 0 else np.zeros_like(field)), alt, "PNG")


def depth(field: np.ndarray, alt: str, ends: tuple[float, float]) -> Markup:
    """A map (H, W) from pale yellow (``ends[0]``, near) to black (``ends[1]``, far), grey where it is NaN."""
    share = np.clip((ends[1] - field) / (ends[1] - ends[0]), 0, 1)
    return _image(np.where(np.isnan(field)[..., None], _NOTHING, _coloured(share)).astype(np.uint8), alt, "PNG")


def attended(frame: np.ndarray, activation: np.ndarray, alt: str) -> Markup:
    """A frame (H, W, 3) under an activation (h, w) not below 0: the stronger, the more of its colour."""
    share = cv2.resize(activation.astype(np.float64), frame.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    share /= max(float(share.max()), 1e-12)
    cover = 0.75 * share[..., None]
    return photo((frame * (1 - cover) + _coloured(share) * cover).astype(np.uint8), alt)


def strips(frames: np.ndarray, marks: np.ndarray, alt: str) -> Markup:
    """Frames (n, H, W, C) of any values in grey, one beside the other, and below each what is marked in it; a pair of
    rows a channel, every pixel twice as large.
    """
    frames = frames.astype(np.float32)  # bytes would overflow
    low, high = frames.min(axis=(0, 1, 2)), frames.max(axis=(0, 1, 2))
    grey = 255 * (frames - low) / np.maximum(high - low, 1e-6)
    rows = [each[..., c] for c in range(frames.shape[-1]) for each in (grey, 255 * marks)]
    whole = np.concatenate([np.concatenate(list(row), axis=1) for row in rows]).astype(np.uint8)
    return _image(whole.repeat(2, axis=0).repeat(2, axis=1), alt, "PNG")


def faded(frame: np.ndarray) -> np.ndarray:
    """A frame (H, W, 3) uint8 without colour and pale, as one that was left out."""
    grey = frame.mean(axis=2, keepdims=True)
    return np.broadcast_to(170 + 0.3 * (grey - 128), frame.shape).astype(np.uint8)


def film(frames: np.ndarray, alt: str, *, still: int, milliseconds: int = 80) -> Markup:
    """Frames (T, H, W, 3) uint8 RGB as an endless animation; frame ``still`` on paper and where no motion is wanted."""
    pictures = [Image.fromarray(np.ascontiguousarray(frame)) for frame in frames]
    moving = _encoded(pictures[0], save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0, **_FILM)
    height, width = frames.shape[1:3]
    return ui.render(
        "film.html.j2", moving=moving, still=_encoded(pictures[still], **_FILM), alt=alt, width=width, height=height
    )


def wheel() -> Markup:
    """What the colours of flow mean."""
    return _image(colour.legend(), "Colour wheel: each point shows the colour of motion from the centre to it", "PNG")


def strain_scale() -> Markup:
    """What the colours of strain mean."""
    ramp = np.tile(np.linspace(0, 1, 128), (12, 1))
    return _image(_coloured(ramp), "Scale of strain: black is none, pale yellow the strongest of the clip", "PNG")


def _coloured(share: np.ndarray) -> np.ndarray:
    return matplotlib.colormaps[_STRAIN](share, bytes=True)[..., :3]


def _image(pixels: np.ndarray, alt: str, form: str, **options) -> Markup:
    data = _encoded(Image.fromarray(np.ascontiguousarray(pixels)), format=form, **options)
    height, width = pixels.shape[:2]
    return ui.render("image.html.j2", kind=form.lower(), data=data, alt=alt, width=width, height=height)


def _encoded(picture: Image.Image, **options) -> str:
    """A picture file in base64."""
    buffer = io.BytesIO()
    picture.save(buffer, **options)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
