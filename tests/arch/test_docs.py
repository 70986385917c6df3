"""The pages say what is: commands, options, keys, columns, files, links exist; the examples run as they stand."""

import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
import yaml

from mer_lib import clips, meshes, params, problems, registry
from mer_lib.cli import app
from mer_lib.commands import export, listing
from mer_lib.evaluation import comparisons, leaderboard, metrics, yaw
from mer_lib.geometry import attention, depth_error
from mer_lib.learning import curves, protocols
from mer_lib.report import costs, page
from mer_lib.report.data import ReportData

ROOT = Path(__file__).parent.parent.parent
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in (
    ROOT / "README.md", ROOT / "data/README.md", *sorted((ROOT / "docs").rglob("*.md"))
)}  # fmt: skip
SETTINGS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
RULES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "workflow/rules").glob("*.smk"))
CONTRACT = PAGES["docs/contract.md"]


@cache
def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], flags=re.M | re.S)


@cache
def spans(page: str) -> list[str]:
    """Inline code of a page, fenced blocks left out."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", PAGES[page], flags=re.M | re.S))


@cache
def commands(program: str) -> list[tuple[str, list[str]]]:
    """(page, words) of every call of a program that the pages show, in blocks and in sentences."""
    found = []
    for name in PAGES:
        lines = [line for block in blocks(name, "sh") for line in block.splitlines()] + spans(name)
        found += [(name, shlex.split(line, comments=True)) for line in lines if re.match(rf"{program}(\s|$)", line)]
    return found


EXAMPLES = dict(
    re.match(r"# (mer_lib/\S+\.py)\n(.*)", block, flags=re.S).groups()
    for block in blocks("docs/add-a-method.md", "python")
    if block.startswith("# mer_lib/")
)


# ---- commands --------------------------------------------------------------------------------------------------------


def test_mer_is_called_as_it_can_be():
    group = typer.main.get_command(app)
    assert len(commands("mer")) > 5
    for where, (_, *words) in commands("mer"):
        if not words or words[0].startswith("-"):
            assert set(words) <= {"--help"}, where
            continue
        assert words[0] in group.commands, f"{where}: mer {words[0]}"
        command = group.commands[words[0]]
        if hasattr(command, "commands") and len(words) > 1:  # export mesh, export views
            assert words[1] in command.commands, f"{where}: mer {words[0]} {words[1]}"
            command = command.commands[words[1]]
        known = {option for parameter in command.params for option in parameter.opts}
        for word in words[1:]:
            assert not word.startswith("--") or word in known, f"{where}: mer {words[0]} {word}"
        if words[0] == "list" and len(words) > 1:
            assert words[1] in listing.PLURALS, f"{where}: mer list {words[1]}"


def test_options_of_predict_are_all_told():
    predict = typer.main.get_command(app).commands["predict"]
    told = set(re.findall(r"`(--[a-z-]+)`", PAGES["docs/own-video.md"]))
    assert told == {o for p in predict.params for o in p.opts if o.startswith("--")} - {"--help"}


def test_snakemake_is_given_targets_and_keys_that_exist():
    rules = set(re.findall(r"^\s*rule (\w+):", RULES + (ROOT / "Snakefile").read_text(encoding="utf-8"), flags=re.M))
    shown = [(where, words) for where, words in commands("snakemake") if len(words) > 2]
    assert len(shown) > 5
    for where, words in shown:
        after = words[words.index("--config") + 1 :] if "--config" in words else []
        overrides = yaml.safe_load("\n".join("{}: {}".format(*word.split("=", 1)) for word in after) or "{}")
        params.load(ROOT / "params.yaml", overrides)
        for word in words[1:]:
            if re.fullmatch(r"\w+:gpu=\d+", word):
                assert word.split(":")[0] in rules, f"{where}: {word}"
            elif re.fullmatch(r"[a-z_]+", word) and words[words.index(word) - 1] not in ("--executor",):
                assert word in rules, f"{where}: {word}"


def test_make_has_the_targets():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
    assert len(commands("make")) >= 4
    for where, (_, *words) in commands("make"):
        assert {word for word in words if "=" not in word} <= targets, f"{where}: make {' '.join(words)}"


def test_dvc_is_asked_for_stages_it_has():
    told = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    shown = [words[2] for _, words in commands("dvc") if words[1:2] == ["repro"] and len(words) > 2]
    assert shown and {name.split("@")[0] for name in shown} <= set(told["stages"])
    for stage in told["stages"]:
        assert f"`{stage}`" in PAGES["docs/dvc.md"]


def test_a_tracked_data_set_is_not_hidden_from_git():
    """`dvc add data/mine`, as docs/dvc.md shows it, is refused where git ignores the file that it writes."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    hidden = subprocess.run(["git", "check-ignore", "--quiet", "data/mine.dvc"], cwd=ROOT, check=False).returncode == 0
    assert not hidden, ".gitignore needs !/data/*.dvc"


