"""How wrong a depth map is, in the units that people read: millimetres, shares of the face's depth, degrees."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mer_lib.geometry.shots import MILLIMETRES

KEYS = ("mae_mm", "relative", "normal_degrees", "overlap")
_ENDS = (1, 99)  # percentiles of the true depth: how deep the face is, without its last pixels


def errors(found: np.ndarray, truth: np.ndarray, limit: float, pitch: float) -> dict[str, float]:
    """Of one map: found, truth (S, S) in interocular distances; ``limit``: depth from which on there is no face.

    NaN in either is no face. pitch: interocular distances a pixel. Returns ``mae_mm``, mean absolute error over the
    true surface (where none was found, against ``limit``); ``relative``, the same as a share of the true face's depth;
    ``normal_degrees``, mean angle between normals where both have them; ``overlap``, intersection over union of the
    surfaces. NaN where there is nothing to compare.
    """
    found, truth = (np.where(np.isnan(d), limit, np.minimum(d, limit)) for d in (found, truth))
    seen, surface = found < limit, truth < limit
    if not surface.any():
        return dict.fromkeys(KEYS, np.nan)
    away = np.abs(found - truth)[surface].mean()
    low, high = np.percentile(truth[surface], _ENDS)
    one, other = (normals(np.where(d < limit, d, np.nan), pitch) for d in (found, truth))
    angle = np.degrees(np.arccos(np.clip((one * other).sum(axis=-1), -1, 1)))
    figures = (
        float(away * MILLIMETRES),
        float(away / (high - low)) if high > low else np.nan,
        float(np.nanmean(angle)) if np.isfinite(angle).any() else np.nan,
        float((seen & surface).sum() / (seen | surface).sum()),
    )
    return dict(zip(KEYS, figures, strict=True))


def normals(depth: np.ndarray, pitch: float) -> np.ndarray:
    """Unit normals (S, S, 3), x right, y down, z to the camera, of a map (S, S) seen from afar, by central differences;
    NaN beside what is no surface."""
    down, right = np.gradient(depth.astype(np.float64), pitch)
    normal = np.stack([right, down, np.ones_like(down)], axis=-1)
    return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


def mean_errors(rows: Iterable[dict[str, float]]) -> dict[str, float]:
    """The mean of each figure over maps, to five digits; NaN where none has it."""
    rows = list(rows)
    table = {name: np.array([row[name] for row in rows], float) for name in rows[0]}
    return {n: round(float(v[np.isfinite(v)].mean()), 5) if np.isfinite(v).any() else np.nan for n, v in table.items()}
