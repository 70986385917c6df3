"""Train the 68-point network of mer_lib/faces/landmarks68.py on embedded faces, whose landmarks are exact.

    python tools/build_landmarks.py mer_lib/faces/landmarks68.safetensors

Nothing but this repository is read. The same machine and versions give the same bytes; one core takes about a quarter
of an hour. Prints the errors that mer_lib/faces/LANDMARKS68.md reports.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from mer_lib import weights
from mer_lib.faces import align
from mer_lib.faces.landmarks68 import CROP, SIDE, Net, five_of, normalised
from mer_lib.render.camera import Camera, facing
from mer_lib.render.scene import Renderer
from mer_lib.synth.filming import lamps
from mer_lib.synth.head import ACTION_UNITS
from mer_lib.synth.identity import make_identity

PEOPLE, HELD_OUT, PICTURES = 110, 10, 36
SIZE = 144  # pixels of a rendered picture
EYES = 0.24  # of it, between the pupils at a metre
EPOCHS, BATCH, RATE = 30, 32, 2e-3
FLIP = [
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
    41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
]  # fmt: skip
WEIGHT = np.where(np.arange(68) < 17, 0.5, 1.0)  # the jaw of a mesh is no edge that a picture shows: it may be wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    started = time.perf_counter()
    train, test = people(range(HELD_OUT, PEOPLE)), people(range(HELD_OUT))
    print(f"{len(train[0])} pictures for training, {len(test[0])} held out: {time.perf_counter() - started:.0f} s")
    net = fit(*train, test)
    told = report(net, *test)
    card = {"what": "68 points on the aligned face", "licence": "CC0-1.0", "pictures": len(train[0]), "errors": told}
    arrays = {name: tensor.numpy() for name, tensor in net.state_dict().items() if tensor.is_floating_point()}
    weights.save(options.weights, {name: array.astype(np.float16) for name, array in arrays.items()}, card)
    print(f"{options.weights}: {options.weights.stat().st_size / 1e6:.2f} MB, {time.perf_counter() - started:.0f} s")


def people(numbers: range) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, SIZE, SIZE, 3) uint8 of people that no corpus has, and their landmarks (N, 68, 2) in pixels."""
    made = [person(number) for number in numbers]
    return np.concatenate([pictures for pictures, _ in made]), np.concatenate([points for _, points in made])


def person(number: int) -> tuple[np.ndarray, np.ndarray]:
    """One person under many poses, expressions, lenses and lamps, before anything."""
    rng, who = np.random.default_rng(number), make_identity(f"landmarks/{number}")
    pictures, points = np.empty((PICTURES, SIZE, SIZE, 3), np.uint8), np.empty((PICTURES, 68, 2), np.float32)
    shapes = who.deform(expressions(rng), rng.normal(0, 8, (PICTURES, 2)))
    with Renderer(Camera(SIZE, SIZE, 1.0), who.surface) as renderer:
        for k, shape in enumerate(shapes):
            distance = rng.uniform(0.45, 1.6)
            renderer.camera = Camera(SIZE, SIZE, EYES * SIZE * distance / 0.063)
            yaw = rng.uniform(-50, 50) if k % 3 else rng.normal(0, 8)
            pose = facing(distance, yaw=yaw, pitch=rng.normal(0, 11), roll=rng.normal(0, 7), shift=(0, 0.015))
            light = lamps(rng).scaled(rng.uniform(0.6, 1.4))
            pictures[k] = renderer.picture(shape, pose, light, scenery(rng))
            points[k] = renderer.camera.project(shape[who.head.landmarks], pose)[:, :2]
    return pictures, points


def expressions(rng: np.random.Generator) -> np.ndarray:
    """Weights (PICTURES, A, 2) of the action units: a few at up to full strength, half of them on both sides alike."""
    shape = (PICTURES, len(ACTION_UNITS), 1)
    both = (rng.random(shape) < 0.16) * rng.uniform(0, 1, shape)
    return np.clip(both * rng.normal(1, 0.15, (*shape[:2], 2)), 0, 1)


def scenery(rng: np.random.Generator) -> np.ndarray:
    """(SIZE, SIZE, 3) uint8: smooth blobs of any colour, sometimes with edges."""
    cells = int(rng.integers(2, 24))
    noise = rng.normal(0, rng.uniform(5, 60), (cells, cells, 3)) + rng.uniform(20, 230, 3)
    how = cv2.INTER_NEAREST if rng.random() < 0.3 else cv2.INTER_CUBIC
    return np.clip(cv2.resize(noise.astype(np.float32), (SIZE, SIZE), interpolation=how), 0, 255).astype(np.uint8)


