# The staircase: what each stage reads, under which options, made by what code. A rule takes `made` as a param, so that
# it reruns when its own options, code or rows change and at no other change; a store keeps the recipe, and its readers
# refuse another one. Helpers only, no rules.
#
# The rows of the clip table that a shard is made of travel in `made`, never as an input file: with clips.csv as an
# ancient() input, Snakemake skips the comparison of params below a table that is itself due, and old bytes stay; as a
# plain input, every edit of a sheet would redo every shard.


JOB = f"{HERE}/workflow/scripts/_job.py"  # what all scripts share; Snakemake itself compares the scripts


@cache
def records(corpus, columns):
    """The rows of a corpus's table in these columns as plain values, worked out once: a shard's are a slice of them."""
    return clips.records(plan(corpus)[0][list(columns)])


class Stage:
    """What a stage will do, as data. `modules` and `options` are functions of the wildcards (a dict); `above` gives the
    stages it reads, each with its wildcards; `columns` are what it reads of the clip table."""

    def __init__(self, name, modules, options, above, columns=("clip",)):
        self.name, self.modules, self.options, self.above = name, modules, options, above
        self.columns, self.known = list(columns), {}

    def made(self, wc):
        """The param of a rule: options, code and the recipes of the stages above; with a shard, its rows as well."""
        wc = dict(wc)
        found = self.planned(without_shard(wc))
        if "shard" in wc:
            own = shards(wc["corpus"])[wc["shard"]].index
            rows = records(wc["corpus"], tuple(self.columns))[own[0] : own[0] + len(own)]
            found = {**found, "shard": wc["shard"], "rows": rows}
        return found

    def planned(self, wc):
        """What all shards have in common, worked out once."""
        key = tuple(sorted(wc.items()))
        if key not in self.known:
            options, code = self.options(wc), provenance.code_digest(*self.modules(wc), files=(JOB,))
            above = {stage.name: stage.planned(given)["recipe"] for stage, given in self.above(wc)}
            recipe = provenance.recipe(self.name, options, code, above.values())
            self.known[key] = {
                "stage": self.name,
                "corpus": wc["corpus"],
                "options": options,
                "code": code,
                "above": above,
                "recipe": recipe,
            }
        return self.known[key]


def without_shard(wc):
    """The wildcards that a stage's recipe can depend on: not the job's share of the work."""
    return {name: value for name, value in wc.items() if name not in ("shard", "group", "subject")}


def corpus_options(wc):
    """What a rendered clip depends on beside its row of the table."""
    options = KNOWN[wc["corpus"]].options if is_synthetic(wc["corpus"]) else {}
    return {name: options[name] for name in ("seed", "size", "strength") if name in options}


def flow_of(wc):
    return SETTINGS.motion.frames if wc["pairs"] == "frames" else SETTINGS.motion.onset_apex


def above_motion(wc):
    spotted = wc["pairs"] != "frames" and lacking_apex(wc["corpus"])
    return [(REGISTERED, wc), *([(APEX, wc)] if spotted else [])]


def above_features(wc):
    pairs = pairs_read(wc["descriptor"])
    motion = [(MOTION, {**wc, "pairs": pairs})] if pairs else []
    return [*motion, *([(REGISTERED, wc)] if "registered" in reads(wc["descriptor"]) else [])]


def above_views(wc):
    spotted = wc["pairs"] == "onset_apex" and lacking_apex(wc["corpus"])
    return [(FACES, wc), (DEPTH, wc), *([(APEX, wc)] if spotted else [])]


def rendered(pairs):
    """Which frames of its views a motion needs: its ends, or all."""
    return "onset_apex" if pairs == "onset_apex" else "frames"


def above_motion_of_views(wc):
    registered = (VIEWS_REGISTERED, {**wc, "pairs": rendered(wc["pairs"])})
    return [registered, *(above for above in above_motion(wc) if above[0] is APEX)]


def above_features_of_views(wc):
    return [
        ({MOTION: VIEWS_MOTION, REGISTERED: VIEWS_REGISTERED}[stage], {"pairs": "frames", **wc})
        for stage, wc in above_features(wc)
    ]


