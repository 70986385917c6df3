"""The places that name versions say the same: pyproject.toml, environment.yml, the overrides, what conda runs after."""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = dict(package.split("==") for package in PROJECT["project"]["dependencies"])


def test_every_dependency_is_pinned():
    assert all(re.fullmatch(r"[\w.]+", version) for version in PINS.values())


def test_environment_yml_is_what_pyproject_says(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    sys.modules.pop("environment", None)
    from environment import environment

    assert (ROOT / "environment.yml").read_text(encoding="utf-8") == environment(ROOT / "pyproject.toml")


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_overrides_pin_the_same_torch(kind):
    lines = (ROOT / f"requirements/overrides-{kind}.txt").read_text(encoding="utf-8").splitlines()
    assert f"torch=={PINS['torch']}" in lines
    assert any(line.startswith("torchvision") for line in lines)


def test_what_conda_runs_after_has_the_same_pins():
    text = (ROOT / "environment.post-deploy.sh").read_text(encoding="utf-8")
    for name in ("facenet-pytorch", "pyrender"):
        assert f"{name}=={PINS[name]}" in text


def test_make_hands_snakemake_its_target_before_the_options_that_would_swallow_it():
    """--set-resources takes all that follows: `make run GPU=1` must still name its target."""
    plan = subprocess.run(["make", "-n", "run", "GPU=1"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    command = next(line for line in plan.splitlines() if "/snakemake" in line)
    words = shlex.split(command)
    assert words[words.index(next(w for w in words if w.endswith("/snakemake"))) + 1] == "all"
    for page in [ROOT / "README.md", ROOT / "profiles/default/config.yaml", *(ROOT / "docs").glob("*.md")]:
        for line in page.read_text(encoding="utf-8").splitlines():
            greedy = re.search(r"snakemake .*--(?:set-resources|resources|config) .* all\b(?! )", line)
            assert not greedy, f"{page.name}: {line}"


def test_imports_of_the_library_are_dependencies():
    """Whatever the library imports stands in pyproject.toml itself, not only behind another package."""
    distributions = {
        "cv2": "opencv-contrib-python", "yaml": "pyyaml", "sklearn": "scikit-learn", "skimage": "scikit-image",
        "PIL": "pillow", "OpenGL": "PyOpenGL", "facenet_pytorch": "facenet-pytorch",
    }  # fmt: skip
    behind = {"markupsafe"}  # jinja2's own type, which it returns
    found = set()
    for path in (ROOT / "mer_lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            found |= {distributions.get(name.split(".")[0], name.split(".")[0]) for name in names}
    third = {n for n in found if n not in sys.stdlib_module_names} - {"mer_lib", "torchvision", "mer"} - behind
    assert third <= set(PINS), third - set(PINS)
