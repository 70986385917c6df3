"""params.yaml: every value documented where it stands and used; a stage receives the options it uses and no others."""

import inspect
import re
from pathlib import Path

import pytest
import yaml

from mer_lib import params, registry
from mer_lib.geometry.depth_net import STRIDE
from mer_lib.problems import BadInput

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "params.yaml"
TEXT = FILE.read_text(encoding="utf-8")


# By name, each explained as a whole.
NAMED = ("experiments", "baselines", "controls", "papers", "zoo", "multiview", "recipes")


def leaves(node: dict, head: str = "") -> list[str]:
    found = []
    for key, value in node.items():
        deep = isinstance(value, dict) and value and key not in (*NAMED, "auxiliary")
        found += leaves(value, f"{head}{key}.") if deep else [f"{head}{key}"]
    return found


LEAVES = leaves(yaml.safe_load(TEXT))


@pytest.mark.parametrize("leaf", LEAVES)
def test_every_option_is_explained(leaf):
    key = leaf.split(".")[-1]
    indent = "  " * leaf.count(".")
    lines = [line for line in TEXT.splitlines() if line.startswith(f"{indent}{key}:")]
    explained = [line for line in lines if "#" in line]
    by_name = key in ("weight_decay", "optimizer")  # the name says it, or the comment lists what it may be
    assert lines and (explained or by_name), f"{leaf} has no comment in params.yaml"


@pytest.mark.parametrize("leaf", LEAVES)
def test_every_option_is_used(leaf):
    block, _, key = leaf.partition(".")
    code = "\n".join(
        p.read_text(encoding="utf-8") for p in [*ROOT.glob("workflow/rules/*.smk"), ROOT / "mer_lib/params.py"]
    )
    whole = re.search(rf"(SETTINGS|self|settings)\.{block}\b(\.model_dump|\.{key}\b)?", code)
    assert whole, f"nothing reads {leaf}"


def test_every_network_has_a_recipe():
    """STSTNet's is what all others start from."""
    recipes = yaml.safe_load(TEXT)["recipes"]
    assert set(registry.entries("model")) - set(recipes) == {"ststnet", "ststnet_published"}


def keywords(function) -> set[str]:
    return {
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.kind in (p.KEYWORD_ONLY,) and p.name != "flow"
    }


def test_stages_receive_what_they_use():
    from mer_lib.evaluation.metrics import summary
    from mer_lib.faces.crop import crop_clip
    from mer_lib.geometry.registration import register
    from mer_lib.ingest.measure import measure
    from mer_lib.learning.learner import Recipe

    def fields(block):
        return set(block.model_fields)

    assert fields(params.Faces) == keywords(crop_clip)
    parameters = inspect.signature(register).parameters
    assert fields(params.Registration) == set(parameters) - {"frames", "landmarks"}
    assert fields(params.Ingest) == keywords(measure)
    assert fields(params.Evaluation) == keywords(summary)
    assert fields(params.Train) == set(Recipe.__dataclass_fields__)


def test_defaults_of_functions_are_those_of_the_file():
    """A user of the library gets what a user of the workflow gets."""
    from mer_lib.evaluation.metrics import summary
    from mer_lib.faces.crop import crop_clip
    from mer_lib.geometry.registration import register
    from mer_lib.learning.learner import Recipe

    settings = params.load(FILE)
    for block, function in (
        ("faces", crop_clip),
        ("registration", register),
        ("evaluation", summary),
        ("train", Recipe),
    ):
        for name, value in getattr(settings, block).model_dump().items():
            assert inspect.signature(function).parameters[name].default == value, f"{block}.{name}"


