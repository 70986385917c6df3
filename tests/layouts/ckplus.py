"""CK+ as it is unpacked: pictures, and for some sequences a file with the emotion and one with action units."""

from __future__ import annotations

from pathlib import Path

from layouts.common import write_frames

# sequence: frames, number of the emotion (None: no file; "": an empty folder), pairs of action unit and intensity
SEQUENCES = {
    "S005/001": (11, 3, ((9, 4), (17, 0))),
    "S005/002": (6, None, ((1, 2), (2, 3))),
    "S010/001": (8, 7, ()),
    "S010/002": (5, "", ()),
    "S011/001": (7, 2, ()),
    "S011/002": (4, 0, ()),
}
FLOAT = "   {:.7e}"  # as the authors' own program wrote them: '   3.0000000e+00'


def write(root: Path, *, images: str = "cohn-kanade-images", emotions: str = "Emotion", facs: str = "FACS") -> Path:
    for sequence, (frames, emotion, units) in SEQUENCES.items():
        subject, number = sequence.split("/")
        last = f"{subject}_{number}_{frames:08d}"
        write_frames(root / images / sequence, range(1, frames + 1), f"{subject}_{number}_{{:08d}}.png")
        (root / images / sequence / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
        if emotion is not None:
            folder = root / emotions / sequence
            folder.mkdir(parents=True)
            if emotion != "":
                (folder / f"{last}_emotion.txt").write_text(FLOAT.format(emotion) + "\n")
        folder = root / facs / sequence
        folder.mkdir(parents=True)
        lines = "".join(f"{FLOAT.format(unit)}{FLOAT.format(strength)}\n" for unit, strength in units)
        (folder / f"{last}_facs.txt").write_text(lines)
    return root
