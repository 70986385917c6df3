"""FaceScape as it is unpacked: twenty registered meshes a person, each with its texture; a few are absent or empty."""

from __future__ import annotations

from pathlib import Path

from mer_lib.corpora.facescape import EXPRESSIONS

# The faces name the vertices in another order.
OBJ = """\
mtllib {stem}.obj.mtl
v 0 0 0
v 9 9 9
v 0 1 0
v 1 0 0
v 1 1 0
vt 0 0
vt 1 1
usemtl material
f 5/1 4/1 1/2
f 1/1 3/2 5/1
f 2/2 4/1 3/2
"""
PEOPLE = (1, 2, 66, 148)
ABSENT = {66: (3,), 148: range(13, 21)}
EMPTY = {2: (5,)}
BARE = {1: (20,)}


def write(root: Path, people=PEOPLE) -> Path:
    for person in people:
        folder = root / str(person) / "models_reg"
        folder.mkdir(parents=True)
        for number, expression in enumerate(EXPRESSIONS, 1):
            stem = f"{number}_{expression}"
            if number in ABSENT.get(person, ()):
                continue
            empty = number in EMPTY.get(person, ())
            (folder / f"{stem}.obj").write_text("" if empty else OBJ.format(stem=stem))
            if number not in BARE.get(person, ()):
                (folder / f"{stem}.obj.mtl").write_text(f"newmtl material\nmap_Kd {stem}.jpg\n")
                (folder / f"{stem}.jpg").write_bytes(b"\xff\xd8\xff\xd9")
    (root / "README.txt").write_text("license\n")
    return root