# ---- settings --------------------------------------------------------------------------------------------------------


def test_keys_of_params_exist():
    endings = ("csv", "dvc", "h5", "html", "json", "md", "py", "smk", "txt", "yaml")
    seen = 0
    for name in PAGES:
        for span in spans(name):
            first, *rest = span.split(".")
            if not re.fullmatch(r"[a-z_]+(\.[a-z_0-9]+)+", span) or first not in SETTINGS or rest[-1] in endings:
                continue
            value = SETTINGS
            for key in (first, *rest):
                assert key in value, f"{name}: {span}"
                value = value[key]
            seen += 1
    assert seen > 5


def test_every_block_of_params_is_explained():
    assert rows_of("Choosing what runs") == list(SETTINGS)
    for key in SETTINGS["synthetic"]:
        assert f"`synthetic.{key}`" in PAGES["docs/synthetic.md"]


def test_settings_that_are_shown_are_valid(rooms):
    seen = 0
    for name in PAGES:
        for block in blocks(name, "yaml"):
            if block.startswith(("# local.yaml", "# dvc.yaml")):
                assert isinstance(yaml.safe_load(block), dict)
                continue
            params.load(ROOT / "params.yaml", yaml.safe_load(block))
            seen += 1
    assert seen >= 6


# ---- tables ----------------------------------------------------------------------------------------------------------


def rows_of(heading: str) -> list[str]:
    """First cells of the first table under a heading of the contract that ends so."""
    section = next(part for part in CONTRACT.split("\n## ") if part.split("\n")[0].strip("`").endswith(heading))
    table = re.search(r"^\|.*?(?=^[^|]|\Z)", section, flags=re.M | re.S)[0]
    return re.findall(r"^\| `([^`]+)` \|", table, flags=re.M)


def columns_in_script(name: str) -> list[str]:
    text = (ROOT / "workflow/scripts" / name).read_text(encoding="utf-8")
    return re.findall(r'"(\w+)"', re.search(r"columns=\[(.*?)\]", text)[1])


TINY = pd.DataFrame({"truth": ["negative", "positive"], "predicted": ["negative", "negative"]})
TABLES = {
    "/clips.csv": lambda: list(clips.COLUMNS),
    "/leaderboard.csv": lambda: list(leaderboard.COLUMNS),
    "/comparisons.csv": lambda: list(comparisons.COLUMNS),
    "meshes.csv": lambda: list(meshes.COLUMNS),
    "/problems.csv": lambda: list(problems.COLUMNS),
    "/costs.csv": lambda: list(costs.COLUMNS),
    "mer export views": lambda: list(export.COLUMNS),
    "/apex.csv": lambda: columns_in_script("spot.py"),
    "/curves/{protocol}/{experiment}.csv": lambda: list(curves.COLUMNS),
    "/yaw/{protocol}/{experiment}.csv": lambda: list(yaw.COLUMNS),
    "/attention/{protocol}.csv": lambda: list(attention.COLUMNS),
    "results/depth/metrics.json": lambda: list(depth_error.KEYS),
    "/metrics/{protocol}/{experiment}.json": lambda: list(metrics.summary(TINY)),
}


@pytest.mark.parametrize("heading", TABLES)
def test_the_contract_lists_the_columns(heading):
    assert rows_of(heading) == TABLES[heading]()


def test_the_contract_lists_the_predictions():
    from mer_lib.learning.fit import join

    assert rows_of("/predictions/{protocol}/{experiment}.csv") == list(join([], ["<class>"]).predictions)


def test_the_sheet_of_own_data_is_the_adapters():
    from mer_lib.corpora import folder

    head = blocks("docs/own-data.md", "csv")[0].splitlines()[0]
    assert head == ",".join(folder._HEADER) and head in PAGES["README.md"]
    for column in folder._COLUMNS:
        assert f"`{column}`" in PAGES["docs/own-data.md"]


def test_the_floors_are_those_of_the_arch_test():
    told = re.findall(r"^\| (\d) \| (.*) \|$", PAGES["docs/architecture.md"], flags=re.M)
    source = (ROOT / "tests/arch/test_seams.py").read_text(encoding="utf-8")
    floors = dict(re.findall(r'"(\w+)": (\d)', re.search(r"FLOORS = \{(.*?)\n\}", source, flags=re.S)[1]))
    assert {room: floor for floor, row in told for room in re.findall(r"`(\w+)`", row)} == floors


# ---- links and paths -------------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[name]):
        if target.startswith("https://") or target == "docs/report.png":
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / name).parent / file if file else ROOT / name
        assert path.is_file(), f"{name}: {target}"
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), f"{name}: {target}"


