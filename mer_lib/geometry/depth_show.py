"""A few faces with the depth that a network finds in them, to be looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
from skimage.data import astronaut

from mer_lib.faces.crop import crop_clip
from mer_lib.faces.detect import Detector
from mer_lib.geometry.depth import predict
from mer_lib.geometry.depth_fit import Fitted, Shots
from mer_lib.geometry.shots import Still

SHOWN = 6  # of the people held out


def pictures(shots: Shots, fitted: Fitted, **crop: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and their card for ``weights.save``.

    frames (n, S, S, 3) uint8, truth and found (n, S, S) float32 of shots held out, mean (S, S) float32, the mean face;
    real (1, S, S, 3) and real_found (1, S, S): the astronaut Eileen Collins (NASA, public domain; scikit-image brings
    the picture), cropped with the options ``crop``. Depth is in interocular distances, NaN off the face.
    """
    everyone = shots.of(fitted.held_out)
    chosen = [everyone[at] for at in np.linspace(0, len(everyone) - 1, min(SHOWN, len(everyone))).astype(int)]
    frames, truth, marks = (np.stack([shots.read(at, n) for at in chosen]) for n in ("frames", "depth", "landmarks"))
    limit = fitted.model.edge
    real = crop_clip(Still(astronaut()), 0, 1, Detector(), every=1, **crop)
    return {
        "frames": frames,
        "truth": np.where(truth < limit, truth, np.nan).astype(np.float32),
        "found": predict(frames, marks, fitted.model)[0],
        "mean": np.where(fitted.mean < limit, fitted.mean, np.nan).astype(np.float32),
        "real": real.frames,
        "real_found": predict(real.frames, real.landmarks, fitted.model)[0],
    }, {"kind": "pictures", "names": [f"{shots.people[person][1]}, shot {shot}" for person, shot in chosen]}
