"""Seeds from names, so that a fold draws the same numbers whichever folds it shares a job with."""

from __future__ import annotations

import hashlib


def derive(*parts: object) -> int:
    """A seed in [0, 2**63) from the parts' text, e.g. ``derive(seed, fold.name, "order")``."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
