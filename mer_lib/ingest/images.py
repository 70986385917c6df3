"""Frames of a folder of images, in the order of their numbers: img9 before img10, whatever the padding."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, islice, pairwise
from pathlib import Path

import cv2
import numpy as np

from mer_lib.ingest.media import Source, SourceInfo, one_frame
from mer_lib.problems import BadInput

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_NUMBER = re.compile(r"(\d+)\D*$")
_LARGEST = 2**63 - 1  # time stamps stand in some names; what is longer still is no number of a frame
_NAMED_AT_MOST = 5
_SAMPLED = 16  # frames of a deep folder that are looked at for their brightest value


class FolderSource(Source):
    """A folder of numbered images; position 0 is the lowest number.

    A number missing inside a range that is read is bad input, since it would pass for sudden movement; missing ones
    elsewhere do no harm. Grey becomes RGB, alpha is dropped. Deep frames (16 bits) become 8 bits by one factor for the
    whole folder, because brightness must not flicker: the fewest of 8, 10, 12, 14 or 16 bits that hold the brightest
    value of frames sampled all over it are mapped to 0–255. A frame that is brighter still, or stored with another
    depth than the first, is bad input: clipped or rescaled it would pass for a movement.
    """

    def __init__(self, path: Path) -> None:
        self._files = numbered_images(path)
        first = _decode(path / self._files[0][1])
        self._dtype = first.dtype
        self._bits = 8 if first.dtype == np.uint8 else _bits_used([path / name for _, name in self._files])
        super().__init__(path, SourceInfo(float("nan"), len(self._files), *first.shape[:2]))
        if self._dtype == np.uint16:
            self.remarks.append((
                f"frames of 16 bits were brought to 8: values 0 to {2**self._bits - 1} became 0 to 255",
                "store 8-bit frames to choose the range yourself",
            ))  # fmt: skip

    def _read(self, start: int, stop: int, step: int) -> Iterator[np.ndarray]:
        self._refuse_gaps(start, stop)
        for _, name in self._files[start:stop:step]:
            frame = _decode(file := self.path / name)
            self._refuse_odd(frame, file)
            yield _to_rgb8(frame, self._bits)

    def _refuse_odd(self, frame: np.ndarray, file: Path) -> None:
        """All frames of a folder have one size, one depth and one range of brightness."""
        if frame.shape[:2] != (self.height, self.width):
            raise BadInput(
                f"this frame is {frame.shape[1]}×{frame.shape[0]} pixels, the first one {self.width}×{self.height}",
                "bring all frames of a clip to one size",
                file=file,
            )
        if frame.dtype != self._dtype:
            raise BadInput(
                f"this frame has {8 * frame.itemsize} bits a channel, the first one {8 * self._dtype.itemsize}",
                "store all frames of a clip with 8 bits, scaled alike",
                file=file,
            )
        if frame.max() >= 2**self._bits:
            raise BadInput(
                f"its brightest value is {frame.max()}, where other frames of the folder stay below {2**self._bits}",
                "restore the frame, or store all frames of the clip with 8 bits, scaled alike",
                file=file,
            )

    def _refuse_gaps(self, start: int, stop: int) -> None:
        """Numbers may go up by any one step (every second frame kept, say); the smallest of the folder is the rule."""
        numbers = [number for number, _ in self._files]
        usual = min(b - a for a, b in pairwise(numbers))
        gaps = [range(a + usual, b, usual) for a, b in pairwise(numbers[start:stop]) if b - a > usual]
        if not gaps:
            return
        count = sum(map(len, gaps))
        named = ", ".join(map(str, islice(chain(*gaps), _NAMED_AT_MOST))) + (" …" if count > _NAMED_AT_MOST else "")
        raise BadInput(
            f"{count} numbered frame{'s are' if count > 1 else ' is'} missing inside the clip: {named}",
            "fetch the missing frames, or choose an interval without them",
            file=self.path,
        )


def numbered_images(folder: Path) -> list[tuple[int, str]]:
    """(number, name) of the folder's images, by the last integer of their names; files without one do not count.

    Names alone: making a path of each of 200,000 would take most of the time.
    """
    if not os.path.isdir(folder):
        if folder.suffix.lower() in SUFFIXES and os.path.isfile(folder):
            raise one_frame(folder)
        raise BadInput("no such folder of frames", "correct the path, or fetch the folder", file=folder)
    images = sorted(_image_names(folder))
    if len(images) == 1:
        raise one_frame(folder / images[0])
    found: dict[int, str] = {}
    for name in images:
        if (match := _NUMBER.search(os.path.splitext(name)[0])) is None:
            continue
        if (number := int(match[1])) > _LARGEST:
            what = f"the number of {name} is too large for a frame's"
            raise BadInput(what, "rename the file, or move it elsewhere", file=folder)
        if number in found:
            raise BadInput(
                f"two files for frame {number}: {found[number]} and {name}",
                "keep one sequence of frames in a folder",
                file=folder,
            )
        found[number] = name
    if not found:
        raise BadInput(
            f"no numbered images in the folder (of {', '.join(SUFFIXES)})", "name frames like img1.jpg", file=folder
        )
    return sorted(found.items())


def _image_names(folder: Path) -> list[str]:
    try:
        names = os.listdir(folder)
    except OSError as error:
        what = f"the folder cannot be listed ({error.strerror})"
        raise BadInput(what, "ask its owner for the right to read it", file=folder) from None
    return [name for name in names if name.lower().endswith(SUFFIXES) and name[0] != "."]


def _decode(file: Path) -> np.ndarray:
    """Pixels (H, W) or (H, W, 3) BGR, uint8 or uint16; read by numpy, since OpenCV trips over paths on some systems."""
    try:
        stored = np.fromfile(file, np.uint8)
    except OSError as error:
        raise BadInput(f"the frame cannot be read ({error.strerror})", "restore the file", file=file) from None
    if not len(stored):
        raise BadInput("the frame is empty (0 bytes)", "copy it again from its origin", file=file)
    frame = cv2.imdecode(stored, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)  # without IMREAD_UNCHANGED alpha goes
    if frame is None:
        raise BadInput("the frame is no image or broken", "copy it again from its origin", file=file)
    if frame.dtype not in (np.uint8, np.uint16):
        raise BadInput(f"the frame holds {frame.dtype} values", "store frames of 8 or 16 bits", file=file)
    return frame


def _bits_used(files: list[Path]) -> int:
    """Bits that the brightest value of some frames, evenly spread, needs: 8, 10, 12, 14 or 16."""
    brightest = 0
    for file in files[:: -(-len(files) // _SAMPLED)]:
        with suppress(BadInput):  # told by whoever reads that frame; elsewhere it does no harm
            brightest = max(brightest, int(_decode(file).max()))
    return next(bits for bits in (8, 10, 12, 14, 16) if brightest < 2**bits)


def _to_rgb8(frame: np.ndarray, bits: int) -> np.ndarray:
    if frame.dtype == np.uint16:
        frame = np.rint(frame * (255.0 / (2**bits - 1))).astype(np.uint8)
    return cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB if frame.ndim == 2 else cv2.COLOR_BGR2RGB)
