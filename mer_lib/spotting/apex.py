"""The apex of a clip without an annotated one: the frame that has moved farthest from the onset.

Frames should be registered (mer_lib.geometry.registration), and still the head drifts a little out of its plane, which
moves more pixels the longer it lasts: the largest mean flow comes too late. At the offset the expression is gone, so
what is left there is drift; ``returned`` takes the share of it that each frame has had time for out of its flow. On 48
clips of the embedded (synthetic) corpus, cropped and registered, apexes are missed by 3.0 frames in the mean instead of
13.8 (benchmarks/apex.py); the middle of the interval, which knows nothing of the clip, misses them by 3.7.

[1] Li et al., "MJFN", 2021, 10.1007/s41095-021-0217-9: the largest mean flow
[2] Liong et al., "Automatic apex frame spotting in micro-expression database", 2015, 10.1109/ACPR.2015.7486586, as told
    in Liong et al., "Less is more", 2018, 10.1016/j.image.2017.11.006: divide and conquer
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from mer_lib.motion.flow import compute
from mer_lib.motion.gray import to_gray
from mer_lib.problems import BadInput
from mer_lib.registry import suggestion

BATCH = 32  # frames at once: what bounds the memory of a long clip
METHODS = {
    "returned": "largest mean flow from the onset, less the drift that is left at the offset",
    "largest": "largest mean flow from the onset",
    "halves": "mean flow from the onset, halved towards the larger sum of peaks",
}
_SMOOTH = 0.05  # of the interval, standard deviation: noise makes peaks beside the apex
_SHORTEST = 4  # frames from onset to offset; in fewer nothing can rise and return


def spot_apex(
    frames: np.ndarray, onset: int = 0, *, flow: str = "dis", method: str = "returned", **options
) -> tuple[int, float]:
    """The apex and its motion.

    Parameters
    ----------
    frames : (T, H, W, 3) uint8
        RGB, registered; the last one is the offset: what comes after it would be searched as well.
    onset : int
        Frame the motion starts from, 0-based. It is not a candidate itself, nor are frames before it.
    method
        'returned': largest mean flow from the onset, without the drift, along a smoothed curve; the clip must end with
        the offset. 'largest': the rule of [1], for clips that end at their apex. 'halves': divide and conquer [2] over
        the peaks of the same mean flow.
    flow, **options
        A registered flow method and its options.

    Returns
    -------
    (int, float)
        Frame index of the apex, the earliest of equals; its mean flow in pixels, as the method sees it.

    Raises
    ------
    BadInput
        Unknown method; the onset is outside or the last frame; nothing moves; frames that ``flow.compute`` refuses.
    """
    if method not in METHODS:
        raise BadInput(f"no apex spotting called '{method}'", suggestion(method, METHODS))
    returning = method == "returned" and len(frames) - onset >= _SHORTEST
    curve = motion_from(frames, onset, returned=returning, flow=flow, **options)[1:]
    if not curve.any():
        raise BadInput("no frame differs from the onset, so there is no apex", "check onset and offset of the clip")
    if returning:
        curve = gaussian_filter1d(curve, _SMOOTH * len(curve), mode="nearest")
    at = _halved(curve) if method == "halves" else int(curve.argmax())
    return onset + 1 + at, float(curve[at])


def motion_from(
    frames: np.ndarray, onset: int = 0, *, returned: bool = False, flow: str = "dis", **options
) -> np.ndarray:
    """Mean flow magnitude of every frame from the onset on, against the onset frame.

    (T, H, W, 3) uint8 RGB → (T − onset,) float32, pixels; the first is 0. With ``returned`` the flow to the end, mean
    over its last twentieth, is first taken from each frame's in proportion to the time that has gone. Options and
    errors as in ``spot_apex``.
    """
    if not 0 <= onset < len(frames) - 1:
        raise BadInput(f"onset {onset} in a clip of {len(frames)} frames", "an apex needs frames after the onset")
    reference, length = to_gray(frames[onset]), len(frames) - onset

    def field(start: int, stop: int) -> np.ndarray:
        batch = to_gray(frames[start:stop])
        return compute(np.broadcast_to(reference, batch.shape), batch, flow=flow, **options)

    drift = np.zeros((*reference.shape, 2), np.float32)
    if returned:
        end = max(1, round(_SMOOTH * length))
        for start in range(len(frames) - end, len(frames), BATCH):
            for left in field(start, min(start + BATCH, len(frames))):
                drift += left / end
    curve = np.zeros(length, np.float32)
    for start in range(onset + 1, len(frames), BATCH):
        stop = min(start + BATCH, len(frames))
        gone = np.arange(start - onset, stop - onset, dtype=np.float32)[:, None, None, None] / (length - 1)
        left = field(start, stop) - gone * drift
        curve[start - onset : stop - onset] = np.linalg.norm(left, axis=-1).mean(axis=(1, 2))
    return curve


def _halved(curve: np.ndarray) -> int:
    """The peak that is left when the interval is halved again and again, each time to the larger sum of peaks [2].

    curve: (T,), at least one value; an end is a peak where it is higher than its only neighbour. Of a flat peak the
    first frame counts; of equal halves the earlier.
    """
    padded = np.pad(curve, 1, constant_values=-1)
    peaks = find_peaks(padded, plateau_size=1)[1]["left_edges"] - 1
    start, stop = 0, len(curve)
    while len(peaks) > 1:
        middle = (start + stop) // 2
        early, late = peaks[peaks < middle], peaks[peaks >= middle]
        if curve[early].sum() >= curve[late].sum():
            peaks, stop = early, middle
        else:
            peaks, start = late, middle
    return int(peaks[0])
