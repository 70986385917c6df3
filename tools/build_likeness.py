"""Train the network of mer_lib/geometry/likeness.py on embedded faces, whose relief and movements are exact.

    python tools/build_likeness.py mer_lib/geometry/likeness.safetensors

Nothing is read but this repository, and MTCNN's weights, which place the crops as they place those of videos. The same
machine and versions give the same bytes; one core takes a quarter of an hour.
Prints the errors that mer_lib/geometry/LIKENESS.md reports.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from mer_lib import weights
from mer_lib.faces import align
from mer_lib.faces.detect import Detector
from mer_lib.geometry.likeness import CELLS, CROP, MARGIN, SIDE, Net, normalised
from mer_lib.geometry.mesh import nearest
from mer_lib.geometry.registration import head_mask
from mer_lib.synth import pairs, sitters
from mer_lib.synth.head import ACTION_UNITS

PEOPLE, HELD_OUT, PICTURES = 220, 20, 24
TURNS = ((7.0, 5.0, 3.0), (22.0, 6.0, 3.0))  # degrees of yaw, pitch, roll (deviations), of every other person
DEEPEST = -0.8  # interocular distances: beyond it are ears, hair and wall
SHAPES = 64  # principal components of the relief
BESIDE = 0.1  # weight of pixels that are not skin: hair and wall are guessed, but not left to chance
EPOCHS, BATCH, RATE = 40, 32, 2e-3
ACTORS, SEED = 4, 7  # people whose movements are averaged; seed of everybody here
CALM = 2.0  # pixels of a crop of 128, sigma: movements end at lips and lids with an edge, and faces differ
PLANE = np.dstack([*np.mgrid[-1 : 1 : CELLS * 1j, -1 : 1 : CELLS * 1j], np.ones((CELLS, CELLS))]).astype(np.float32)


@dataclass(frozen=True)
class Pictures:
    """grey: (N, 64, 64) uint8; relief: (N, 32, 32) float32 interocular distances less the skin's plane; skin: (N, 32,
    32) bool, where it is known."""

    grey: np.ndarray
    relief: np.ndarray
    skin: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.use_deterministic_algorithms(True)
    started = time.perf_counter()
    train, test = people(range(HELD_OUT, PEOPLE)), people(range(HELD_OUT))
    print(f"{len(train.grey)} pictures for training, {len(test.grey)} held out: {time.perf_counter() - started:.0f} s")
    net = fit(train, test)
    card = {"what": "relief and movements of the aligned face", "licence": "CC0-1.0", "errors": report(net, test)}
    tensors = {name: tensor for name, tensor in net.state_dict().items() if tensor.is_floating_point()}
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()} | {"movements": movements()}
    weights.save(options.weights, {name: array.astype(np.float16) for name, array in arrays.items()}, card)
    print(f"{options.weights}: {options.weights.stat().st_size / 1e6:.2f} MB, {time.perf_counter() - started:.0f} s")


def people(numbers: range) -> Pictures:
    """Pictures of people that no corpus has, each with another shape of face, expression, light and turn."""
    crop, detector = {"size": CROP, "margin": MARGIN, "min_probability": 0.9}, Detector()
    mask = cv2.resize(head_mask(align.template(CROP, MARGIN), (CROP, CROP)), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    found = []
    for number in tqdm(numbers, "people", mininterval=10):
        studio = sitters.Studio(detector, seed=SEED, turn=TURNS[number % 2], **crop)
        shots = sitters.sitter(f"likeness/{number}", PICTURES, studio)
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in shots["frames"]]
        small = [cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for picture in grey]
        found += [(picture, *target(depth, mask > 127)) for picture, depth in zip(small, shots["depth"], strict=True)]
    return Pictures(*(np.stack(arrays) for arrays in zip(*found, strict=True)))


def target(depth: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Relief and skin, both (32, 32), of a depth map (128, 128): towards the camera, less the skin's plane."""
    relief = np.maximum(-nearest(depth), DEEPEST).astype(np.float32)
    relief = cv2.resize(relief, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    known = np.isfinite(depth[::2, ::2]) & mask & ~(-depth[::2, ::2] < DEEPEST)
    skin = known.reshape(CELLS, 2, CELLS, 2).sum(axis=(1, 3)) >= 2
    return relief - PLANE @ np.linalg.lstsq(PLANE[skin], relief[skin], rcond=None)[0], skin


def movements() -> np.ndarray:
    """(M, 32, 32, 2) pixels of an aligned crop of 128: what each side of each action unit moves, frontal faces' mean,
    one pixel at most."""
    rows = [row._replace(subject=f"likeness/{row.subject}") for row in pairs.cast(ACTORS, SEED).itertuples()]
    return np.mean([moved(row) for row in rows], axis=0)


def moved(row: Any) -> np.ndarray:
    """The same (M, 32, 32, 2) of one person."""
    rest = np.zeros((len(ACTION_UNITS), 2), np.float32)
    stage = pairs.stage_of(row, rest, CROP, 0.0, SEED)
    still = stage.turned(rest, stage.angles)
    raster = stage.raster(still)
    place = align.similarity(pairs.five_landmarks(stage.marks(still)), align.template(CELLS, MARGIN))
    fields = []
    for at in np.ndindex(rest.shape):
        unit = rest.copy()
        unit[at] = 0.2
        flow = np.nan_to_num(stage.flow(raster, stage.turned(unit, stage.angles), stage.pose))
        flow = cv2.GaussianBlur(flow.astype(np.float32), (0, 0), CALM)
        flow = cv2.warpAffine(flow, place, (CELLS, CELLS), flags=cv2.INTER_LINEAR)
        fields.append(flow / np.linalg.norm(flow, axis=-1).max())
    return np.stack(fields)


def fit(train: Pictures, test: Pictures) -> Net:
    """Squared error, the rate rising and falling along a cosine."""
    torch.manual_seed(0)
    rng, net = np.random.default_rng(0), Net(SHAPES)
    mean = np.median(train.relief, axis=0)
    _, size, shapes = np.linalg.svd((train.relief - mean).reshape(len(train.relief), -1), full_matrices=False)
    shapes = shapes * (size / np.sqrt(len(train.relief)))[:, None]
    net.mean.copy_(torch.from_numpy(mean))
    net.shapes.copy_(torch.from_numpy(shapes[:SHAPES]).unflatten(1, (CELLS, CELLS)))
    steps = EPOCHS * (len(train.grey) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-2)
    falling = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.1)
    for epoch in range(EPOCHS):
        order, total = rng.permutation(len(train.grey)), 0.0
        for at in range(0, len(order) - BATCH + 1, BATCH):
            seen, relief, weight = samples(train, order[at : at + BATCH], rng)
            loss = (weight * (net(seen) - relief).square()).sum() / weight.sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            falling.step()
            total += loss.item() * BATCH / len(order)
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: loss {total:.5f}, held out {report(net, test)}", flush=True)
            net.train()
    return net


