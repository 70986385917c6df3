"""A clip's face: found, followed, and cut out of every frame by one and the same transform.

One geometry a clip, because a crop that followed each frame's landmarks would move with the detector's noise (about
half a pixel) and hide movements of that size; head motion is left in and goes in registration. The source is read
twice, once to look, once to cut, so memory is that of the crops and of the frames looked at in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np

from mer_lib.faces import align, track
from mer_lib.faces.detect import Face
from mer_lib.problems import BadInput, note

_ANCHORS = 5  # first sightings whose median places the crop
_LOOKED_AT = 16  # frames held at once while looking
_ENLARGED = 2.0  # times: beyond it the crop shows fewer real pixels than it has by far
_OUTSIDE = 0.1  # share of the crop beyond the frame that is worth telling
_NAMED = 8


class Frames(Protocol):
    """What is asked of a source (see ``mer_lib.ingest.media.Source``)."""

    height: int
    width: int

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[np.ndarray]: ...


@dataclass(frozen=True)
class FaceClip:
    """A clip's crops and what is known of them, frame by frame.

    frames: (T, S, S, 3) uint8 RGB. landmarks: (T, 5, 2) float32, x, y in pixels of the crop, in the order of
    :class:`mer_lib.faces.detect.Face`. geometry: (2, 3) float32, source pixels to crop pixels. probability: (T,)
    float32, of the detection, 0 where the face was looked for and not seen. Between frames looked at landmarks and
    probability are interpolated.
    """

    frames: np.ndarray
    landmarks: np.ndarray
    geometry: np.ndarray
    probability: np.ndarray


def crop_clip(
    source: Frames,
    start: int,
    stop: int,
    detector: Callable[[np.ndarray], list[list[Face]]],
    *,
    size: int = 128,
    margin: float = 0.15,
    every: int = 5,
    min_probability: float = 0.9,
) -> FaceClip:
    """The face in frames ``start`` to ``stop`` - 1 of ``source``, cropped to ``size`` × ``size`` pixels.

    The crop is a square of the face's side (brows to chin) and ``margin`` of it more. Detection runs on every
    ``every``-th frame; below ``min_probability`` a face is none. Of several faces the largest stable one is taken.
    Raises BadInput if no face is found, or if it is gone for more than half of the frames looked at.
    """
    looked_at = np.arange(start, stop, every)
    seen = _clip_face(_look(source, start, stop, every, detector, min_probability), looked_at)
    sighted = looked_at[list(seen)]
    landmarks = np.stack([face.landmarks for face in seen.values()])
    geometry = align.similarity(np.median(landmarks[:_ANCHORS], axis=0), align.template(size, margin))
    _remark(geometry, size, source)
    warp = align.Warp(geometry, size, source.height, source.width)
    crops = np.empty((stop - start, size, size, 3), np.uint8)
    for crop, frame in zip(crops, source.frames(start, stop), strict=True):
        crop[...] = warp(frame)
    every_frame = np.arange(start, stop)
    probability = np.zeros(len(looked_at))
    probability[list(seen)] = [face.probability for face in seen.values()]
    return FaceClip(
        frames=crops,
        landmarks=align.transform(geometry, _between(every_frame, sighted, landmarks)).astype(np.float32),
        geometry=geometry,
        probability=np.interp(every_frame, looked_at, probability).astype(np.float32),
    )


def _look(source: Frames, start, stop, every, detector, min_probability) -> list[list[Face]]:
    """The faces of every ``every``-th frame, a few frames in memory at a time."""
    found: list[list[Face]] = []
    frames = source.frames(start, stop, every)
    while len(some := list(islice(frames, _LOOKED_AT))):
        found += [[face for face in faces if face.probability >= min_probability] for faces in detector(np.stack(some))]
    return found


def _clip_face(found: list[list[Face]], looked_at: np.ndarray) -> track.Track:
    """The track of the clip's face, with what is worth telling about it."""
    tracks = track.link(found)
    if not tracks:
        raise BadInput(
            f"no face found in {len(found)} frames looked at ({looked_at[0]} to {looked_at[-1]})",
            "choose an interval that shows the face, or lower faces.min_probability",
        )
    seen = track.largest_stable(tracks, len(found))
    gone = [int(frame) for at, frame in enumerate(looked_at) if at not in seen]
    if len(seen) < track.STABLE * len(found):
        raise BadInput(
            f"the face is gone for more than half of the clip: seen in {len(seen)} of {len(found)} frames looked at, "
            f"{looked_at[min(seen)]} to {looked_at[max(seen)]}",
            "choose an interval that shows it throughout",
        )
    others = [other for other in tracks if other is not seen and len(other) > 1]
    if others:
        x, y = next(iter(seen.values())).landmarks.mean(axis=0)
        note(
            f"{len(others) + 1} faces; the largest stable one was taken, at x {x:.0f}, y {y:.0f}",
            "cut the video down to one face if it is the wrong one",
        )
    if gone:
        named = ", ".join(map(str, gone[:_NAMED])) + (" …" if len(gone) > _NAMED else "")
        note(
            f"the face leaves: not seen in {len(gone)} of {len(found)} frames looked at ({named})",
            "its place there is interpolated; choose an interval that shows it throughout",
        )
    return seen


def _remark(geometry: np.ndarray, size: int, source: Frames) -> None:
    if (scale := align.scale_of(geometry)) > _ENLARGED:
        note(f"the face is small: enlarged {scale:.1f} times", "record it closer; the smallest movements are lost")
    if (share := align.outside(geometry, size, source.height, source.width)) > _OUTSIDE:
        note(f"{share:.0%} of the crop lie outside the frame", "the frame's edge is repeated there; centre the face")


def _between(at: np.ndarray, sighted: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (T, 5, 2) at frames ``at``: linear between sightings, held before the first and after the last."""
    flat = landmarks.reshape(len(sighted), -1)
    return np.stack([np.interp(at, sighted, column) for column in flat.T], axis=-1).reshape(len(at), 5, 2)
