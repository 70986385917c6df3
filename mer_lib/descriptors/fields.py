"""What every descriptor of flow asks of its input."""

from __future__ import annotations

import numpy as np

from mer_lib.problems import BadInput


def check_fields(flow: np.ndarray, strain: np.ndarray | None = None) -> None:
    """BadInput unless ``flow`` is (N, H, W, 2) and ``strain``, where given, its (N, H, W), all finite."""
    if flow.ndim != 4 or flow.shape[-1] != 2 or (strain is not None and flow.shape[:-1] != strain.shape):
        beside = "" if strain is None else f" with strain of shape {strain.shape}"
        raise BadInput(f"flow of shape {flow.shape}{beside}", "give (N, H, W, 2) and (N, H, W)")
    if not (np.isfinite(flow).all() and (strain is None or np.isfinite(strain).all())):
        raise BadInput("flow or strain that is not finite", "recompute the clip's flow from its frames")