def above_learning(wc):
    wc = {**wc, "descriptor": NAMED[wc["experiment"]].descriptor}
    attended = "protocol" in wc and trains_on(wc["protocol"]) == "attended"
    views = [(VIEWS_FEATURES, wc)] if reads_views(wc) else []
    return [(features_stage(wc), wc), *views, *([(ATTENTION, wc)] if attended else [])]


def above_attention(wc):
    return [
        (FEATURES, {**wc, "descriptor": attention_reads()}),
        (VIEWS, {"corpus": wc["corpus"], "pairs": "onset_apex"}),
    ]


def features_stage(wc):
    """What makes a corpus's features: our own stages, or whoever published them."""
    return FEATURES if wc["corpus"] in filmed(KNOWN) else PUBLISHED


def reads_views(wc):
    """Whether a training job reads generated views: its protocol says so. A model for use does where all of its do."""
    if "protocol" in wc:
        return of_views(wc["protocol"])
    return all(trains_on(protocol) != "original" for protocol in NAMED[wc["experiment"]].protocols)


def learner_of(name):
    """The network or classifier of an experiment, as it is registered."""
    return registry.get(NAMED[name].learner, NAMED[name].learner_name)


def learner_modules(wc):
    learner = learner_of(wc["experiment"])
    modules = [learner.module, *([learner.meta["compiled"]] if "compiled" in learner.meta else [])]
    modules += ["mer_lib.learning.network"] if learner.kind == "model" else ["mer_lib.learning.classify"]
    split = [registry.get("protocol", wc["protocol"]).module] if "protocol" in wc else []
    return ["mer_lib.learning.fit", "mer_lib.weights", *modules, *split]


def learner_options(wc):
    """An experiment as its jobs need it. A classifier is solved, not trained: another learning rate is not its business."""
    experiment = NAMED[wc["experiment"]]
    read = {"class_weights", "control"} if experiment.learner == "classifier" else None
    return {
        **experiment.model_dump(exclude={"name", "protocols", "train"}),
        "train": experiment.train.model_dump(include=read),
        "classes": classes(wc["corpus"]),
        "auxiliary": auxiliary_of(wc),
    }


def asks_for_auxiliary(experiment):
    return learner_of(experiment).meta.get("needs") == "auxiliary"


def auxiliary_of(wc):
    """The auxiliary corpus of an experiment and what makes its features; None where its network asks for none."""
    if not asks_for_auxiliary(wc["experiment"]):
        return None
    given = {"corpus": AUXILIARY, "descriptor": NAMED[wc["experiment"]].descriptor}
    return {"corpus": AUXILIARY, "recipe": features_stage(given).planned(given)["recipe"]}


