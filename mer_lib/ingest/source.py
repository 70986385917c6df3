"""One door to all media: ``open_source`` for reading, ``probe`` for what a clip table needs to know beforehand."""

from __future__ import annotations

from pathlib import Path

from mer_lib.ingest import images
from mer_lib.ingest.images import FolderSource
from mer_lib.ingest.media import Source, SourceInfo, one_frame
from mer_lib.ingest.video import VideoSource
from mer_lib.problems import BadInput, note


def open_source(path: str | Path, kind: str) -> Source:
    """The video file (``kind`` 'video') or folder of images ('frames') at ``path``, ready to read.

    What loses nothing (a variable frame rate, a file shorter than its container says, 16-bit frames) is noted here.
    Raises BadInput for media that cannot be used as a clip: missing, empty, damaged, or of one frame.
    """
    source = _open(Path(path), kind)
    for what, remedy in source.remarks:
        note(what, remedy, file=path)
    return source


def probe(path: str | Path, kind: str) -> SourceInfo:
    """Rate, number and size of the frames, without notes; raises BadInput as :func:`open_source` does.

    Counts are of frames that can be read, not what a container claims: a video's packets are listed and its ends
    decoded (a few ms, more where key frames are rare), of a folder the names are listed and one image decoded. Damage
    in the middle shows only when the frames are read.
    """
    return _open(Path(path), kind).info


def _open(path: Path, kind: str) -> Source:
    if path.suffix.lower() in images.SUFFIXES and path.is_file():
        raise one_frame(path)
    if kind == "video":
        return VideoSource(path)
    if kind == "frames":
        return FolderSource(path)
    raise BadInput(f"no frames to read from kind '{kind}'", "kind is video or frames", file=path)
