"""What a descriptor is handed: the stored arrays that its positional arguments are named after.

A registration says ``reads="onset_apex"`` (motion of one pair of frames), ``"emr"`` (of one pair, after expression
magnification and reduction), ``"frames"`` (of every pair of neighbours), ``"registered"`` (the frames themselves), or
frames and one kind of motion: ``reads=("registered", "frames")``.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from mer_lib.registry import Entry, RegistryError

STORED = {"registered": ("frames", "landmarks"), "motion": ("flow", "strain", "pair")}
PAIRS = ("onset_apex", "emr", "frames")


def stages(entry: Entry) -> tuple[str, ...]:
    """What the entry reads, each of "registered" and PAIRS at most once; raises RegistryError for anything else."""
    told = entry.meta.get("reads", ())
    found = (told,) if isinstance(told, str) else tuple(told)
    pairs = [stage for stage in found if stage in PAIRS]
    if not found or len(pairs) > 1 or sorted(found) != sorted({*pairs, *({"registered"} & set(found))}):
        raise RegistryError(f"descriptor '{entry.name}' reads {told!r}: frames, one kind of motion, or both")
    return found


def arguments(entry: Entry) -> dict[str, str]:
    """The descriptor's positional arguments in their order, each with the stage whose stores hold it."""
    read = {"registered" if stage == "registered" else "motion" for stage in stages(entry)}
    known = {name: stage for stage in read for name in STORED[stage]}
    names = [p.name for p in signature(entry.load()).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    if lacking := [name for name in names if name not in known]:
        raise RegistryError(f"descriptor '{entry.name}' takes '{lacking[0]}', and reads {', '.join(known)} only")
    return {name: known[name] for name in names}


def describe(entry: Entry, stored: Callable[[str, str], np.ndarray], options: dict[str, Any]) -> np.ndarray:
    """The features (1, ...) of one clip, in the type that the descriptor returns: uint8, float16 or float32.

    ``stored(stage, name)`` gives an array of the clip; motion, which is stored in half precision, is handed on as
    float32.
    """
    given = {name: stored(stage, name) for name, stage in arguments(entry).items()}
    return entry.load()(*(a.astype(np.float32) if a.dtype == np.float16 else a for a in given.values()), **options)
