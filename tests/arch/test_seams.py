"""The seams of docs/architecture.md, held over the syntax trees: who imports whom, what scripts and rules look like."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LIBRARY = ROOT / "mer_lib"
MODULES = sorted(LIBRARY.rglob("*.py"))
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))
RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))
FLOORS = {
    "cli": 6,
    "commands": 5, "synth": 5,
    "geometry": 4, "spotting": 4, "report": 4,
    "descriptors": 3,
    "corpora": 2, "ingest": 2, "learning": 2, "motion": 2, "faces": 2, "models": 2, "render": 2, "evaluation": 2,
    "clips": 1, "store": 1, "registry": 1, "params": 1, "problems": 1, "provenance": 1, "finished": 1, "weights": 1,
    "whole": 1, "views": 1, "meshes": 1, "ledger": 1, "presence": 1,
}  # fmt: skip


def imports(path: Path) -> set[str]:
    """The modules a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(module: str) -> str:
    return module.split(".")[1]


def rules() -> dict[str, str]:
    """The text of every rule by its name."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in RULES)
    blocks = re.split(r"^(?=(?:rule|use rule)\s)", text, flags=re.M)[1:]
    found = {}
    for block in blocks:
        head = block.split("\n", 1)[0]
        name = re.match(r"(?:use rule \w+ as|rule) (\w+)", head)[1]
        found[name] = re.split(r"^\S", block.split("\n", 1)[1], maxsplit=1, flags=re.M)[0]
    return found


def test_every_room_has_its_floor():
    rooms = {path.relative_to(LIBRARY).parts[0].removesuffix(".py") for path in MODULES} - {"__init__"}
    assert rooms == set(FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(LIBRARY)))
def test_arrows_point_down(path):
    parts = path.relative_to(LIBRARY).parts
    here = parts[0].removesuffix(".py")
    if here == "__init__":
        return
    for module in imports(path):
        if module.startswith("mer_lib.") and room(module) != here:
            there = room(module)
            allowed = FLOORS[there] < FLOORS[here] or FLOORS[there] == FLOORS[here] == 1
            assert allowed, f"{path.relative_to(ROOT)} (floor {FLOORS[here]}) imports {module} (floor {FLOORS[there]})"


def test_only_the_store_knows_hdf5():
    assert [p.name for p in MODULES if "h5py" in imports(p)] == ["store.py"]


def test_the_library_knows_no_workflow():
    for path in MODULES:
        assert not any(name.split(".")[0] in ("snakemake", "dvc") for name in imports(path)), path


def test_only_ingest_opens_media():
    for path in MODULES:
        if path.relative_to(LIBRARY).parts[0] != "ingest":
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"cv2\.(VideoCapture|VideoWriter|imread)\b", text), path


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_scripts_are_thin(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.name != "_job.py":
        assert len(lines) <= 32
        assert not any(isinstance(node, ast.ClassDef) for node in ast.walk(ast.parse("\n".join(lines))))
        assert lines[0].startswith("from _job import")


def test_the_entry_is_short():
    assert len((ROOT / "Snakefile").read_text().splitlines()) <= 60
    assert 'include: "../Snakefile"' in (ROOT / "workflow/Snakefile").read_text()


@pytest.mark.parametrize(("name", "block"), rules().items(), ids=list(rules()))
def test_every_job_has_log_and_benchmark(name, block):
    if re.search(r"^    output:", block, flags=re.M):
        assert re.search(r"^    log:", block, flags=re.M), f"rule {name} has no log"
        assert re.search(r"^    benchmark:", block, flags=re.M), f"rule {name} has no benchmark"
        inherits = any(f" as {name} with:" in path.read_text(encoding="utf-8") for path in RULES)
        assert "script:" in block or inherits, f"rule {name} runs nothing"


def test_every_rule_file_says_what_goes_in_and_out():
    for path in RULES:
        if path.name not in ("common.smk", "stages.smk", "inputs.smk"):
            head = path.read_text(encoding="utf-8").splitlines()[:6]
            assert any(line.startswith("# in: ") for line in head), path
            assert any(line.startswith("# out: ") for line in head), path


FORBIDDEN = {
    r"\bpickle\b": "pickle",
    r"torch\.load\((?!.*weights_only=True)": "torch.load without weights_only",
    r"yaml\.load\(": "yaml.load",
    r"np\.load\(.*allow_pickle=True": "numpy's pickle",
    r"\beval\(|\bexec\(": "eval",
    r"shell=True|os\.(system|popen)\(": "a shell",
    r"\b(marshal|shelve|joblib|dill)\b": "a pickle by another name",
    r"\.extractall\(|unpack_archive\(": "an archive that may write outside its folder",
    r"/home/|/Users/|/root/": "somebody's home",
}


@pytest.mark.parametrize("pattern,name", FORBIDDEN.items(), ids=list(FORBIDDEN.values()))
def test_nothing_unsafe(pattern, name):
    for path in [*MODULES, *SCRIPTS, *RULES, *(ROOT / "tools").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            code = re.sub(r"\.eval\(", "(", line).split("#")[0]
            found = re.search(pattern, code)
            assert not found or (path.name == "weights.py" and "never a pickle" in line), f"{path}:{number}: {name}"


def test_packages_stay_light():
    """Importing a light module of a room must not pull the heavy ones in: the rooms' __init__ files are empty."""
    for path in MODULES:
        if path.name == "__init__.py":
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert all(isinstance(node, ast.Expr) for node in body), path
