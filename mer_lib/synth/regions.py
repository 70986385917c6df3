"""Where on the head things are: brows, hair, beard, collar, wrinkles, blush.

Everything is a function of points on the *average* head (N, 3), in metres (see :mod:`mer_lib.synth.head`), so that it
follows every identity and every expression. Shares are float32 between 0 and 1.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.spatial import cKDTree

AXIS = -0.075  # z of the skull's upright axis
# Lower edge of the hair around the head: degrees from the front, height in metres. Temple, sideburn, ear, nape.
HAIRLINE = PchipInterpolator(
    [0, 18, 34, 48, 62, 74, 86, 96, 108, 122, 140, 180],
    [0.069, 0.070, 0.062, 0.047, 0.030, 0.002, -0.012, 0.010, 0.000, -0.040, -0.066, -0.074],
)
RECEDING = PchipInterpolator([0, 20, 40, 60, 90, 180], [0.014, 0.026, 0.030, 0.012, 0.0, 0.0])  # added to it
# Lines on the front of the face, x outwards and y up, in millimetres.
BROW = np.array([(10.5, 15.2), (17, 17.6), (27, 20.0), (36, 21.0), (45, 18.2), (52.5, 13.2)]) / 1000
UPPER_LID = [(20.5, -0.9), (21.8, 1.5), (23.5, 2.5), (27.1, 3.4), (31.4, 4.1), (35.1, 4.1), (38.5, 3.7), (42.2, 2.4)]
UPPER_LID = np.array([*UPPER_LID, (43.5, -0.3)]) / 1000
LOWER_LID = [(20.4, -1.3), (22.2, -2.7), (24.0, -3.0), (27.7, -3.5), (31.0, -3.7), (35.3, -3.7), (38.1, -3.2)]
LOWER_LID = np.array([*LOWER_LID, (42.5, -1.8), (43.5, -0.7)]) / 1000


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def blob(points: np.ndarray, x: float, y: float, width: float, height: float) -> np.ndarray:
    """A soft spot on both sides of the front of the face."""
    spot = np.exp(-(((np.abs(points[:, 0]) - x) / width) ** 2) - ((points[:, 1] - y) / height) ** 2)
    return spot * smoothstep(-0.06, -0.03, points[:, 2])


def above_hairline(points: np.ndarray, style: str) -> np.ndarray:
    """Height (N,) in metres of the points above the lower edge of the hair."""
    around = np.degrees(np.arctan2(np.abs(points[:, 0]), points[:, 2] - AXIS))
    edge = HAIRLINE(around) + (RECEDING(around) if style == "receding" else 0)
    height = points[:, 1] - edge
    if style == "bald":
        height = np.minimum(height, 0.045 + 0.03 * (around / 90 - 1) - points[:, 1])
        height = np.where(around < 70, -0.02, height)
    return height


def beard(points: np.ndarray) -> np.ndarray:
    """Where a beard grows: lip, chin, jaw, down to the throat."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    cheek = -0.052 + 0.55 * np.maximum(x - 0.032, 0)  # the upper edge rises to the sideburns
    under_nose = smoothstep(-0.046, -0.052, y) * smoothstep(0.036, 0.024, x)
    jaw = smoothstep(cheek + 0.006, cheek - 0.012, y) * smoothstep(0.016, 0.030, np.hypot(x, (y + 0.066) * 1.6))
    throat = smoothstep(-0.150, -0.115, y + 0.25 * (z + 0.03))
    return np.maximum(under_nose, jaw) * throat * smoothstep(-0.100, -0.078, z)


def near_mouth(points: np.ndarray) -> np.ndarray:
    """(N,) bool: around the parting of the lips, outside the mouth."""
    return (np.abs(points[:, 0]) < 0.03) & (np.abs(points[:, 1] + 0.067) < 0.006) & (points[:, 2] > 0.005)


