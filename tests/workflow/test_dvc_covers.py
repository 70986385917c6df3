"""dvc.yaml against the workflow: a stage depends on every file and every setting that its rules read, or DVC would keep
old results. Read from the sources of both; nothing is run.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from mer_lib import params, provenance, registry
from mer_lib.corpora import forgotten

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "workflow/rules"
SHARED = ROOT / "workflow/scripts/_job.py"
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
AUXILIARY = "auxiliary"  # the stage that runs the rules of others, for a corpus of its own
BLOCKS = set(params.Settings.model_fields)
# What an attribute of a resolved experiment, corpus or of the settings is made of, in blocks of params.yaml.
MADE_OF = {
    "descriptor": {"experiments"},
    "method": {"experiments"},
    "protocols": {"experiments", "protocols"},
    "train": {"experiments", "train", "recipes"},
    "learner": {"experiments"},
    "learner_name": {"experiments", "classifier"},
    "seeds": {"experiments", "seeds"},
    "classes": {"corpora", "classes"},
    "adapter": {"corpora"},
}
OPTIONS = {"flow": {"motion"}, "descriptor": {"descriptors"}, "protocol": {"protocol_options"}}
FINDERS = ("registry.get", "registry.entries", "SETTINGS.options")  # their first argument is a kind
HANDED = ("flow_options", "motion_options", "apex_options", "pipeline")  # of the settings: what stages are handed
WHOLE_EXPERIMENT = {"experiments", "baselines", "protocols", "train", "seeds", "models", "recipes", "classifier"}
# The clip table is a dependency of its own (clips.csv): what it is made of concerns the stage that makes it alone.
# So are the facts of protocols and networks: which views and auxiliary clips are read shows in the stores that a stage
# finds.
TABLE = {
    "of_views",
    "asks_for_auxiliary",
    "trains_on",
    "tests_on",
    "plan",
    "is_synthetic",
    "adapter",
    "filmed",
    "roots",
}
# Made when asked for, and versioned by nobody: controls, sets of experiments, a corpus of published features.
UNVERSIONED = {
    "controls_table", "compare_controls", "identity", "controls_page", "published_features",
    "set_table", "compare_set", "set_problems", "set_costs", "set_page", "saliency_maps",
}  # fmt: skip


def as_python(path: Path) -> str:
    """The helpers of a rule file: what stands before the first block that only Snakemake knows."""
    return re.split(r"^wildcard_constraints:$", path.read_text(encoding="utf-8"), flags=re.M)[0]


@cache
def helpers() -> dict[str, list[ast.AST]]:
    """The functions and values that rules name, as syntax. A Stage stands for its options, and under NAME.made for its
    code as well; the stages above it are dependencies of their own.
    """
    found = {}
    for file in ("common.smk", "stages.smk", "inputs.smk"):
        for node in ast.parse(as_python(RULES / file)).body:
            if isinstance(node, ast.FunctionDef):
                found[node.name] = [node]
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name, value = node.targets[0].id, node.value
                found[name] = [value]
                if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "Stage":
                    found[name] = [value.args[2]]
                    found[f"{name}.made"] = value.args[1:3]
    source = (ROOT / "mer_lib/params.py").read_text(encoding="utf-8").replace("self.", "SETTINGS.")
    settings = next(node for node in ast.parse(source).body if getattr(node, "name", "") == "Settings")
    found |= {f"SETTINGS.{node.name}": [node] for node in settings.body if getattr(node, "name", "") in HANDED}
    for name in ("SETTINGS", "CORPORA", "KNOWN", "EXPERIMENTS", "CONTROLS", "SETS", "NAMED", *TABLE):
        found[name] = []
    return found


@cache
def rule_texts() -> dict[str, str]:
    """The text of every rule by its name; a rule made from another one has that one's text before its own."""
    found = {}
    for path in sorted(RULES.glob("*.smk")):
        for block in re.split(r"^(?=rule |use rule )", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
            head, body = block.split("\n", 1)
            body = re.split(r"^\S", body, maxsplit=1, flags=re.M)[0]
            if base := re.match(r"use rule (\w+) as (\w+)", head):
                found[base[2]] = found[base[1]] + body
            else:
                found[re.match(r"rule (\w+)", head)[1]] = body
    return found


def expressions(rule: str) -> list[ast.AST]:
    """The values in a rule's input and params, as syntax."""
    sections = dict(re.findall(r"^    (\w+):\n((?:^(?:        .*|)\n)*)", rule_texts()[rule] + "\n", flags=re.M))
    text = "".join(f"given(\n{sections.get(name, '')})\n" for name in ("input", "params"))
    return ast.parse(text).body


def reached(nodes: list[ast.AST]) -> list[ast.AST]:
    """Every piece of syntax that these lead to, through the names of helpers."""
    todo, seen, found = list(nodes), set(), []
    while todo:
        node = todo.pop()
        for part in ast.walk(node):
            found.append(part)
            name = ast.unparse(part) if isinstance(part, ast.Name | ast.Attribute) else ""
            if name in helpers() and name not in seen:
                seen.add(name)
                todo += helpers()[name]
    return found


def blocks_read(rule: str) -> set[str]:
    """The blocks of params.yaml that shape what a rule makes."""
    found = {"shards"} if "{shard}" in rule_texts()[rule] else set()
    for node in reached(expressions(rule)):
        if isinstance(node, ast.Attribute):
            owner = getattr(node.value, "id", "")
            if owner == "SETTINGS":
                found |= BLOCKS if node.attr == "model_dump" else {node.attr} & BLOCKS
            elif owner == "experiment" or any(name in ast.dump(node.value) for name in ("EXPERIMENTS", "NAMED")):
                found |= WHOLE_EXPERIMENT if node.attr == "model_dump" else MADE_OF.get(node.attr, set())
            elif node.attr in ("classes", "adapter", "descriptor", "learner", "protocols"):
                found |= MADE_OF[node.attr]
            elif node.attr == "options" and "KNOWN" in ast.dump(node.value):
                found |= {"corpora", "synthetic"}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "SETTINGS.options":
            found |= OPTIONS[node.args[0].value]
    return found


def modules_read(rule: str) -> set[Path]:
    """The library files behind a rule: its script's imports, the modules it names and the rooms it finds things in."""
    script = ROOT / "workflow/scripts" / re.search(r'"\.\./scripts/(\w+\.py)"', rule_texts()[rule])[1]
    files = {script, *imported(script), *shared_imports(script)}
    nodes = reached(expressions(rule)) + list(ast.walk(ast.parse(script.read_text())))
    # What is declared of a thing (`meta`) decides which stores are read, and so shows in those that a stage finds.
    declared = {id(node.value) for node in nodes if isinstance(node, ast.Attribute) and node.attr == "meta"}
    for node in nodes:
        if isinstance(node, ast.Constant) and re.fullmatch(r"mer_lib(\.\w+)+", str(node.value)):
            files.add(provenance._file(node.value))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in FINDERS and id(node) not in declared:
            kind = node.args[0]
            rooms = [registry.ROOMS[kind.value]] if isinstance(kind, ast.Constant) else ["models", "learning"]
            files |= {file for room in rooms for file in (ROOT / "mer_lib" / room).rglob("*.py")}
    todo, seen = list(files - {script}), {script, SHARED}
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo += imported(path)
    return {path for path in seen if path.name != "__init__.py"}


def imported(path: Path) -> set[Path]:
    return set(provenance._imports(path))


def shared_imports(script: Path) -> set[Path]:
    """What a script reaches through `_job`: the imports at its head that are on the ground floor, and those inside the
    functions that the script takes from it. (An error class that `_job` catches makes no result.)
    """
    taken = {alias.name for node in ast.walk(ast.parse(script.read_text())) if isinstance(node, ast.ImportFrom)
             and node.module == "_job" for alias in node.names}  # fmt: skip
    found = {path for path in imported(SHARED) if path.parent == ROOT / "mer_lib"}
    for function in ast.parse(SHARED.read_text(encoding="utf-8")).body:
        if isinstance(function, ast.FunctionDef) and function.name in taken:
            inside = [node for node in ast.walk(function) if isinstance(node, ast.ImportFrom)]
            found |= {provenance._file(node.module) for node in inside}
    return found


def command(stage: str) -> str:
    return STAGES[stage]["cmd"]


def listed(stage: str, option: str) -> list[str]:
    return re.search(rf"--{option} ([a-z_ ]+?)(?= --| \$|$)", command(stage))[1].split()


def made_by(stage: str) -> list[str]:
    """The rules that make a stage's outputs."""
    return listed(stage, "forcerun")


def target(stage: str) -> str:
    """The rule that asks for them."""
    return re.search(r"\$\{run\} (\w+) ", command(stage))[1]


def covered(path: Path, stage: str) -> bool:
    relative = path.relative_to(ROOT)
    return any(relative == Path(dep) or Path(dep) in relative.parents for dep in STAGES[stage]["deps"])


stages = pytest.mark.parametrize("stage", list(STAGES))


@stages
def test_every_library_file_is_a_dependency(stage):
    files = {path for rule in made_by(stage) for path in modules_read(rule)}
    assert len(files) > 5
    assert [str(path.relative_to(ROOT)) for path in sorted(files) if not covered(path, stage)] == []


@stages
def test_every_rule_file_is_a_dependency(stage):
    defined = {path for path in RULES.glob("*.smk") for rule in made_by(stage) if f"rule {rule}:" in path.read_text()}
    files = {RULES / "common.smk", RULES / "stages.smk", RULES / "inputs.smk", *defined}
    assert [str(path.relative_to(ROOT)) for path in sorted(files) if not covered(path, stage)] == []


@stages
def test_every_setting_is_a_parameter(stage):
    read = set().union(*(blocks_read(rule) for rule in [target(stage), *made_by(stage)]))
    assert read
    assert sorted(read - set(STAGES[stage]["params"])) == []


def test_settings_are_found_where_they_are_known_to_be():
    """The reading above, held against rules whose settings are plain to see."""
    assert blocks_read("faces_shard") >= {"faces", "shards"}
    assert blocks_read("faces_shard").isdisjoint({"train", "registration", "motion"})
    assert blocks_read("motion_shard") == {"motion", "shards"}
    assert blocks_read("features_shard") >= {"descriptors", "shards"}
    assert blocks_read("train_folds") >= {"train", "seeds", "models", "classifier", "folds_per_job", "classes"}
    assert blocks_read("final_model") >= {"faces", "registration", "motion", "descriptors"}
    assert blocks_read("report_page") == BLOCKS
    faces, training = ({path.name for path in modules_read(rule)} for rule in ("faces_shard", "train_folds"))
    assert faces >= {"faces.py", "_job.py", "crop.py", "video.py", "store.py"} and "fit.py" not in faces
    assert training >= {"fit.py", "guard.py", "samples.py", "ststnet.py", "classify.py"}


@stages
def test_who_is_left_out_is_a_dependency(stage):
    """Of the stages whose rows come straight from a data set or a set of scans, not from a stage before."""
    plans = {"index", "render_subject", "shots_shard"} & set(made_by(stage))
    assert bool(plans) == (forgotten.FILE in STAGES[stage]["deps"])


@stages
def test_every_block_of_a_stage_exists(stage):
    assert set(STAGES[stage]["params"]) <= BLOCKS


@stages
def test_a_stage_is_isolated_and_forced(stage):
    """The measured recipe: the target first, the stage's own rules and no others, its outputs made anew."""
    assert target(stage) in listed(stage, "allowed-rules") and target(stage) in rule_texts()
    for rule in [*listed(stage, "allowed-rules"), *listed(stage, "forcerun")]:
        assert rule in rule_texts(), rule
    assert set(made_by(stage)) <= set(listed(stage, "allowed-rules"))
    assert "persist" not in str(STAGES[stage].get("outs"))


def test_every_rule_that_makes_something_belongs_to_one_stage():
    making = {name for name, text in rule_texts().items() if re.search(r"^    output:", text, flags=re.M)}
    owned = [rule for stage in STAGES for rule in made_by(stage) if stage != AUXILIARY]
    assert sorted(owned) == sorted(making - UNVERSIONED)


def test_auxiliary_clips_are_made_by_the_rules_of_the_others():
    """All that lead from a table to the features of recordings, for the corpus that params.yaml names."""
    lead = {rule for stage in ("render", "faces", "registered", "motion", "features") for rule in made_by(stage)}
    assert set(made_by(AUXILIARY)) == lead - {"apex", "problems"}
    named = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["auxiliary"]["name"]
    assert {"auxiliary_in_dvc": named} in yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["vars"]
    for stage, rules in (("features", ["problems"]), ("train", ["train_folds", "final_model"])):
        told = [dep for dep in STAGES[stage]["deps"] if "${auxiliary_in_dvc}" in dep]
        assert "results/${auxiliary_in_dvc}/features" in told and set(rules) <= set(made_by(stage))
        assert all("auxiliary=" in rule_texts()[rule] for rule in rules)


def test_what_a_stage_reads_is_made_before_it():
    """Every dependency below data/ and results/ is an output of an earlier stage, and no output is made twice."""
    made: list[str] = []
    for stage, declared in STAGES.items():
        for dep in declared["deps"]:
            if dep.startswith(("results/", "data/")):
                assert dep.replace("data/${item.corpus}", "data/synthetic") in made, f"{stage} reads {dep}"
        for out in [out for kind in ("outs", "metrics", "plots") for out in declared.get(kind, [])]:
            path = out if isinstance(out, str) else next(iter(out))
            assert path not in made
            made.append(path)


def test_no_output_keeps_a_stage_out_of_the_run_cache():
    """DVC remembers no run of a stage with an output that is in git and neither metric nor plot."""
    for stage, declared in STAGES.items():
        assert all(isinstance(out, str) for out in declared["outs"]), stage