@pytest.mark.parametrize("name", PAGES)
def test_files_that_are_named_exist(name):
    for span in spans(name):
        if re.match(r"(mer_lib|workflow|tools|tests|requirements|profiles|docs)/[^{…]*$", span):
            assert (ROOT / span).exists(), f"{name}: {span}"


@pytest.mark.parametrize("name", PAGES)
def test_no_page_knows_this_machine(name):
    for number, line in enumerate(PAGES[name].splitlines(), 1):
        assert not re.search(r"(?<![\w.}])/(home|root|Users|work|tmp|mnt|media|srv)\b", line), (
            f"{name}:{number}: {line}"
        )
        assert str(ROOT) not in line


@pytest.mark.parametrize("name", PAGES)
def test_no_figure_is_left_to_fill_in(name):
    assert not re.findall(r"@[A-Z_]+@", PAGES[name])


def test_every_page_can_be_found_from_the_readme():
    linked = set(re.findall(r"\]\((docs/[\w/-]+\.md)", PAGES["README.md"]))
    assert linked == {name for name in PAGES if name.startswith("docs/")}


# ---- environment -----------------------------------------------------------------------------------------------------


def test_environment_yml_says_what_pyproject_says():
    environment = runpy.run_path(str(ROOT / "tools/environment.py"))["environment"]
    assert (ROOT / "environment.yml").read_text(encoding="utf-8") == environment(ROOT / "pyproject.toml")


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_torch_is_pinned_alike(kind):
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    pinned = [line for line in told if line.startswith("torch==")]
    overrides = (ROOT / f"requirements/overrides-{kind}.txt").read_text(encoding="utf-8").splitlines()
    assert pinned == [line for line in overrides if line.startswith("torch==")]


def test_the_apt_line_is_the_setups():
    wanted = set(re.findall(r"\blib[\w.-]+", re.search(r"apt-get install ([^`]+)`", PAGES["docs/environment.md"])[1]))
    assert wanted == set(re.findall(r"\blib[\w-]+\b(?!\.so)", " ".join(
        re.findall(r"missing\+=\(([^)]*)\)", (ROOT / "tools/setup.sh").read_text(encoding="utf-8"))
    )))  # fmt: skip


# ---- the examples of docs/add-a-method.md ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    """The examples in rooms of their own, registered beside what the library has."""
    folder = tmp_path_factory.mktemp("examples")
    for name, text in EXAMPLES.items():
        path = folder / name.replace("mer_lib", "example_rooms")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    own = {
        kind: registry.scan(kind, folder / "example_rooms" / room, f"example_rooms.{room}")
        for kind, room in registry.ROOMS.items()
    }
    library = registry.entries
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setattr(registry, "entries", lambda kind: {**library(kind), **own[kind]})
        yield own
        for module in [name for name in sys.modules if name.startswith("example_rooms")]:
            del sys.modules[module]


def only(rooms, kind: str) -> registry.Entry:
    (entry,) = rooms[kind].values()
    return entry


def test_there_is_an_example_of_each_kind(rooms):
    assert {kind for kind, found in rooms.items() if found} == set(registry.ROOMS) - {"classifier"}
    for name in EXAMPLES:
        assert not (ROOT / name).exists(), f"{name} is in the library now: choose another example"


def test_the_examples_keep_the_house_rules():
    code = "\n\n".join(EXAMPLES.values())
    for name, text in EXAMPLES.items():
        room = name.split("/")[1]
        for module in re.findall(r"^from mer_lib\.(\w+)[\w.]* import|^from mer_lib import (\w+)", text, flags=re.M):
            below = {*(path.stem for path in (ROOT / "mer_lib").glob("*.py")), room}
            assert {part for part in module if part} <= below, f"{name} imports {module}"
    assert max(map(len, code.splitlines())) <= 120


def test_the_descriptor(rooms):
    flow = np.zeros((2, 16, 16, 2), np.float32)
    flow[0, :8] = (2, 0)  # right, …
    flow[0, 8:] = (0, 1)  # … and half as far down
    made = only(rooms, "descriptor").load()(flow, np.zeros((2, 16, 16), np.float32), bins=4)
    np.testing.assert_allclose(made, [[0, 0, 2 / 3, 1 / 3], [0, 0, 0, 0]], rtol=1e-6)
    assert made.dtype == np.float32


def test_the_network(rooms):
    import torch

    entry = only(rooms, "model")
    network = entry.load()(3, **entry.options)
    x = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (4, 3, 28, 28)).astype(np.float32))
    network.eval()
    torch.testing.assert_close(network(x), network.forward_head(network.forward_features(x)))
    network(x).sum().backward()
    assert network(x).shape == (4, 3) and all(p.grad is not None for p in network.parameters())
    assert registry.get("descriptor", entry.meta["inputs"])