def crop(picture: np.ndarray, points: np.ndarray, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
    """The aligned crop (64, 64, 3) as the pipeline cuts it, and its points in pixels of a crop of 128.

    ``rng`` jitters the crop as detectors err, and beyond.
    """
    seen = five_of(points[None])[0]
    if rng is not None:
        seen = seen + rng.normal(0, 0.03 * np.linalg.norm(seen[1] - seen[0]), seen.shape)
    matrix = np.vstack([align.similarity(seen, align.template(CROP, 0.15)), [0, 0, 1]]).astype(float)
    if rng is not None:
        turn = cv2.getRotationMatrix2D(((CROP - 1) / 2, (CROP - 1) / 2), rng.normal(0, 7), np.exp(rng.normal(0, 0.08)))
        turn[:, 2] += rng.normal(0, 3, 2)
        matrix[:2] = turn @ matrix
    half = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]]) @ matrix
    cut = cv2.warpAffine(picture, half, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cut, align.transform(matrix[:2], points)


def disturbed(cut: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What lamps, cameras, hands and glasses do to a crop: (64, 64, 3) → (64, 64) uint8, a grey of some camera."""
    if rng.random() < 0.25:
        glasses(cut, rng)
    if rng.random() < 0.3:
        hide(cut, rng)
    grey = cut.astype(np.float32) @ rng.dirichlet((3, 5, 2)).astype(np.float32)
    for _ in range(rng.integers(0, 3)):  # shadow and lamp from a side
        grey = grey * (1 + rng.uniform(0, 0.6) * slope(rng))
    grey = 255 * np.clip(grey / 255, 0, 1) ** np.exp(rng.normal(0, 0.35))
    grey = (grey - grey.mean()) * np.exp(rng.normal(0, 0.25)) + grey.mean() + rng.normal(0, 20)
    if rng.random() < 0.5:
        grey = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.3, 1.3))
    noisy = grey + rng.normal(0, rng.uniform(0, 7), grey.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def slope(rng: np.random.Generator) -> np.ndarray:
    """(64, 64) from −1 to 1: a soft edge between shade and light, anywhere."""
    angle = rng.uniform(0, 2 * np.pi)
    v, u = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    return np.tanh((np.cos(angle) * u + np.sin(angle) * v - rng.uniform(-0.6, 0.6)) * rng.uniform(1, 8))


def glasses(cut: np.ndarray, rng: np.random.Generator) -> None:
    """Two rims about where the template has the eyes, and a bridge."""
    eyes = np.rint(align.template(SIDE, 0.15)[:2] + rng.normal(0, 1, (2, 2))).astype(int).tolist()
    tone, axes = rng.integers(0, 120, 3).tolist(), rng.integers(6, 11, 2).tolist()
    for eye in eyes:
        cv2.ellipse(cut, eye, axes, 0, 0, 360, tone, 1, cv2.LINE_AA)
    cv2.line(cut, (eyes[0][0] + axes[0], eyes[0][1]), (eyes[1][0] - axes[0], eyes[1][1]), tone, 1)


def hide(cut: np.ndarray, rng: np.random.Generator) -> None:
    """An ellipse of one tone over part of the face: a hand, a lock of hair, a microphone."""
    middle, axes = rng.integers(0, SIDE, 2).tolist(), rng.integers(3, 17, 2).tolist()
    cv2.ellipse(cut, middle, axes, int(rng.integers(0, 180)), 0, 360, rng.integers(0, 230, 3).tolist(), -1)


def samples(pictures: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch as the network sees it: (n, 1, 64, 64), and its points (n, 68, 2) in pixels of a crop of 128."""
    cuts, truths = [], []
    for picture, truth in zip(pictures, points, strict=True):
        cut, truth = crop(picture, truth, rng)
        if rng.random() < 0.5:
            cut, truth = cut[:, ::-1].copy(), np.stack([CROP - 1 - truth[FLIP, 0], truth[FLIP, 1]], axis=-1)
        cuts.append(disturbed(cut, rng))
        truths.append(truth)
    return normalised(np.stack(cuts)), torch.from_numpy(np.stack(truths)).float()


def fit(pictures: np.ndarray, points: np.ndarray, test: tuple[np.ndarray, np.ndarray]) -> Net:
    """Smooth L1 on the points, Adam, the rate falling along a cosine."""
    torch.manual_seed(0)
    rng, net = np.random.default_rng(0), Net()
    net.mean.copy_(torch.from_numpy(mean_shape(pictures, points)))
    steps = EPOCHS * (len(pictures) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-3)
    falling = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.1)
    weight = torch.from_numpy(WEIGHT).float()[:, None]
    for epoch in range(EPOCHS):
        order, total = rng.permutation(len(pictures)), 0.0
        for at in range(0, len(order) - BATCH + 1, BATCH):
            x, truth = samples(pictures[order[at : at + BATCH]], points[order[at : at + BATCH]], rng)
            error = torch.nn.functional.smooth_l1_loss(net(x), truth, reduction="none", beta=2.0)
            loss = (weight * error).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            falling.step()
            total += loss.item() * BATCH / len(order)
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: loss {total:.3f}, held out {report(net, *test)}", flush=True)
            net.train()
    return net


def mean_shape(pictures: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(68, 2) crop pixels: where the network starts from."""
    return np.mean([crop(picture, truth, None)[1] for picture, truth in zip(pictures, points, strict=True)], axis=0)


def report(net: Net, pictures: np.ndarray, points: np.ndarray) -> dict[str, float]:
    """Mean error in % of the distance between the eyes' centres, of clean crops and of crops as jittered as a detector
    jitters them; without the jaw, which no picture shows as an edge."""
    net.eval()
    found = {}
    for name, rng in (("aligned", None), ("jittered", np.random.default_rng(1))):
        cuts, truths = zip(*(crop(p, t, rng) for p, t in zip(pictures, points, strict=True)), strict=True)
        with torch.inference_mode():
            errors = np.linalg.norm(net(normalised(np.stack(cuts))).numpy() - np.stack(truths), axis=-1)
        eyes = np.linalg.norm(np.subtract(*five_of(np.stack(truths))[:, :2].swapaxes(0, 1)), axis=1)
        relative = 100 * errors / eyes[:, None]
        found |= {name: round(float(relative.mean()), 2), f"{name} inner": round(float(relative[:, 17:].mean()), 2)}
    return found


if __name__ == "__main__":
    main()
