"""Pictures as data URIs, so that the page carries them: frames, flow in colour, strain."""

from __future__ import annotations

import base64
import io

import matplotlib
import numpy as np
from markupsafe import Markup
from PIL import Image

from mer_lib.motion import colour
from mer_lib.report import ui

_BRIGHTEST = 99.5  # per cent of the pixels stay below the brightest colour
_STRAIN = "magma"  # perceptually even, readable without colour vision and in grey


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
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, form, **options)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    height, width = pixels.shape[:2]
    return ui.render("image.html.j2", kind=form.lower(), data=data, alt=alt, width=width, height=height)