def test_rules_never_pass_the_whole_configuration():
    for path in ROOT.glob("workflow/rules/*.smk"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"params:[^:]*\bconfig\b", text), path
        assert "snakemake.config" not in text
    for path in ROOT.glob("workflow/scripts/*.py"):
        assert "snakemake.config" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    "overrides,complaint",
    [
        ({"corpus": "x"}, "unknown key 'corpus'; did you mean 'corpora'"),
        ({"faces": {"sise": 3}}, "unknown key 'faces.sise'; did you mean 'size'"),
        ({"train": {"lr": "fast"}}, "'train.lr'"),
        ({"train": {"lr": -1}}, "greater than 0"),
        ({"corpora": "casme99"}, "no adapter 'casme99'"),
        ({"experiments": "ststnett"}, "did you mean 'ststnet'"),
        ({"experiments": {"a": {"method": "ststnet", "trian": {}}}}, "unknown key 'trian'; did you mean 'train'"),
        ({"experiments": {"a": {"method": "ststnet", "train": {"epoch": 3}}}}, "did you mean 'epochs'"),
        ({"experiments": {"a": {"method": "ststnet", "protocol": "losso"}}}, "did you mean 'loso'"),
        ({"experiments": {"a": {"method": "ststnet", "classifier": "knn"}}}, "is a network and takes no classifier"),
        (
            {"experiments": {"a": {"method": "bi_woof", "classifier": ["knn"]}}},
            "experiments.a.classifier: ['knn'] is no",
        ),
        ({"experiments": {"a": {"method": "bi_woof", "classifier": {"nam": "knn"}}}}, "did you mean 'name'"),
        ({"experiments": {"a": {"method": "bi_woof", "classifier": "kn"}}}, "no classifier 'kn'"),
        ({"models": {"ststnet": {"dropot": 0.1}}}, "no option 'dropot'"),
        ({"recipes": {"ststnett": {}}}, "did you mean 'ststnet'"),
        ({"recipes": {"ststnet": {"epoch": 3}}}, "recipes.ststnet: unknown key 'epoch'; did you mean 'epochs'"),
        ({"motion": {"onset_apex": "tvl2"}}, "no flow 'tvl2'"),
        ({"synthetic": {"strength": [3, 1]}}, "the smaller number comes first"),
        ({"corpora": [{"name": "a", "adapter": "folder"}, {"name": "a", "adapter": "folder"}]}, "stands twice"),
        ({"corpora": [{"adapter": "folder"}]}, "has no name"),
        ({"corpora": []}, "at least 1 item"),
        ({"experiments": []}, "at least 1 item"),
        ({"experiments": {"a": {"method": "ststnet", "train": 5}}}, "experiments.a.train: 5 holds no values"),
        ({"experiments": {"a": {"method": ["x"]}}}, "is no name"),
        ({"train": {"epochs": True}}, "'train.epochs'"),
        ({"train": {"epochs": "10"}}, "'train.epochs'"),
        ({"classes": ["a", "a"]}, "stands twice"),
        ({"seeds": [0, 0]}, "stands twice"),
        ({"experiments": {"a": {"method": "ststnet", "seeds": []}}}, "'seeds'"),
        ({"experiments": {"a": {"method": "ststnet", "seeds": 3}}}, "'seeds'"),
        ({"experiments": {"a": {"method": "ststnet", "seeds": ["x"]}}}, "'seeds.0'"),
        ({"experiments": [{"a": "ststnet"}]}, "is no name"),
        ({"descriptors": {"bi_woof": {"blocks": "five"}}}, "'five' is no int"),
        ({"protocols": ["loso", "nonsense"]}, "no protocol 'nonsense'"),
    ],
)
def test_mistakes_are_named(overrides, complaint):
    with pytest.raises(BadInput) as error:
        params.load(FILE, overrides)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_an_experiment_goes_over_its_recipe_and_that_over_train():
    given = {"recipes": {"ststnet": {"lr": 0.5, "batch": 7}}, "train": {"epochs": 11, "lr": 0.1, "batch": 5}}
    experiments = {"a": "ststnet", "b": {"method": "ststnet", "train": {"batch": 9}}, "c": "bi_woof"}
    found = params.load(FILE, {**given, "experiments": experiments}).all_experiments()
    told = {name: (found[name].train.epochs, found[name].train.lr, found[name].train.batch) for name in "abc"}
    assert told == {"a": (11, 0.5, 7), "b": (11, 0.5, 9), "c": (11, 0.1, 5)}