def samples(pictures: Pictures, at: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
    """A batch as the network sees it (n, 1, 64, 64), its relief and the weights of that (n, 32, 32)."""
    seen = torch.stack([normalised(disturbed(grey, rng)) for grey in pictures.grey[at]]).float()
    relief, skin = torch.from_numpy(pictures.relief[at]), torch.from_numpy(pictures.skin[at])
    weight, mirrored = torch.where(skin, 1.0, BESIDE), torch.from_numpy(rng.random(len(at)) < 0.5)
    return tuple(torch.where(mirrored.view(-1, *[1] * (x.ndim - 1)), x.flip(-1), x) for x in (seen, relief, weight))


def disturbed(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What detectors and cameras do to a crop (64, 64)."""
    middle = ((SIDE - 1) / 2, (SIDE - 1) / 2)
    turn = cv2.getRotationMatrix2D(middle, rng.normal(0, 1), np.exp(rng.normal(0, 0.01)))
    turn[:, 2] += rng.normal(0, 0.5, 2)
    grey = cv2.warpAffine(grey, turn, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    grey = 255 * (grey / np.float32(255)) ** np.exp(rng.normal(0, 0.3))
    if rng.random() < 0.4:
        grey = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.3, 1.0))
    return np.clip(grey + rng.normal(0, rng.uniform(0, 5), grey.shape), 0, 255)


def report(net: Net, test: Pictures) -> dict[str, float]:
    """Of held-out people, interocular distances, root mean square over the skin once scale and plane are fitted: of the
    network's relief, of the mean face's, and of what the shapes can tell of the truth."""
    net.eval()
    mean, shapes = net.mean.numpy(), net.shapes.flatten(1).numpy()
    share = np.linalg.lstsq(shapes.T, (test.relief - mean).reshape(len(test.relief), -1).T, rcond=None)[0]
    with torch.inference_mode():
        seen = net(torch.stack([normalised(grey) for grey in test.grey]).float()).numpy()
    told = {
        "network": seen,
        "mean": np.broadcast_to(mean, seen.shape),
        "shapes": mean + (share.T @ shapes).reshape(seen.shape),
    }
    return {name: round(float(off(relief, test)), 4) for name, relief in told.items()}


def off(relief: np.ndarray, test: Pictures) -> float:
    """Root mean square of what scale and plane leave, over the skin."""
    squares = []
    for found, truth, skin in zip(relief, test.relief, test.skin, strict=True):
        basis = np.c_[found[skin], PLANE[skin]]
        rest = truth[skin] - basis @ np.linalg.lstsq(basis, truth[skin], rcond=None)[0]
        squares.append(np.square(rest).mean())
    return np.sqrt(np.mean(squares))


if __name__ == "__main__":
    main()
