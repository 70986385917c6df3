"""Recordings as labs keep them, good and bad, made from the one real face that comes inside scikit-image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from mer_lib.ingest.writer import write_video

FRAMES = 10
HEADER = "name,subject,onset,apex,offset,label"


def face(size: int = 176) -> np.ndarray:
    """(size, size, 3) uint8 RGB: a face, two thirds as high as the picture."""
    return cv2.resize(data.astronaut()[20:220, 120:320], (size, size), interpolation=cv2.INTER_AREA)


def take(subject: int = 0, frames: int = FRAMES, size: int = 176) -> list[np.ndarray]:
    """A face whose mouth moves by up to two pixels and back, a little brighter with each frame; nobody's twin.

    ``subject`` changes where the movement is and how light the picture is.
    """
    still = face(size)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    at = size * np.array([0.72, 0.45 + 0.03 * subject])
    near = np.exp(-((rows - at[0]) ** 2 + (columns - at[1]) ** 2) / (2 * (size / 12) ** 2)).astype(np.float32)
    strength = 2.0 * np.sin(np.linspace(0, np.pi, frames)).astype(np.float32)
    how = {"interpolation": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REPLICATE}
    moved = [cv2.remap(still, columns, rows + s * near, **how) for s in strength]
    return [np.clip(m.astype(int) + i + 3 * subject, 0, 255).astype(np.uint8) for i, m in enumerate(moved)]


def beside(pictures: Iterable[np.ndarray]) -> list[np.ndarray]:
    """The same with a second, smaller face to the right."""
    other = face(112)
    wide = []
    for picture in pictures:
        canvas = np.full((picture.shape[0], picture.shape[1] + 120, 3), 90, np.uint8)
        canvas[:, : picture.shape[1]] = picture
        canvas[30:142, -116:-4] = other
        wide.append(canvas)
    return wide


def covered(pictures: Iterable[np.ndarray], ellipses: Iterable[tuple[float, float, float, float]], colour) -> list:
    """The same behind ellipses, each (x, y, half width, half height) in shares of the picture's side."""
    found = []
    for picture in pictures:
        mask = np.zeros(picture.shape[:2], np.uint8)
        for x, y, wide, high in ellipses:
            place = [round(share * len(picture)) for share in (x, y, wide, high)]
            cv2.ellipse(mask, place[:2], place[2:], 0, 0, 360, 255, cv2.FILLED)
        found.append(np.where(mask[..., None] > 0, np.uint8(colour), picture))
    return found


