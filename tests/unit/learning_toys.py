"""Small separable problems shared by the tests of learning."""

import numpy as np
import pandas as pd

from mer_lib.learning.samples import Samples

CLASSES = ("negative", "positive", "surprise")


def table(subjects: int = 4, clips: int = 3, dataset: str = "toy") -> pd.DataFrame:
    """A row a clip; classes take turns, so that every subject has all three."""
    rows = [
        {
            "clip": f"{dataset}/s{s:02d}/c{k}",
            "dataset": dataset,
            "subject": f"{dataset}/s{s:02d}",
            "yaw": 0.0,
            "label": CLASSES[(k + s) % 3],
        }
        for s in range(subjects)
        for k in range(clips)
    ]
    return pd.DataFrame(rows)


def samples(subjects: int = 4, clips: int = 3, shape: tuple[int, ...] = (28, 28, 3), signal: float = 1.0) -> Samples:
    """Noise around one prototype a class; ``signal`` 0 leaves nothing to learn."""
    rows, rng = table(subjects, clips), np.random.default_rng(7)
    prototypes = rng.normal(size=(3, *shape))
    codes = [CLASSES.index(label) for label in rows["label"]]
    return Samples((signal * prototypes[codes] + rng.normal(size=(len(rows), *shape))).astype(np.float32), rows)
