"""Which face is the clip's: detections linked over time, and the largest one that stays."""

from __future__ import annotations

import numpy as np

from mer_lib.faces.detect import Face

_NEAR = 0.5  # of the face's width: how far it may have moved since it was last seen
_ALIKE = 2.0  # times: how much its size may have changed
STABLE = 0.5  # share of the looked-at frames in which a clip's face must be seen

Track = dict[int, Face]  # position among the looked-at frames -> face


def link(found: list[list[Face]]) -> list[Track]:
    """Tracks of the faces found in frames that follow each other in time.

    Larger faces choose first, each the nearest track that fits; a track survives frames without its face.
    """
    tracks: list[Track] = []
    for at, faces in enumerate(found):
        free = list(tracks)
        for face in sorted(faces, key=lambda face: -face.area):
            fitting = [track for track in free if _fits(face, _last(track))]
            if fitting:
                nearest = min(fitting, key=lambda track: _distance(face, _last(track)))
                free = [track for track in free if track is not nearest]
                nearest[at] = face
            else:
                tracks.append({at: face})
    return tracks


def largest_stable(tracks: list[Track], looked_at: int) -> Track:
    """The largest face among those seen in at least half of the frames; failing these, the one seen most often."""
    stable = [track for track in tracks if len(track) >= STABLE * looked_at]
    if stable:
        return max(stable, key=lambda track: np.median([face.area for face in track.values()]))
    return max(tracks, key=lambda track: (len(track), np.median([face.area for face in track.values()])))


def _last(track: Track) -> Face:
    return track[max(track)]


def _distance(one: Face, other: Face) -> float:
    return float(np.linalg.norm(one.landmarks.mean(axis=0) - other.landmarks.mean(axis=0)))


def _fits(face: Face, before: Face) -> bool:
    width = np.sqrt(before.area)
    return _distance(face, before) <= _NEAR * width and 1 / _ALIKE <= np.sqrt(face.area) / width <= _ALIKE