CORPUS = Stage(
    "corpus",
    lambda wc: ["mer_lib.synth.corpus"] if is_synthetic(wc["corpus"]) else [],
    corpus_options,
    lambda wc: [],
)
FACES = Stage(
    "faces",
    lambda wc: [
        "mer_lib.clips",
        "mer_lib.faces.crop",
        "mer_lib.faces.detect",
        "mer_lib.ingest.source",
        "mer_lib.store",
    ],
    lambda wc: SETTINGS.faces.model_dump(),
    lambda wc: [(CORPUS, wc)],
    columns=("clip", "source", "kind", "frames", "onset", "offset"),
)
SHOTS = Stage(
    "shots",
    lambda wc: ["mer_lib.synth.sitters", "mer_lib.faces.detect", "mer_lib.store"],
    lambda wc: {
        **SETTINGS.scans.model_dump(include={"shots", "shots_a_scan", "turn", "seed"}),
        **SETTINGS.faces.model_dump(include={"size", "margin", "min_probability"}),
    },
    lambda wc: [],
)
DEPTH_MODEL = Stage(
    "depth_model",
    lambda wc: ["mer_lib.geometry.depth_fit", "mer_lib.geometry.depth_show", "mer_lib.weights"],
    lambda wc: {
        **SETTINGS.depth.model_dump(),
        "imagenet": imagenet_digest(),
        "people": provenance.digest(sitters()),
        "crop": SETTINGS.faces.model_dump(include={"size", "margin", "min_probability"}),
    },
    lambda wc: [(SHOTS, wc)],
)
DEPTH_MODEL_FILE = f"results/{params.RESERVED}/model.safetensors"
REGISTERED = Stage(
    "registered",
    lambda wc: ["mer_lib.geometry.registration", "mer_lib.store", "mer_lib.views"],
    lambda wc: SETTINGS.registration.model_dump(),
    lambda wc: [(FACES, wc)],
)
APEX = Stage(
    "apex",
    lambda wc: ["mer_lib.spotting.apex", registry.get("flow", SETTINGS.motion.frames).module],
    lambda wc: SETTINGS.apex_options(),
    lambda wc: [(REGISTERED, wc)],
    columns=("clip", "apex"),
)
MOTION = Stage(
    "motion",
    lambda wc: ["mer_lib.motion.pairs", "mer_lib.store", "mer_lib.views", registry.get("flow", flow_of(wc)).module],
    lambda wc: SETTINGS.motion_options(wc["pairs"]),
    above_motion,
    columns=("clip", "apex", "type", "fps"),
)
FEATURES = Stage(
    "features",
    lambda wc: [
        registry.get("descriptor", wc["descriptor"]).module,
        "mer_lib.descriptors.reading",
        "mer_lib.store",
        "mer_lib.views",
    ],
    lambda wc: SETTINGS.options("descriptor", wc["descriptor"]),
    above_features,
)
DEPTH = Stage(
    "depth",
    lambda wc: ["mer_lib.geometry.depth", "mer_lib.store"],
    lambda wc: {},
    lambda wc: [(FACES, wc), (DEPTH_MODEL, {"corpus": params.RESERVED})],
)
VIEWS = Stage(
    "views",
    lambda wc: ["mer_lib.geometry.multiview", "mer_lib.store", "mer_lib.views"],
    lambda wc: {"pairs": wc["pairs"], **SETTINGS.views.model_dump(mode="json")},
    above_views,
    columns=("clip", "apex"),
)
# The same stages once more, below the views of a clip.
VIEWS_REGISTERED = Stage("registered", REGISTERED.modules, lambda wc: REGISTERED.options(wc), lambda wc: [(VIEWS, wc)])
VIEWS_MOTION = Stage("motion", MOTION.modules, lambda wc: MOTION.options(wc), above_motion_of_views, MOTION.columns)
VIEWS_FEATURES = Stage(
    "views_features",
    FEATURES.modules,
    lambda wc: FEATURES.options(wc),
    above_features_of_views,
)
PUBLISHED = Stage(
    "features",
    lambda wc: ["mer_lib.ingest.features", "mer_lib.store"],
    lambda wc: {"descriptor": wc["descriptor"]},
    lambda wc: [],
    columns=("clip", "source"),
)
ATTENTION = Stage(
    "attention",
    lambda wc: [
        "mer_lib.geometry.attention",
        "mer_lib.weights",
        registry.get("model", SETTINGS.attention.network).module,
        registry.get("protocol", wc["protocol"]).module,
    ],
    lambda wc: {
        **SETTINGS.attention.model_dump(),
        "options": SETTINGS.models.get(SETTINGS.attention.network, {}),
        "train": SETTINGS.recipe(SETTINGS.attention.network, {}, "attention").model_dump(),
        "seed": SETTINGS.seeds[0],
        "classes": classes(wc["corpus"]),
        "protocol_options": SETTINGS.options("protocol", wc["protocol"]),
    },
    above_attention,
)
TRAIN = Stage(
    "train",
    learner_modules,
    lambda wc: {
        **learner_options(wc),
        "protocol": wc["protocol"],
        "protocol_options": SETTINGS.options("protocol", wc["protocol"]),
    },
    above_learning,
)
SALIENCY = Stage(
    "saliency",
    lambda wc: ["mer_lib.learning.saliency", "mer_lib.weights"],
    lambda wc: {},
    lambda wc: [*above_learning(wc), (TRAIN, wc)],
)
MODEL = Stage("model", learner_modules, learner_options, above_learning)
IDENTITY = Stage(
    "identity",
    lambda wc: ["mer_lib.learning.controls"],
    lambda wc: {"seed": SETTINGS.seeds[0]},
    lambda wc: [(features_stage(wc), wc)],
)


def imagenet_digest():
    """What the file of ImageNet weights holds; "" where none is named."""
    named = SETTINGS.depth.imagenet
    if named and not os.path.isfile(named):
        raise WorkflowError(f"error: depth.imagenet: no file {named}; correct it, or leave it empty")
    return provenance.file_digest([named]) if named else ""
