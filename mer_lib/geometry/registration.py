"""Every frame of a clip brought onto its first, so that what still moves is the face and not the head.

ORB key points [1] of the first frame's face and its landmarks are followed into each frame by pyramidal Lucas-Kanade [2],
which places them to a few hundredths of a pixel where descriptors' own matches are off by half a one; RANSAC finds the
homography that most of them obey. What an expression moves disagrees with the head's homography and is left out of it.

[1] E. Rublee et al., "ORB: an efficient alternative to SIFT or SURF", ICCV 2011, doi:10.1109/ICCV.2011.6126544
[2] J.-Y. Bouguet, "Pyramidal implementation of the Lucas Kanade feature tracker", Intel 2000
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

REFERENCE, HOMOGRAPHY, SIMILARITY, IDENTITY = range(4)

_FEWEST = 12  # inliers: a homography needs four; with fewer than three times as many it follows noise
_INLIERS = 0.4  # share of the tracked points that must obey it
_ROUND_TRIP = 0.5  # pixels: a point tracked there and back must come home this near
_WILD_SCALE = 1.3  # times, anywhere in the frame: no head grows that much within a clip
_WILD_SHIFT = 0.25  # of the frame's side: nor does it move further
_LK = {"winSize": (15, 15), "maxLevel": 3, "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.003)}


@dataclass(frozen=True)
class Registered:
    """A registered clip. frames: (T, S, S, 3) uint8, each as the camera would see it with the head as in the first.

    homography: (T, 3, 3) float32, pixels of the frame to pixels of the first frame. how: (T,) uint8, 0 the first frame
    itself, 1 homography, 2 similarity of the landmarks, 3 identity. residual: (T,) float32, median distance in pixels of
    the points used (the homography's inliers, else the landmarks) after registration.
    """

    frames: np.ndarray
    homography: np.ndarray
    how: np.ndarray
    residual: np.ndarray