def below_collar(points: np.ndarray) -> np.ndarray:
    """Depth (N,) in metres of the points below the neckline of a shirt."""
    depth = -0.172 - 0.34 * (points[:, 2] + 0.055) - points[:, 1]
    beside = np.hypot(points[:, 0], points[:, 2] + 0.085) - 0.098  # the shoulders are covered at any height
    return np.maximum(depth, np.where(points[:, 1] < -0.125, beside, -1))


def along(points: np.ndarray, line: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where points lie beside a line on the front of the face, on both sides of it.

    line: (K, 2) x, y in metres. Returns, for the points within ``reach`` of it, their index (P,), the signed distance
    (P,) (positive above it, or towards the nose for one that falls) and how far along it they are (P,), 0 to 1.
    """
    line = _densify(line)
    low, high = line.min(axis=0) - reach, line.max(axis=0) + reach
    x, y = np.abs(points[:, 0]), points[:, 1]
    near = np.flatnonzero((x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1]) & (points[:, 2] > -0.06))
    flat = np.stack([x[near], y[near]], axis=1)
    distance, index = cKDTree(line).query(flat, distance_upper_bound=reach)
    found = np.isfinite(distance)
    index = index[found]
    signed = np.einsum("pc,pc->p", flat[found] - line[index], _normals(line)[index])
    return near[found], np.copysign(distance[found], signed), index / (len(line) - 1)


def _densify(line: np.ndarray) -> np.ndarray:
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0, length[-1], max(8, int(length[-1] / 0.0002)))
    return np.stack([PchipInterpolator(length, line[:, k])(at) for k in range(2)], axis=1)


def _normals(line: np.ndarray) -> np.ndarray:
    run = np.gradient(line, axis=0)
    normal = np.stack([-run[:, 1], run[:, 0]], axis=1)
    return normal / np.linalg.norm(normal, axis=1, keepdims=True)


def from_lids(points: np.ndarray) -> np.ndarray:
    """Distance (N,) in metres from the edge of the lids, negative where the lower one is the nearer; 1 far away."""
    upper, lower = _densify(UPPER_LID), _densify(LOWER_LID)
    near = np.flatnonzero((np.abs(points[:, 1]) < 0.02) & (points[:, 2] > -0.01))
    flat = np.stack([np.abs(points[near, 0]), points[near, 1]], axis=1)
    above, below = (cKDTree(line).query(flat)[0] for line in (upper, lower))
    distance = np.ones(len(points), np.float32)
    distance[near] = np.where(above < below, above, -below)
    return distance


def wrinkle_lines(rng: np.random.Generator) -> list[tuple[float, np.ndarray]]:
    """(strength, line (K, 2)) of the folds of an old face; a young one shows them faintly."""
    bend = rng.uniform(-0.002, 0.004, 8)
    forehead = [
        (0.7, np.array([(0.0, y + bend[k]), (0.014, y + 0.001), (0.026, y + 0.002 + bend[k]), (0.036 - 0.002 * k, y)]))
        for k, y in enumerate((0.036, 0.045, 0.054))
    ]
    frown = [(0.5, np.array([(0.0055, 0.010), (0.0065, 0.017), (0.0075, 0.024 + bend[3])]))]
    feet = [
        (0.6, np.array([(0.050, y), (0.056, y + slope / 2), (0.063, y + slope)]))
        for y, slope in ((0.004, 0.006), (-0.001, 0.000), (-0.006, -0.006))
    ]
    bags = [(0.9, np.array([(0.019, -0.009), (0.026, -0.015), (0.035, -0.0165), (0.044, -0.012 + bend[4])]))]
    nasolabial = [(1.3, np.array([(0.0185, -0.036), (0.0235, -0.045), (0.029, -0.056), (0.0325, -0.068 + bend[5])]))]
    mouth = [(0.7, np.array([(0.028, -0.070), (0.0305, -0.078), (0.031, -0.087)]))]
    crease = [(1.2, np.array([(0.0185, 0.0045), (0.024, 0.0095), (0.031, 0.0112), (0.039, 0.0092), (0.046, 0.003)]))]
    return forehead + frown + feet + bags + nasolabial + mouth + crease
