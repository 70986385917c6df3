"""What every descriptor of flow asks of its input."""

from __future__ import annotations

import numpy as np

from mer_lib.problems import BadInput


def check_fields(flow: np.ndarray, strain: np.ndarray) -> None:
    """BadInput unless ``flow`` is (N, H, W, 2) and ``strain`` its (N, H, W), all finite."""
    if flow.ndim != 4 or flow.shape[-1] != 2 or flow.shape[:-1] != strain.shape:
        raise BadInput(
            f"flow of shape {flow.shape} with strain of shape {strain.shape}", "give (N, H, W, 2) and (N, H, W)"
        )
    if not (np.isfinite(flow).all() and np.isfinite(strain).all()):
        raise BadInput("flow or strain that is not finite", "recompute the clip's flow from its frames")
