"""params.yaml as typed, strict settings: an unknown key or a wrong type is an error that says where and what instead.

The meaning, unit and source of each value stand beside it in params.yaml; here stand its type and its bounds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mer_lib import registry
from mer_lib.clips import OFFICIAL_CLASSES
from mer_lib.problems import BadInput

DEPTH_STRIDE = 32  # pixels: what the depth network halves a crop by, five times
RESERVED = "depth"  # a folder of results/ that belongs to no corpus
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(gt=0, lt=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


def _distinct(values: tuple) -> tuple:
    if len(set(values)) < len(values):
        raise ValueError("a value stands twice")
    return values


def _turned(yaw: float) -> float:
    if yaw == 0:
        raise ValueError("0 is the recording itself, which stands beside the views anyway")
    return yaw


Yaw = Annotated[float, Field(ge=-80, le=80), AfterValidator(_turned)]
# Sequences are lists in YAML, which strict types take for no tuples.
ClassNames = Annotated[tuple[Name, ...], Field(min_length=2, strict=False), AfterValidator(_distinct)]
Seeds = Annotated[tuple[int, ...], Field(min_length=1, strict=False), AfterValidator(_distinct)]


class Block(BaseModel):
    """A block of params.yaml: no unknown keys, no guessed types ("10" and true are no numbers), no change later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Shards(Block):
    size: Count


class Synthetic(Block):
    subjects: Annotated[int, Field(ge=2, le=10_000)]
    clips: Count
    seed: int
    fps: Positive
    size: Annotated[int, Field(ge=64, le=2048)]
    strength: Annotated[tuple[Positive, Positive], Field(strict=False)]
    type: Literal["micro", "macro"]


class Ingest(Block):
    max_frames: Annotated[int, Field(ge=2)]


class Faces(Block):
    size: Annotated[int, Field(ge=28, le=1024)]
    margin: Annotated[float, Field(ge=0, le=2)]
    every: Count
    min_probability: Share


class Scans(Block):
    people: Annotated[int, Field(ge=0, le=10_000)]
    shots: Count
    sets: Annotated[list[Name], AfterValidator(_distinct)]
    shots_a_scan: Count
    turn: Annotated[tuple[NotNegative, NotNegative, NotNegative], Field(strict=False)]
    shard: Count
    seed: int


class Depth(Block):
    near: Annotated[float, Field(lt=0)]
    far: Positive
    threshold: Positive
    lr: Positive
    lr_last: Positive
    batch: Count
    epochs: Count
    held_out: Share
    imagenet: str
    seed: int


class Registration(Block):
    features: Annotated[int, Field(ge=8)]
    ransac_px: Positive


class Views(Block):
    yaws: Annotated[tuple[Yaw, ...], Field(min_length=1, strict=False), AfterValidator(_distinct)]
    fov: Annotated[float, Field(ge=1, le=120)]
    rest_px: Positive
    renderer: Literal["raster", "pyrender"]


class Motion(Block):
    onset_apex: Name
    frames: Name
    apex: Literal["returned", "largest", "halves"]
    emr_factor: Annotated[float, Field(ge=1)]
    flows: dict[str, dict[str, Any]]


class Classifier(Block):
    name: Name
    options: dict[str, Any] = {}


class Train(Block):
    optimizer: Literal["adam", "sgd"]
    lr: Positive
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    batch: Count
    epochs: Count
    max_steps: Count | None
    class_weights: Literal["none", "balanced"]
    sampling: Literal["shuffled", "balanced"]
    precision: Literal["float32", "mixed"]
    selection: Literal["fixed", "inner"]
    oracle: bool
    control: Literal["none", "permuted"]


class Attention(Block):
    network: Name
    seen: Share


class Evaluation(Block):
    resamples: Annotated[int, Field(ge=100)]
    confidence: Share


class Zoo(Block):
    quick: dict[str, Any]
    full: dict[str, Any]


class Report(Block):
    examples: Annotated[int, Field(ge=0)]
    views: Annotated[int, Field(ge=0)]
    saliency: Annotated[list[Name], AfterValidator(_distinct)]


