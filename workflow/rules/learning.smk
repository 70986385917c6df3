# Learning: each experiment trained once a fold (and seed), every fit passed by the guard; and once on all clips, for use.
# in:  results/{corpus}/features/{descriptor}/{shard}.h5
# out: results/{corpus}/folds/{protocol}/{experiment}/{group}.{predictions.csv,curves.csv,safetensors}, joined in
#      results/{corpus}/predictions/ and results/{corpus}/curves/; results/{corpus}/models/{experiment}.safetensors


def features_above(wc):
    return [(FEATURES, {**wc, "descriptor": EXPERIMENTS[wc["experiment"]].descriptor})]


def learner_modules(wc):
    experiment = EXPERIMENTS[wc["experiment"]]
    return [
        "mer_lib.learning.fit",
        registry.get(experiment.learner, experiment.learner_name).module,
        "mer_lib.weights",
    ]


def experiment_options(wc):
    experiment = EXPERIMENTS[wc["experiment"]].model_dump(exclude={"name", "protocol"})
    return {
        **experiment,
        "classes": list(params.class_names(CORPORA[wc["corpus"]].classes)),
    }


TRAIN = Stage(
    "train",
    learner_modules,
    lambda wc: {**experiment_options(wc), "protocol": wc["protocol"]},
    above=features_above,
)
MODEL = Stage("model", learner_modules, experiment_options, above=features_above)


def features_read(wc):
    descriptor = EXPERIMENTS[wc.experiment].descriptor
    return expand(
        "results/{corpus}/features/{descriptor}/{shard}.h5",
        corpus=wc.corpus,
        descriptor=descriptor,
        shard=list(shards(wc.corpus)),
    )


def groups(corpus, protocol):
    """The names of the jobs that share the folds of a protocol."""
    count = -(-len(folds(corpus, protocol)) // SETTINGS.folds_per_job)
    return [f"{group:03d}" for group in range(count)]


def joined(what):
    return lambda wc: expand(
        "results/{corpus}/folds/{protocol}/{experiment}/{group}." + what,
        group=groups(wc.corpus, wc.protocol),
        **dict(wc),
    )


def trained(pattern):
    """The pattern once a scored experiment of each corpus."""
    return [
        pattern.format(corpus=c, protocol=e.protocol, experiment=n)
        for c in CORPORA
        for n, e in scored(c).items()
    ]


rule train_folds:
    input:
        clips=ancient("results/{corpus}/clips.csv"),
        problems=ancient("results/{corpus}/problems.csv"),
        features=features_read,
    output:
        predictions="results/{corpus}/folds/{protocol}/{experiment}/{group}.predictions.csv",
        curves="results/{corpus}/folds/{protocol}/{experiment}/{group}.curves.csv",
        weights="results/{corpus}/folds/{protocol}/{experiment}/{group}.safetensors",
    log:
        "logs/{corpus}/train/{protocol}/{experiment}/{group}.log",
    benchmark:
        "results/{corpus}/benchmarks/train/{protocol}/{experiment}/{group}.tsv"
    resources:
        mem_mb=lambda wc, attempt: 2000 * attempt,
    params:
        made=TRAIN.made,
        labels=lambda wc: provenance.digest(
            plan(wc.corpus)[0][["clip", "subject", "label"]].to_csv(index=False)
        ),
        folds_per_job=SETTINGS.folds_per_job,
    script:
        "../scripts/train.py"


rule join_predictions:
    input:
        joined("predictions.csv"),
    output:
        "results/{corpus}/predictions/{protocol}/{experiment}.csv",
    log:
        "logs/{corpus}/predictions/{protocol}/{experiment}.log",
    benchmark:
        "results/{corpus}/benchmarks/predictions/{protocol}/{experiment}.tsv"
    resources:
        mem_mb=500,
    script:
        "../scripts/join.py"


use rule join_predictions as join_curves with:
    input:
        joined("curves.csv"),
    output:
        "results/{corpus}/curves/{protocol}/{experiment}.csv",
    log:
        "logs/{corpus}/curves/{protocol}/{experiment}.log",
    benchmark:
        "results/{corpus}/benchmarks/curves/{protocol}/{experiment}.tsv"


rule final_model:
    input:
        clips=ancient("results/{corpus}/clips.csv"),
        problems=ancient("results/{corpus}/problems.csv"),
        features=features_read,
    output:
        "results/{corpus}/models/{experiment}.safetensors",
    log:
        "logs/{corpus}/models/{experiment}.log",
    benchmark:
        "results/{corpus}/benchmarks/models/{experiment}.tsv"
    resources:
        mem_mb=lambda wc, attempt: 2000 * attempt,
    params:
        made=MODEL.made,
        labels=lambda wc: provenance.digest(
            plan(wc.corpus)[0][["clip", "subject", "label"]].to_csv(index=False)
        ),
        pipeline=lambda wc: pipeline_of(EXPERIMENTS[wc.experiment]),
        synthetic=lambda wc: is_synthetic(wc.corpus),
    script:
        "../scripts/final_model.py"


def pipeline_of(experiment):
    """What `mer predict` must do to a clip before the model sees it: the options of every stage above, by stage."""
    wc = {
        "pairs": registry.get("descriptor", experiment.descriptor).meta["reads"],
        "descriptor": experiment.descriptor,
    }
    stages = {
        "faces": FACES,
        "registered": REGISTERED,
        "motion": MOTION,
        "features": FEATURES,
        "apex": APEX,
    }
    return {name: stage.options(wc) for name, stage in stages.items()} | {
        "descriptor": experiment.descriptor
    }


rule train:
    input:
        trained("results/{corpus}/predictions/{protocol}/{experiment}.csv"),
        trained("results/{corpus}/curves/{protocol}/{experiment}.csv"),
        trained("results/{corpus}/models/{experiment}.safetensors"),