def test_the_flow(rooms):
    import cv2

    from mer_lib.motion.flow import compute

    noise = np.random.default_rng(0).integers(0, 256, (1, 80, 96), np.uint8)
    first = cv2.GaussianBlur(noise[0], (0, 0), 2)[None]
    second = np.roll(first, (2, 3), axis=(1, 2))  # two down, three to the right
    flow = compute(first, second, flow=only(rooms, "flow").name)
    assert flow.shape == (1, 80, 96, 2)
    np.testing.assert_allclose(flow[0, 40, 40], (3, 2), atol=0.25)


def test_the_protocol(rooms):
    people = [f"d/s{i}" for i in range(7) for _ in range(2)]
    ids = [f"{subject}/c{i}" for i, subject in enumerate(people)]
    table = pd.DataFrame({"clip": ids, "dataset": "d", "subject": people, "label": ["negative", "positive"] * 7})
    folds = protocols.make_folds(only(rooms, "protocol").name, table)
    assert len(folds) == 5 and sorted(clip for fold in folds for clip in fold.test) == sorted(ids)
    with pytest.raises(problems.BadInput, match="5 folds of 4 subjects"):
        protocols.make_folds("subjects5", table.head(8))


def test_the_data_set(rooms, tmp_path):
    head = "Subject,Filename,OnsetFrame,ApexFrame,OffsetFrame,Action Units,Estimated Emotion"
    (tmp_path / "s01").mkdir()
    (tmp_path / "s01/annotation.csv").write_text(f"{head}\ns01,a,1,5,9,12,happiness\ns01,b,2,3,4,4,puzzled\n")
    with problems.collect() as found:
        table = only(rooms, "corpus").load()(tmp_path, name="ours", classes=clips.OFFICIAL_CLASSES)
    row = table.iloc[0]
    assert (row["clip"], row["onset"], row["apex"], row["offset"]) == ("ours/s01/a", 0, 4, 8)
    assert (row["label"], row["source"]) == ("positive", "s01/a.avi")
    assert [problem.clip for problem in found] == ["ours/s01/b"]
    with pytest.raises(problems.BadInput, match="no annotation"):
        only(rooms, "corpus").load()(tmp_path / "s01", name="ours", classes=clips.OFFICIAL_CLASSES)


def test_the_section(rooms):
    row = {"clip": "d/s/a", "dataset": "d", "subject": "d/s", "name": "a", "source": "a.avi", "kind": "video",
           "type": "micro", "fps": 200, "frames": 60, "onset": 10, "offset": 49, "label": "positive"}  # fmt: skip
    text = page.build(ReportData("d", synthetic=True, clips=clips.table([row])))
    assert "Durations" in text and ">200<" in text
    assert (
        only(rooms, "section").load()(ReportData("d", synthetic=True, clips=clips.table([{**row, "fps": None}])))
        is None
    )


def test_the_example_of_the_embedded_corpus_reads_what_is_written(tmp_path, monkeypatch, capsys):
    """docs/synthetic.md against a store of the arrays it lists."""
    from types import SimpleNamespace

    from mer_lib.store import Header, write_shard

    (code,) = blocks("docs/synthetic.md", "python")
    arrays = {"flow": np.full((1, 4, 4, 2), [3, 4], np.float32)}
    path = Path(re.search(r'Store\("([^"]+)"\)', code)[1])
    rows = [SimpleNamespace(clip="synthetic/s01/s01_01")]
    write_shard(tmp_path / path, Header("corpus", "synthetic", "s01", "r"), rows, lambda row: arrays)
    monkeypatch.chdir(tmp_path)
    compiled = compile(code, "docs/synthetic.md", "exec")
    exec(compiled, {})
    assert capsys.readouterr().out.endswith("5.0 pixels at most\n")


def test_the_truth_of_the_embedded_corpus_is_listed():
    source = (ROOT / "mer_lib/synth/corpus.py").read_text(encoding="utf-8")
    made = re.findall(r'"(\w+)":', re.search(r"arrays = \{(.*?)\n    \}", source, flags=re.S)[1])
    section = PAGES["docs/synthetic.md"].split("## Ground truth")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, flags=re.M) == made
    head = re.findall(r'"([A-Z][\w ]+)":', re.search(r"def sheet.*?\n\n\n", source, flags=re.S)[0])
    assert f"`{', '.join(head)}`" in PAGES["docs/synthetic.md"]


def test_the_defaults_of_the_embedded_corpus_are_told():
    told = re.findall(r"^\| `synthetic\.(\w+)` \| ([\w. ]+) \|", PAGES["docs/synthetic.md"], flags=re.M)
    low, high = SETTINGS["synthetic"]["strength"]
    assert dict(told) == {k: str(v) for k, v in SETTINGS["synthetic"].items()} | {"strength": f"{low:g} to {high:g}"}