class Problems(Block):
    strict: bool


class Corpus(Block):
    """One corpus: its name (the dataset in ids and paths), the adapter that reads it and that adapter's options."""

    name: Name
    adapter: Name
    classes: ClassNames
    options: dict[str, Any] = {}


class Experiment(Block):
    """One experiment, everything resolved: which method, under which protocols, trained how."""

    name: Name
    method: Name
    descriptor: Name
    protocols: Annotated[tuple[Name, ...], Field(min_length=1, strict=False), AfterValidator(_distinct)]
    learner: Literal["model", "classifier"]
    learner_name: Name
    options: dict[str, Any] = {}
    train: Train
    seeds: Seeds
    baseline: bool = False

    @property
    def selection(self) -> str:
        """How the epoch is chosen; a classifier is solved and has none to choose, but may have a grid of options."""
        if self.learner == "model":
            return self.train.selection
        return "inner" if self.options.get("grid") else "fixed"

    @property
    def oracle(self) -> bool:
        """Whether its best epoch on the test subject is recorded; a classifier has no epochs."""
        return self.train.oracle and self.learner == "model"


class Settings(Block):
    """All of params.yaml."""

    corpora: Annotated[list[str | dict[str, Any]], Field(min_length=1)]
    classes: ClassNames
    protocols: Annotated[list[Name], Field(min_length=1), AfterValidator(_distinct)]
    protocol_options: dict[str, dict[str, Any]]
    experiments: Annotated[dict[str, str | dict[str, Any] | None], Field(min_length=1)]
    baselines: dict[str, str | dict[str, Any] | None]
    controls: dict[str, str | dict[str, Any] | None]
    multiview: dict[str, str | dict[str, Any] | None]
    papers: dict[Literal["A", "B", "C", "D"], dict[str, str | dict[str, Any] | None]]
    zoo: Zoo
    auxiliary: str | dict[str, Any]
    seeds: Seeds
    folds_per_job: Count
    shards: Shards
    synthetic: Synthetic
    ingest: Ingest
    faces: Faces
    scans: Scans
    depth: Depth
    views: Views
    registration: Registration
    motion: Motion
    descriptors: dict[str, dict[str, Any]]
    models: dict[str, dict[str, Any]]
    recipes: dict[str, dict[str, Any]]
    classifier: Classifier
    train: Train
    attention: Attention
    evaluation: Evaluation
    report: Report
    problems: Problems

    @field_validator("corpora", "protocols", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        """On the command line a single name is a list of one: --config corpora=casme2."""
        return value if isinstance(value, list) else [value]

    @model_validator(mode="after")
    def _strength_is_a_range(self) -> Settings:
        if self.synthetic.strength[0] > self.synthetic.strength[1]:
            raise ValueError("synthetic.strength: the smaller number comes first")
        return self

    def corpus(self, name: str) -> Corpus:
        """The corpus of that name among those chosen."""
        return next(c for c in self.all_corpora() if c.name == name)

    def all_corpora(self) -> list[Corpus]:
        """The corpora chosen, adapters and their options checked."""
        found = [self._corpus(given) for given in self.corpora]
        if doubled := {c.name for c in found if [x.name for x in found].count(c.name) > 1}:
            raise BadInput(f"corpora: the name '{doubled.pop()}' stands twice", "give each corpus its own name")
        return found

    def auxiliary_corpus(self) -> Corpus:
        """The corpus whose clips train beside a fold's; one of the chosen corpora's name is that corpus."""
        found = self._corpus(self.auxiliary)
        return next((c for c in self.all_corpora() if c.name == found.name), found)

    def _corpus(self, given: str | dict[str, Any]) -> Corpus:
        given = {"name": given, "adapter": given} if isinstance(given, str) else dict(given)
        name, adapter = given.pop("name", None), given.pop("adapter", None)
        if not name:
            raise BadInput(f"corpora: {given} has no name", "write {name: mine, adapter: folder}")
        if name == RESERVED:
            raise BadInput(f"corpora: results/{RESERVED} holds the depth network", "give the corpus another name")
        if adapter == name and name not in registry.entries("corpus"):
            raise BadInput(
                f"corpora: no adapter '{name}' ({registry.suggestion(name, registry.entries('corpus'))})",
                f"for a folder with a clips.csv write --config 'corpora=[{{name: {name}, adapter: folder}}]'",
            )
        entry = registry.get("corpus", adapter or name)
        classes = given.pop("classes", self.classes)
        if entry.meta.get("synthetic"):
            block = _typed(Synthetic, {**self.synthetic.model_dump(), **given}, f"corpora.{name}")
            options = block.model_dump(mode="json")
        else:
            options = entry.complete(given)
        return _typed(Corpus, {"name": name, "adapter": entry.name, "classes": classes, "options": options}, "corpora")

    def all_experiments(self) -> dict[str, Experiment]:
        """The experiments chosen, defaults filled in; and the baselines, under every protocol that these run under."""
        chosen = {name: self._experiment("experiments", name, given) for name, given in self.experiments.items()}
        protocols = list(dict.fromkeys(p for experiment in chosen.values() for p in experiment.protocols))
        for name, given in self.baselines.items():
            if name not in chosen:
                found = self._experiment("baselines", name, given)
                chosen[name] = found.model_copy(update={"protocols": tuple(protocols), "baseline": True})
        return chosen

    def all_controls(self) -> dict[str, Experiment]:
        """The controls, run by `snakemake controls`; one that was chosen as an experiment is an experiment."""
        chosen = self.all_experiments()
        left = {name: given for name, given in self.controls.items() if name not in chosen}
        return {name: self._experiment("controls", name, given) for name, given in left.items()}

    def all_sets(self) -> dict[str, dict[str, Experiment]]:
        """Sets of experiments made when asked for, by target: `multiview`, `paper_A` …, `zoo` and `zoo_full`."""
        chosen, found = self.all_experiments(), {}
        papers = {f"paper_{paper}": (f"papers.{paper}", block) for paper, block in self.papers.items()}
        for target, (where, block) in {"multiview": ("multiview", self.multiview), **papers}.items():
            made = {name: chosen.get(name) or self._experiment(where, name, given) for name, given in block.items()}
            found[target] = made
        for target, head, over in (("zoo", "quick", self.zoo.quick), ("zoo_full", "full", self.zoo.full)):
            names = {f"{head}_{model}": {"method": model, **over} for model in registry.entries("model")}
            found[target] = {name: self._experiment(f"zoo.{head}", name, given) for name, given in names.items()}
        names = [name for block in (self.all_controls(), *found.values()) for name in block]
        if doubled := {name for name in names if names.count(name) > 1}:
            raise BadInput(f"experiment {min(doubled)} stands in two sets", "each set names its own")
        return found

    def _experiment(self, block: str, name: str, given: str | dict[str, Any] | None) -> Experiment:
        where = f"{block}.{name}"
        given = {"method": given} if isinstance(given, str) else dict(given or {})
        method = given.pop("method", name)
        for key in ("options", "train"):
            if not isinstance(given.get(key) or {}, dict):
                raise BadInput(f"{where}.{key}: {given[key]!r} holds no values by name", "write {name: value}")
        if not isinstance(method, str):
            raise BadInput(f"{where}.method: {method!r} is no name", "see `mer list models`")
        known = {**registry.entries("model"), **registry.entries("descriptor")}
        if method not in known:
            raise BadInput(f"{where}: no method '{method}'", registry.suggestion(method, known))
        entry = known[method]
        if entry.kind == "model":
            learner, learner_name, options = "model", method, self.models.get(method, {})
        else:
            learner, (learner_name, options) = "classifier", self._classifier(where, given.pop("classifier", None))
        solved = registry.get(learner, learner_name)
        options = solved.complete({**options, **(given.pop("options", None) or {})})
        train = self.recipe(method, given.pop("train", None) or {}, f"{where}.train")
        protocols = given.pop("protocol", self.protocols)
        protocols = [protocols] if isinstance(protocols, str) else protocols
        protocols = tuple(registry.get("protocol", protocol).name for protocol in protocols)
        drawn = learner == "model" or train.control != "none" or solved.meta.get("draws", False)
        seeds = given.pop("seeds", self.seeds if drawn else (0,))  # a machine that is solved has no seed
        if given:
            unknown = next(iter(given))
            if unknown == "classifier":
                raise BadInput(f"{where}: '{method}' is a network and takes no classifier", "drop the key")
            known_keys = ("method", "classifier", "protocol", "options", "train", "seeds")
            raise BadInput(f"{where}: unknown key '{unknown}'", registry.suggestion(unknown, known_keys))
        resolved = {
            "name": name,
            "method": method,
            "descriptor": entry.meta.get("inputs", method),
            "protocols": protocols,
            "learner": learner,
            "learner_name": learner_name,
            "options": options,
            "train": train,
            "seeds": seeds,
        }
        return _typed(Experiment, resolved, where)

    def recipe(self, method: str, own: dict[str, Any], where: str) -> Train:
        """How a method is trained: the block ``train``, then its recipe, then an experiment's ``own`` values."""
        return _typed(Train, {**self.train.model_dump(), **self.recipes.get(method, {}), **own}, where)

    def _classifier(self, where: str, given: Any) -> tuple[str, dict[str, Any]]:
        """Name and options of an experiment's classifier: the block ``classifier``, unless it names its own, whose
        options are then its own as well.
        """
        if given is None:
            return self.classifier.name, self.classifier.options
        named = {"name": given} if isinstance(given, str) else given
        if not isinstance(named, dict):
            raise BadInput(f"{where}.classifier: {given!r} is no name", "see `mer list classifiers`")
        block = _typed(Classifier, named, f"{where}.classifier")
        return block.name, block.options

    def options(self, kind: Literal["flow", "descriptor", "protocol"], name: str) -> dict[str, Any]:
        """All options of a flow, a descriptor or a protocol: params.yaml's over its defaults."""
        given = {"flow": self.motion.flows, "descriptor": self.descriptors, "protocol": self.protocol_options}[kind]
        return registry.get(kind, name).complete(given.get(name))

    def flow_options(self, name: str) -> dict[str, Any]:
        """A flow and all its options, as stages hand them on."""
        return {"flow": name, "options": self.options("flow", name)}

    def motion_options(self, pairs: Literal["onset_apex", "emr", "frames"]) -> dict[str, Any]:
        """Of the stage motion, for what it measures between."""
        flow = self.motion.frames if pairs == "frames" else self.motion.onset_apex
        found = {"pairs": pairs, **self.flow_options(flow)}
        return {**found, "factor": self.motion.emr_factor} if pairs == "emr" else found

    def apex_options(self) -> dict[str, Any]:
        """Of the stage that spots a missing apex."""
        return {**self.flow_options(self.motion.frames), "method": self.motion.apex}

    def pipeline(self, descriptor: str, pairs: Literal["onset_apex", "emr", "frames"]) -> dict[str, Any]:
        """What must be done to a clip before a model sees it: the options of every stage above, by stage."""
        return {
            "faces": self.faces.model_dump(),
            "registered": self.registration.model_dump(),
            "apex": self.apex_options(),
            "motion": self.motion_options(pairs),
            "features": self.options("descriptor", descriptor),
            "descriptor": descriptor,
        }


def load(path: str | Path, overrides: dict[str, Any] | None = None) -> Settings:
    """Settings from a file, with the command line's values over it.

    ``experiments`` and ``corpora`` given as a name or a list of names pick from the file's definitions (or name methods
    and adapters). Raises BadInput.
    """
    try:
        given = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise BadInput(f"cannot be read: {' '.join(str(error).split())}", "correct it", file=path) from None
    merged = _merge(given, overrides or {})
    if "name" in ((overrides or {}).get("auxiliary") or ""):  # another corpus, which has nothing of the file's
        merged["auxiliary"] = overrides["auxiliary"]
    chosen = merged.get("experiments")
    if isinstance(chosen, str | list):
        papers = given.get("papers") if isinstance(given.get("papers"), dict) else {}
        blocks = [
            *papers.values(),
            *(given.get(block) for block in ("multiview", "controls", "baselines", "experiments")),
        ]
        known = {name: value for block in blocks if isinstance(block, dict) for name, value in block.items()}
        names = [chosen] if isinstance(chosen, str) else chosen
        if wrong := [n for n in names if not isinstance(n, str)]:
            raise BadInput(f"experiments: {wrong[0]} is no name", "write {name: {method: …}}", file=path)
        merged["experiments"] = {n: known.get(n, n) for n in names}
    if "corpora" in (overrides or {}):
        defined = {c["name"]: c for c in given.get("corpora") or [] if isinstance(c, dict) and "name" in c}
        names = merged["corpora"] if isinstance(merged["corpora"], list) else [merged["corpora"]]
        merged["corpora"] = [defined.get(n, n) if isinstance(n, str) else n for n in names]
    settings = _typed(Settings, merged, str(path))
    settings.auxiliary_corpus()
    for name in settings.recipes:
        settings.recipe(registry.get("model", name).name, {}, f"recipes.{name}")
    registry.get("model", settings.attention.network)
    if settings.report.views and settings.faces.size % DEPTH_STRIDE:
        told = f"faces.size: {settings.faces.size} is no multiple of {DEPTH_STRIDE}, as the depth network needs"
        raise BadInput(told, "choose another size, or show no views: report.views: 0", file=path)
    in_sets = {name for block in settings.all_sets().values() for name in block}
    for name in (name for name in settings.report.saliency if name not in in_sets):
        raise BadInput(f"report.saliency: no set has '{name}'", registry.suggestion(name, in_sets), file=path)
    for kind, named in (
        ("flow", settings.motion.flows),
        ("protocol", settings.protocol_options),
        ("descriptor", settings.descriptors),
        ("model", settings.models),
    ):
        for name, options in named.items():
            registry.get(kind, name).complete(options)
    for name in settings.scans.sets:
        if not registry.get("corpus", name).meta.get("meshes"):
            raise BadInput(f"scans.sets: '{name}' holds no 3-D faces", "see `mer list corpora`", file=path)
    for name in (settings.motion.onset_apex, settings.motion.frames):
        registry.get("flow", name)
    return settings


class Local(Block):
    """local.yaml: what is so on this machine only."""

    roots: dict[str, str] = {}


def local_roots(path: str | Path, corpora: Mapping[str, Corpus]) -> dict[str, str]:
    """Folders of corpora that lie elsewhere than under data/, from local.yaml where there is one. Raises BadInput."""
    if not Path(path).exists():
        return {}
    try:
        given = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise BadInput(f"cannot be read: {' '.join(str(error).split())}", "correct it", file=path) from None
    roots = _typed(Local, given if isinstance(given, dict) else {"roots": given}, str(path)).roots
    for name, corpus in corpora.items():
        if name in roots and registry.get("corpus", corpus.adapter).meta.get("synthetic"):
            raise BadInput(f"roots.{name}: a synthetic corpus is rendered into data/{name}", "drop the line", file=path)
    return {name: os.path.expanduser(root) for name, root in roots.items()}


def class_names(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Class names in the order of tables: the official ones first and in their order, then the others as given."""
    official = [name for name in OFFICIAL_CLASSES if name in classes]
    return (*official, *(name for name in classes if name not in official))


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        deep = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merge(base[key], value) if deep else value
    return merged


def _typed(model: type[BaseModel], values: dict[str, Any], where: str) -> Any:
    """``model(**values)``, its first complaint turned into one line with the nearest key."""
    try:
        return model(**values)
    except ValidationError as error:
        # A key that nobody knows explains the one that is missing, not the other way round.
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        at = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            block: Any = model
            for part in first["loc"][:-1]:
                block = block.model_fields[part].annotation
            hint = registry.suggestion(str(first["loc"][-1]), block.model_fields)
            raise BadInput(f"unknown key '{at}'", hint, file=where) from None
        raise BadInput(f"'{at}': {first['msg']} (got {first.get('input')!r})", "correct it", file=where) from None
