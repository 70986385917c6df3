"""Optical strain: how a flow field deforms the face, blind to translation and to small rotations of the head.

Infinitesimal strain ε = ½(∇u + ∇uᵀ) of the displacement (u, v), brought to facial expressions by Shreve et al. (Towards
macro- and micro-expression spotting in video using strain patterns, WACV 2009). Pixels by pixels, so without a unit.
"""

from __future__ import annotations

import numpy as np

from mer_lib.problems import BadInput


def strain(flow: np.ndarray) -> np.ndarray:
    """Strain magnitude |ε| = √(ε_xx² + ε_yy² + ½(∂u/∂y + ∂v/∂x)²), all four components of the symmetric tensor.

    (…, H, W, 2) float, pixels → (…, H, W) float32, no unit. See ``tensor`` for the derivatives.
    (The tutorial of See et al. 2020 prints ∂u/∂x inside the bracket: a slip.)
    """
    xx, yy, xy = np.moveaxis(tensor(flow), -1, 0)
    return np.sqrt(xx**2 + yy**2 + 2 * xy**2)


def tensor(flow: np.ndarray) -> np.ndarray:
    """The components ε_xx = ∂u/∂x, ε_yy = ∂v/∂y, ε_xy = ½(∂u/∂y + ∂v/∂x).

    (…, H, W, 2) float, pixels → (…, H, W, 3) float32. Central differences, one-sided at the border.
    Raises BadInput where the field is not a flow or is less than two pixels high or wide.
    """
    if flow.ndim < 3 or flow.shape[-1] != 2 or min(flow.shape[-3:-1]) < 2:
        raise BadInput(f"a field of shape {flow.shape}", "give flow (…, H, W, 2) of at least 2×2 pixels")
    flow = flow.astype(np.float32, copy=False)
    u_y, u_x = np.gradient(flow[..., 0], axis=(-2, -1))
    v_y, v_x = np.gradient(flow[..., 1], axis=(-2, -1))
    return np.stack([u_x, v_y, (u_y + v_x) / 2], axis=-1)