def test_names_pick_definitions():
    settings = params.load(FILE, {"experiments": "ststnet", "corpora": "synthetic"})
    baselines = list(settings.baselines)
    assert list(settings.all_experiments()) == ["ststnet", *baselines]
    assert [c.name for c in settings.all_corpora()] == ["synthetic"]
    several = params.load(FILE, {"experiments": ["ststnet", "flow28"]}).all_experiments()
    assert list(several) == ["ststnet", "flow28", *baselines]
    bare = params.load(FILE, {"experiments": {"ststnet": None}}).all_experiments()["ststnet"]
    assert (bare.method, bare.protocols, bare.descriptor) == ("ststnet", ("loso",), "flow28")
    own = params.load(FILE, {"corpora": [{"name": "mine", "adapter": "folder", "classes": ["yes", "no"]}]})
    assert own.corpus("mine").classes == ("yes", "no")


def test_baselines_stand_beside_every_experiment_and_run_under_its_protocols():
    chosen = {"a": {"method": "ststnet", "protocol": "k_fold_subjects"}, "b": {"method": "bi_woof", "protocol": "loso"}}
    found = params.load(FILE, {"experiments": chosen}).all_experiments()
    baselines = [name for name, experiment in found.items() if experiment.baseline]
    assert baselines == ["baseline_linear", "baseline_rbf"]
    for name in baselines:
        assert set(found[name].protocols) == {"k_fold_subjects", "loso"}
        assert found[name].train.class_weights == "balanced" and found[name].method == "flow28"
    named = params.load(FILE, {"experiments": "baseline_rbf"}).all_experiments()
    assert not named["baseline_rbf"].baseline, "named by the user it is an experiment like any other"


def test_an_experiment_may_name_its_classifier_and_that_one_its_options():
    chosen = {
        "default": "bi_woof",
        "other": {"method": "bi_woof", "classifier": "knn"},
        "set": {"method": "bi_woof", "classifier": {"name": "svm_linear", "options": {"c": 2.0}}},
    }
    found = params.load(FILE, {"experiments": chosen, "classifier": {"options": {"c": 0.5}}}).all_experiments()
    assert [found[name].learner_name for name in chosen] == ["svm_linear", "knn", "svm_linear"]
    assert found["default"].options["c"] == 0.5 and found["set"].options["c"] == 2.0
    assert "c" not in found["other"].options


def test_an_oracle_is_recorded_of_networks_alone():
    found = params.load(FILE, {"train": {"oracle": True}}).all_experiments()
    assert [name for name, experiment in found.items() if experiment.oracle] == ["ststnet", "mjfn", "dual_inception"]


@pytest.mark.parametrize("selection", ["fixed", "inner"])
def test_a_classifier_has_no_epoch_that_could_be_chosen(selection):
    found = params.load(FILE, {"train": {"selection": selection}}).all_experiments()
    assert {name: found[name].selection for name in ("bi_woof", "ststnet")} == {
        "bi_woof": "fixed",
        "ststnet": selection,
    }


def test_classes_stand_in_the_official_order():
    assert params.class_names(("surprise", "contempt", "negative")) == ("negative", "surprise", "contempt")


def test_local_yaml_is_as_strict(tmp_path):
    corpora = {c.name: c for c in params.load(FILE, {"corpora": [{"name": "mine", "adapter": "folder"}]}).all_corpora()}
    file = tmp_path / "local.yaml"
    assert params.local_roots(file, corpora) == {}
    file.write_text("roots: {mine: ~/films, other: /x}")
    assert params.local_roots(file, corpora) == {"mine": str(Path.home() / "films"), "other": "/x"}
    for text, complaint in (
        ("root: {mine: /x}", "did you mean 'roots'"),
        ("roots: {mine: [", "cannot be read"),
        ("roots: {mine: 3}", "'roots.mine'"),
    ):
        file.write_text(text)
        with pytest.raises(BadInput, match=complaint):
            params.local_roots(file, corpora)
    file.write_text("roots: {synthetic: /x}")
    rendered = {c.name: c for c in params.load(FILE).all_corpora()}
    with pytest.raises(BadInput, match="rendered into data/synthetic"):
        params.local_roots(file, rendered)


def test_crops_that_no_depth_network_reads_are_refused_before_anything_runs():
    with pytest.raises(BadInput, match=r"faces\.size: 112 is no multiple of 32"):
        params.load(FILE, {"faces": {"size": 112}})
    assert params.load(FILE, {"faces": {"size": 112}, "report": {"views": 0}}).faces.size == 112
    assert STRIDE == params.DEPTH_STRIDE
