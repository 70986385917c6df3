"""The places that name versions say the same: pyproject.toml, environment.yml, the overrides, what conda runs after."""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from collections import defaultdict
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
def test_overrides_pin_the_same(kind):
    """An override replaces pyproject's own pin: where they differ, so would machines."""
    lines = (ROOT / f"requirements/overrides-{kind}.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if re.fullmatch(r"\w+==[\w.]+", line))
    assert pinned == {name: PINS[name] for name in ("torch", "numpy", "pillow", "PyOpenGL")}
    assert any(line.startswith("torchvision") for line in lines)


# ---- the lock --------------------------------------------------------------------------------------------------------

TORCHS_OWN = re.compile(r"torch|torchvision|triton|(nvidia|cuda)-.*")  # builds of it differ by machine


@cache
def locked() -> dict[str, list[tuple[Requirement, list[str]]]]:
    """Package -> its versions in requirements/lock.txt, one a marker, each with its hashes."""
    text = (ROOT / "requirements/lock.txt").read_text(encoding="utf-8").replace("\\\n", "")
    found = defaultdict(list)
    for line in filter(None, (line.split("#")[0].strip() for line in text.splitlines())):
        told, *hashes = line.split(" --hash=")
        requirement = Requirement(told.strip())
        found[canonicalize_name(requirement.name)].append((requirement, [each.strip() for each in hashes]))
    return found


def here(name: str) -> str | None:
    """The version that the lock has for this Python and system."""
    fitting = [r for r, _ in locked().get(name, ()) if r.marker is None or r.marker.evaluate()]
    assert len(fitting) < 2, name
    return str(fitting[0].specifier).removeprefix("==") if fitting else None


def test_every_file_of_the_lock_is_held_to_a_hash():
    for name, versions in locked().items():
        for requirement, hashes in versions:
            assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), name
            assert hashes and all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in hashes), name


def test_the_lock_is_pyprojects():
    """After a change there: make lock."""
    pins = {**PINS, **dict(package.split("==") for package in PROJECT["dependency-groups"]["dev"])}
    assert {name: here(canonicalize_name(name)) for name in pins if name != "torch"} == {
        name: version for name, version in pins.items() if name != "torch"
    }
    assert not [name for name in locked() if TORCHS_OWN.fullmatch(name)]
    minimum = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert f"--python-version {minimum} " in (ROOT / "tools/lock.sh").read_text(encoding="utf-8")


def test_the_lock_is_whole():
    """What its packages require is in it, in a version that they accept (facenet-pytorch and pyrender accept less)."""
    checked = 0
    for name in locked():
        try:
            told = distribution(name)
        except PackageNotFoundError:  # of another system
            continue
        if told.version != here(name):  # an environment of the developer's own
            continue
        for requirement in map(Requirement, told.requires or ()):
            needed = canonicalize_name(requirement.name)
            if (requirement.marker and not requirement.marker.evaluate({"extra": ""})) or TORCHS_OWN.fullmatch(needed):
                continue
            assert here(needed), f"{name} needs {needed}: make lock"
            if name not in ("facenet-pytorch", "pyrender"):
                assert requirement.specifier.contains(here(needed), prereleases=True), f"{name} needs {requirement}"
            checked += 1
    assert checked > 200


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