def hard_to_see(folder: Path) -> None:
    """A corpus of five clips of two people: a plain one, a face at the border, one behind a mitten, one behind dark
    glasses, and one of a single frame."""
    clips = {
        "plain": take(0, 6, 240),
        "border": [picture[:, 96:] for picture in take(1, 6, 240)],
        "mitten": covered(take(0, 6, 240), [(0.375, 0.675, 0.125, 0.225)], (20, 30, 160)),
        "glasses": covered(take(1, 6, 240), [(x, 0.41, 0.08, 0.06) for x in (0.43, 0.63)], (20, 20, 25)),
        "single": take(1, 1, 240),
    }
    for name, pictures in clips.items():
        write_frames(folder / name, pictures)
    people = dict.fromkeys(clips, "ben") | {"plain": "anna", "mitten": "anna"}
    labels = dict.fromkeys(clips, "positive") | {"mitten": "negative", "glasses": "negative"}
    last = {name: len(pictures) - 1 for name, pictures in clips.items()}
    rows = [f"{name},{people[name]},0,{min(3, last[name])},{last[name]},{labels[name]}" for name in clips]
    (folder / "clips.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


def leaving(pictures: list[np.ndarray], gone: int) -> list[np.ndarray]:
    """The same without a face in the last ``gone`` frames."""
    return pictures[:-gone] + [wall()] * gone


def wall(size: int = 176) -> np.ndarray:
    """No face anywhere."""
    return np.repeat(np.linspace(60, 180, size * size).reshape(size, size, 1), 3, axis=2).astype(np.uint8)


def write_frames(folder: Path, pictures: Iterable[np.ndarray], *, first: int = 1, name: str = "img{}.png") -> None:
    """A folder of numbered pictures, RGB, grey, with alpha or of 16 bits."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures, first):
        bgr = picture if picture.ndim == 2 else picture[..., [2, 1, 0, *range(3, picture.shape[2])]]
        stored = cv2.imencode(".png", np.ascontiguousarray(bgr))[1]
        (folder / name.format(number)).write_bytes(stored.tobytes())


def write_mp4(path: Path, pictures: list[np.ndarray]) -> None:
    """A video as a camera app writes it, its index at the end."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, pictures[0].shape[1::-1])
    for picture in pictures:
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    writer.release()


@dataclass(frozen=True)
class Bad:
    """A clip that must be lost: its row, the stage that loses it, and what is said of it."""

    row: str
    stage: str
    file: str
    what: str


GOOD = (
    "smile,anna,1,5,9,positive",
    "spoken,anna,1,,9,",
    "frown,ben,0,4,8,negative",
    "unpadded,ben,0,5,9,negative",
    "grey,cleo,0,5,9,surprise",
    "deep,cleo,0,5,9,surprise",
    "alpha,dan,0,5,9,positive",
    "pair,dan,0,5,9,positive",
    "leaves a bit,dan,0,5,9,negative",
    "smích číslo 1,Žofie B,0,5,9,surprise",
)
BAD = (
    Bad("nowhere,anna,0,5,9,positive", "index", "clips.csv line 12", "no video .* and no folder of frames 'nowhere'"),
    Bad("empty,anna,0,5,9,positive", "index", "anna/empty.avi", r"empty \(0 bytes\)"),
    Bad("cut,anna,0,5,9,positive", "index", "anna/cut.mp4", "cannot be opened as a video: cut short"),
    Bad("zero,ben,0,5,9,positive", "faces", "ben/zero/img4.png", r"empty \(0 bytes\)"),
    Bad("gap,ben,0,5,8,positive", "faces", "ben/gap", "1 numbered frame is missing inside the clip: 5"),
    Bad("sizes,ben,0,5,9,positive", "faces", "ben/sizes/img5.png", "160×160 pixels, the first one 176×176"),
    Bad("reversed,ben,8,,2,positive", "index", "clips.csv line 18", "onset 8 comes after offset 2"),
    Bad("outside,ben,2,9,7,positive", "index", "clips.csv line 19", "apex 9 comes after offset 7"),
    Bad("late,ben,0,5,10,positive", "index", "ben/late.avi", "offset 10 is past the end: its frames are 0 to 9"),
    Bad("smile,anna,1,6,8,positive", "index", "clips.csv line 21", "the clip id stands twice"),
    Bad("strange,anna,0,5,9,suprise", "index", "clips.csv line 22", "unknown label 'suprise'"),
    Bad("faceless,anna,0,5,9,positive", "faces", "anna/faceless.avi", "no face found in 3 frames looked at"),
    Bad("leaves,dan,0,5,9,negative", "faces", "dan/leaves.avi", "the face is gone for more than half of the clip"),
)


def write_corpus(root: Path) -> None:
    """Every good and every bad recording, and the sheet that names them."""
    anna, ben, cleo, dan = (root / name for name in ("anna", "ben", "cleo", "dan"))
    for folder in (anna, ben, cleo, dan):
        folder.mkdir(parents=True)
    for name, pictures in {
        "anna/smile": take(1), "anna/spoken": take(2), "anna/strange": take(3), "ben/frown": take(4),
        "ben/reversed": take(5), "ben/outside": take(5), "ben/late": take(5), "dan/pair": beside(take(6)),
        "dan/leaves a bit": leaving(take(7), 4), "dan/leaves": leaving(take(7), 8), "anna/faceless": [wall()] * FRAMES,
        "Žofie B/smích číslo 1": take(8),
    }.items():  # fmt: skip
        (root / name).parent.mkdir(exist_ok=True)
        write_video(root / f"{name}.avi", pictures, 25)
    (anna / "empty.avi").touch()
    write_mp4(anna / "cut.mp4", take(9))
    whole = (anna / "cut.mp4").read_bytes()
    (anna / "cut.mp4").write_bytes(whole[: len(whole) // 2])

    write_frames(ben / "unpadded", take(10), first=5)  # img5 … img14: sorted as text, img10 comes first
    write_frames(ben / "zero", take(11))
    (ben / "zero/img4.png").write_bytes(b"")
    write_frames(ben / "gap", take(11))
    (ben / "gap/img5.png").unlink()
    write_frames(ben / "sizes", [*take(11)[:4], *take(11, size=160)[4:]])
    write_frames(cleo / "grey", [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in take(12)])
    write_frames(cleo / "deep", [p.astype(np.uint16) * 257 for p in take(13)])
    write_frames(dan / "alpha", [np.dstack([p, np.full(p.shape[:2], 40, np.uint8)]) for p in take(14)])
    (root / "clips.csv").write_text("\n".join([HEADER, *GOOD, *(bad.row for bad in BAD)]) + "\n", encoding="utf-8")
