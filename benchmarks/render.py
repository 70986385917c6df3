"""What a view costs: CPU time of this process a rendered view, by pyrender and by our own triangles.

    python benchmarks/render.py                              # OSMesa
    PYOPENGL_PLATFORM=egl python benchmarks/render.py        # a graphics card, or Mesa's software where there is none

An embedded face of one clip is seen from the ten angles, frame after frame, as the pipeline does it: surface, scene,
buffers and renderer are made once; a frame replaces vertices and texture, a view changes camera and pose. Times are CPU
time of all threads of this process, so those of one core; of several rounds the fastest counts. Last line: JSON.

ms_128, ms_256            milliseconds a view by pyrender, crops of that size
backend                   what draws: OpenGL's platform and its renderer
overhead_128, …_256       share of it that a mesh of one triangle takes too: upload, read-back, averaging, Python
rebuilt_128, …_256        milliseconds a view where all of it is made anew for each view
raster_128, …_256         milliseconds a view by our own triangles (mer_lib/render/film.py)
relief_128, …_256         milliseconds a frame for what comes before: head's path, surface, smoothing over time
triangles_128, …_256      of the surface
"""

import argparse
import json
import os
import sys
import time
from dataclasses import replace

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LP_NUM_THREADS"):
    os.environ[variable] = "1"  # before the libraries that read it are imported

# ruff: noqa: E402
import cv2
import numpy as np

from mer_lib.geometry.relief import Relief, relief
from mer_lib.geometry.views import YAWS, surroundings, views
from mer_lib.problems import BadInput
from mer_lib.render.film import open_film
from mer_lib.synth.pairs import exact_sides

FRAMES = 5
WAVER = 0.01  # interocular distances, rms: depths of a clip's frames are never the same


def clip(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Frames, depth, landmarks of FRAMES moments, and the field of view."""
    sides, rng = exact_sides(1, (0.0,), size=size), np.random.default_rng(0)
    frames, depth, marks = (np.repeat(a[:1], FRAMES, axis=0) for a in (sides.frames, sides.depth, sides.landmarks))
    return frames, (depth + rng.normal(0, WAVER, depth.shape)).astype(np.float32), marks, sides.fov


def milliseconds(work, rounds: int) -> float:
    """The CPU time of one call, the fastest of several; once before for what is compiled or loaded."""
    work()
    spent = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        spent.append(time.process_time() - started)
    return 1000 * min(spent)


def a_view(renderer: str, surface: Relief, frames: np.ndarray, rounds: int, triangles: int | None = None) -> float:
    """Milliseconds a view of an open renderer that shows the first few triangles of the surface, or all."""
    size, behind = frames.shape[1], surroundings(surface, frames[0])
    cameras = [replace(view, faces=view.faces[:triangles]) for view in views(surface, YAWS)]
    film = open_film(renderer, size, size)

    def work() -> None:
        for t, frame in enumerate(frames):
            film.frame(frame, surface.vertices(t), surface.pixels[t], cameras, behind)

    try:
        return milliseconds(work, rounds) / len(frames) / len(cameras)
    finally:
        film.close()


def rebuilt(surface: Relief, frame: np.ndarray, rounds: int) -> float:
    """Milliseconds a view of a renderer that is opened for it."""
    size, cameras, behind = len(frame), views(surface, YAWS)[::3], surroundings(surface, frame)

    def work() -> None:
        for camera in cameras:
            film = open_film("pyrender", size, size)
            film.frame(frame, surface.vertices(0), surface.pixels[0], [camera], behind)
            film.close()

    return milliseconds(work, rounds) / len(cameras)


def backend() -> str:
    """The platform of OpenGL and what it draws with."""
    from mer_lib.render.gl import GL, Canvas

    blank = np.zeros((2, 2, 4), np.uint8)
    with Canvas(8, 8, np.zeros((3, 2), np.float32), np.array([[0, 1, 2]]), blank) as canvas:
        canvas._gl._platform.make_current()
        return f"{os.environ['PYOPENGL_PLATFORM']}: {GL.glGetString(GL.GL_RENDERER).decode()}"


def measured(size: int, rounds: int) -> dict[str, float]:
    """All figures of one size."""
    frames, depth, landmarks, fov = clip(size)
    surface = relief(frames, depth, landmarks, yaws=YAWS, fov=fov)
    whole = a_view("pyrender", surface, frames, rounds)
    return {
        "ms": whole,
        "overhead": a_view("pyrender", surface, frames, rounds, 1) / whole,
        "rebuilt": rebuilt(surface, frames[0], rounds),
        "raster": a_view("raster", surface, frames, rounds),
        "relief": milliseconds(lambda: relief(frames, depth, landmarks, yaws=YAWS, fov=fov), 1) / FRAMES,
        "triangles": len(surface.shape.faces),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="the fastest counts")
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    try:
        found = {"benchmark": "render", "backend": backend()}
    except BadInput as error:
        sys.exit(f"error: {error}")
    for size in (128, 256):
        figures = measured(size, rounds)
        found |= {f"{name}_{size}": round(value, 3) for name, value in figures.items()}
        print(
            f"{size} × {size}, {figures['triangles']} triangles: {figures['ms']:.2f} ms a view by pyrender "
            f"({figures['overhead']:.0%} overhead; {figures['rebuilt']:.1f} with all made anew), "
            f"{figures['raster']:.2f} by our own; {figures['relief']:.0f} ms a frame before"
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
