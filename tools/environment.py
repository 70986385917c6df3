"""Write environment.yml from pyproject.toml, so that conda users get the same packages: python tools/environment.py."""

import tomllib
from pathlib import Path

HEAD = """\
# The whole environment for conda users: conda env create -f environment.yml && conda activate mer && make setup-conda
# Written by tools/environment.py from pyproject.toml; a test holds the two together.
# conda's pip section cannot override pins, and facenet-pytorch and pyrender pin torch, numpy, Pillow and PyOpenGL to
# versions they do not need. So the two are left out here, and `make setup-conda` adds them, without their pins.
name: mer
channels:
  - conda-forge
dependencies:
  - python>=3.11
  - pip
  - libegl
  - libgl
  - libopengl
  - mesalib # OSMesa
  - pip:
      - freetype-py # pyrender and facenet-pytorch come without what they need
      - pyglet
"""
PINNED_BY_THEMSELVES = ("facenet-pytorch", "pyrender")


def environment(project: Path) -> str:
    """The text of environment.yml for a pyproject.toml."""
    told = tomllib.loads(project.read_text(encoding="utf-8"))
    packages = [*told["project"]["dependencies"], *told["dependency-groups"]["dev"]]
    listed = [package for package in packages if not package.startswith(PINNED_BY_THEMSELVES)]
    return HEAD + "".join(f"      - {package}\n" for package in listed)


if __name__ == "__main__":
    here = Path(__file__).parent.parent
    (here / "environment.yml").write_text(environment(here / "pyproject.toml"), encoding="utf-8")
