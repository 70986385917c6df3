"""``mer doctor``: try what a run needs, for real, and say what to do about what fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mer_lib.problems import BadInput

FREE_GB = 5  # the embedded corpus with all its stages takes about 1 GB; a real one of 250 clips about 20
GL_LIBRARIES = "apt-get install libosmesa6 libegl1 libgl1 libgl1-mesa-dri libopengl0"


@dataclass(frozen=True)
class Verdict:
    """One line of the report: what was tried, whether it went well, what was seen, what to do if it went wrong."""

    name: str
    ok: bool
    seen: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{'ok  ' if self.ok else 'FAIL'}  {self.name.ljust(16)} {self.seen}"
        return line if self.ok else f"{line}; {self.remedy}"


def is_corpus(name: str) -> bool:
    """Whether a word names a data set rather than a folder."""
    from mer_lib import registry

    return name in registry.entries("corpus")


def examine(folder: Path) -> Iterator[Verdict]:
    """Each check in turn, a run in ``folder`` in mind; one that fails does not stop the next."""
    for name, check, remedy in _checks(folder):
        try:
            yield Verdict(name, True, check())
        except BadInput as error:
            yield Verdict(name, False, error.problem.what, error.problem.remedy)
        except Exception as error:  # whatever a broken installation throws is this check's finding
            seen = " ".join(str(error).split())
            yield Verdict(name, False, f"{type(error).__name__}: {seen}" if seen else type(error).__name__, remedy)


def _checks(folder: Path) -> list[tuple[str, Callable[[], str], str]]:
    again = "run 'make setup' again"
    return [
        ("Python", _python, "use Python 3.11 or later"),
        ("torch", _torch, again),
        ("OpenCV", _opencv, "remove other builds of OpenCV: only opencv-contrib-python may be installed; " + again),
        ("lossless video", _video, "the FFV1 codec is missing: reinstall opencv-contrib-python"),
        ("rendering", _rendering, f"install the OpenGL libraries: {GL_LIBRARIES}"),
        ("face detector", _detector, "its weights come with facenet-pytorch: " + again),
        ("own networks", _networks, again),
        ("Snakemake", lambda: _tool("snakemake"), again),
        ("DVC", lambda: _tool("dvc"), again),
        ("disk", lambda: _disk(folder), f"free at least {FREE_GB} GB, or work on another disk"),
        ("writing", lambda: _writing(folder), "give yourself write permission, or work in a folder of your own"),
    ]


def _python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036 - the package's own pin is not checked when it is run from a checkout
        raise RuntimeError(version)
    return version


def _torch() -> str:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    square = torch.ones(8, 8, device=device)
    if float((square @ square).sum()) != 512:
        raise RuntimeError(f"wrong product of matrices on {device}")
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return f"{torch.__version__}, {name}"


def _opencv() -> str:
    import cv2

    for needed in ("optflow.createOptFlow_DualTVL1", "DISOpticalFlow.create", "ORB.create"):
        owner, _, maker = needed.rpartition(".")
        getattr(getattr(cv2, owner), maker)()
    return f"{cv2.__version__}, TV-L1, DIS, ORB"


def _video() -> str:
    import numpy as np

    from mer_lib.ingest.source import open_source
    from mer_lib.ingest.writer import write_video

    frames = np.random.default_rng(0).integers(0, 256, (4, 48, 64, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "lossless.avi")
        write_video(path, frames, 200.0)
        back = np.stack(list(open_source(path, "video").frames()))
    if not np.array_equal(frames, back):
        raise RuntimeError("frames come back changed")
    return "FFV1 gives every bit back"


def _rendering() -> str:
    """A square one metre away, drawn: the picture shows it and its depth is one metre."""
    import os

    import numpy as np

    from mer_lib.render.camera import Camera, facing
    from mer_lib.render.scene import Renderer, Surface

    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    corners = np.float32([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) / 5
    surface = Surface(
        faces=triangles,
        corners=np.arange(4),
        uv=np.float32([[0, 0], [1, 0], [1, 1], [0, 1]]),
        uv_faces=triangles,
        texture=np.full((4, 4, 4), 255, np.uint8),
        occlusion=np.ones(4, np.float32),
    )
    with Renderer(Camera(64, 64, 64.0), surface) as renderer:
        picture, depth = renderer.picture(corners, facing(1.0)), renderer.depth(corners, facing(1.0))
    if abs(float(depth[32, 32]) - 1) > 1e-3 or depth[0, 0] != 0 or picture[32, 32].max() == picture[0, 0].max():
        raise RuntimeError(f"a square at 1 m is drawn at {depth[32, 32]:.3f} m")
    return f"OpenGL draws through {os.environ['PYOPENGL_PLATFORM']}, depth is exact"


def _detector() -> str:
    import numpy as np

    from mer_lib.faces.detect import Detector

    found = Detector()(np.full((1, 80, 80, 3), 128, np.uint8))
    if found != [[]]:
        raise RuntimeError("a face is seen where there is none")
    return "MTCNN and its weights are there"


def _networks() -> str:
    import numpy as np

    from mer_lib.faces import align
    from mer_lib.faces.landmarks68 import landmarks68
    from mer_lib.geometry.likeness import relief_of

    landmarks68(np.zeros((1, 64, 64, 3), np.uint8))
    relief_of(np.zeros((64, 64), np.uint8), align.template(64, 0.15))
    return "landmarks and relief have their weights"


def _tool(name: str) -> str:
    """The version that the program itself tells; it is sought beside this Python first."""
    program = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if not program:
        raise RuntimeError("not installed")
    told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=True)
    return told.stdout.strip()


def _disk(folder: Path) -> str:
    free = shutil.disk_usage(folder).free / 1e9
    if free < FREE_GB:
        raise RuntimeError(f"{free:.1f} GB free")
    return f"{free:.0f} GB free"


def _writing(folder: Path) -> str:
    for name in (".", "data", "results"):
        if (place := folder / name).is_dir():
            with tempfile.TemporaryFile(dir=place):
                pass
    return f"{folder.resolve()} can be written"
