"""Which temporal frequencies an expression moves at, and the filter that lets them through.

The filter is the difference of two Gaussians in time: symmetric, so that nothing is delayed, and without ringing, so
that nothing moves before the onset (the sharp filters of Wu et al. 2012 do either). It sees a window around each frame
and holds the first and the last frame still beyond the ends, which is all it needs to run along a video of any length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import TypeVar

import numpy as np

from mer_lib.problems import BadInput

Item = TypeVar("Item")

# Seconds. A micro-expression is over within half a second (Yan et al., How fast are the leaked facial expressions,
# 2013, 10.1007/s10919-013-0159-8); no author has any part of it take less than a twenty-fifth of one.
LONGEST, FASTEST = 0.5, 0.04
_SLOWER = 4.0  # times the duration: one period of the lower end of the band
_HALF_POWER = np.sqrt(np.log(2)) / (2 * np.pi)  # a Gaussian of this / f seconds halves the power at f hertz
_SLOWEST = 1e4  # frames, that Gaussian's standard deviation at the low end: no face is filmed for longer in one go
_SPAN = 3.0  # standard deviations: beyond them a Gaussian is over


def choose(fps: float, interval: tuple[int, int, int] | None = None) -> tuple[float, float]:
    """The band (low, high) in hertz that an expression moves in.

    interval: its onset, apex and offset in frames; None: of any micro-expression. A movement that rises within r
    seconds has its spectrum below 1/r, so the shorter of rise and fall sets the upper end, at most half the frame rate.
    Against drift of head and light stands the lower end, a period of four times the whole duration: the filter then
    subtracts what is nearly the same at onset and apex. Durations, not the spectrum of the clip: in it, the drift of a
    head outweighs an expression many times, and a clip of some tens of frames has few frequencies to choose from. (That
    one band does not fit all expressions is due to Park, Lee, Ro 2015, 10.1145/2733373.2806362, who learn it.)
    """
    if interval is None:
        duration, fastest = LONGEST, FASTEST
    else:
        onset, apex, offset = interval
        if not onset < apex < offset:
            raise BadInput(f"onset {onset}, apex {apex}, offset {offset}", "they must follow each other")
        duration, fastest = (offset - onset) / fps, min(apex - onset, offset - apex) / fps
    return 1 / (_SLOWER * duration), min(1 / fastest, fps / 2)


def kernel(band: tuple[float, float], fps: float) -> np.ndarray:
    """(2L + 1,) float32: the filter's weights, of sum 0, with gain 1 at the frequency that passes best."""
    low, high = band
    if not 0 < low < high <= fps / 2:
        raise BadInput(
            f"a band of {low:g} to {high:g} Hz at {fps:g} frames a second",
            "low must be above 0, below high, and high at most half the frame rate",
        )
    spread = _HALF_POWER * fps / np.array([low, high])  # in frames
    if spread[0] > _SLOWEST:
        raise BadInput(
            f"a band from {low:g} Hz at {fps:g} frames a second needs {2 * _SPAN * spread[0]:.0f} frames at once",
            "raise the low end of the band, or name a shorter interval",
        )
    time = np.arange(-np.ceil(_SPAN * spread[0]), np.ceil(_SPAN * spread[0]) + 1)
    slow, fast = np.exp(-(time**2) / (2 * np.maximum(spread, 1e-3)[:, None] ** 2))
    weights = fast / fast.sum() - slow / slow.sum()
    return (weights / np.abs(np.fft.rfft(weights, 8 * len(weights))).max()).astype(np.float32)


def passed(
    items: Iterable[Item], weights: np.ndarray, value: Callable[[Item], np.ndarray]
) -> Iterator[tuple[Item, np.ndarray]]:
    """Each item of a sequence with its value, an array (float32, all of one shape), filtered along the sequence.

    weights: (2L + 1,). In memory are 2L + 1 values and L + 1 items: one comes out when the L that follow it were read.
    """
    size, half = len(weights), len(weights) // 2
    waiting: deque[Item] = deque()
    for count, item in enumerate(chain(items, repeat(None, half))):
        if item is not None:
            waiting.append(item)
            found = value(item)
        elif not waiting:
            return
        if count == 0:
            window = np.tile(found.ravel().astype(np.float32), (size, 1))  # the first value stands for all before it
        window[count % size] = found.ravel()  # in place of the oldest; the last value stands for all after it
        if count >= half:
            yield waiting.popleft(), (np.roll(weights, count + 1) @ window).reshape(found.shape)
