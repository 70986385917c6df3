"""The pinhole camera that every picture, depth map and motion field of the project is made with.

Model coordinates are metres with x to the subject's left, y up and z out of the face; camera coordinates are
OpenCV's, x right, y down and z forward. A pose is the (4, 4) matrix from the first to the second. The centre of the
pixel in row i and column j lies at u = j, v = i, so that flow and landmarks are indices of the picture's array.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: picture size and focal length in pixels, and how far the principal point lies to the right of
    and below the middle of the picture, in pixels (a picture that is cut out of another has it elsewhere)."""

    height: int
    width: int
    focal: float
    shift: tuple[float, float] = (0.0, 0.0)

    @property
    def centre(self) -> tuple[float, float]:
        """The principal point (u, v) in pixels."""
        return (self.width - 1) / 2 + self.shift[0], (self.height - 1) / 2 + self.shift[1]

    @property
    def matrix(self) -> np.ndarray:
        """The intrinsic matrix K, (3, 3) float64."""
        u, v = self.centre
        return np.array([[self.focal, 0, u], [0, self.focal, v], [0, 0, 1]])

    def project(self, vertices: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """Pixels and depth of model points.

        vertices: (..., V, 3) in metres; pose: (..., 4, 4), broadcast over the leading axes.
        Returns (..., V, 3) float32: u, v in pixels and the depth z in metres.
        """
        pose = np.asarray(pose, np.float64)
        seen = vertices @ np.swapaxes(pose[..., :3, :3], -1, -2) + pose[..., None, :3, 3]
        pixels = seen[..., :2] / seen[..., 2:] * self.focal + self.centre
        return np.concatenate([pixels, seen[..., 2:]], axis=-1).astype(np.float32)


def facing(
    distance: float, *, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, shift: tuple[float, float] = (0, 0)
) -> np.ndarray:
    """The pose of a model that faces the camera from ``distance`` metres, turned about its origin.

    yaw: degrees to the subject's left (the picture's right); pitch: degrees up; roll: degrees towards the subject's
    left shoulder; shift: metres to the picture's (right, top). Returns (4, 4) float64.
    """
    turn = Rotation.from_euler("YXZ", [yaw, -pitch, -roll], degrees=True).as_matrix()
    pose = np.eye(4)
    pose[:3, :3] = np.diag([1.0, -1.0, -1.0]) @ turn
    pose[:3, 3] = shift[0], -shift[1], distance
    return pose
