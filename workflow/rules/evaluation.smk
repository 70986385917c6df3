# Evaluation: everything here is computed from the predictions alone.
# in:  results/{corpus}/predictions/{protocol}/{experiment}.csv
# out: results/{corpus}/metrics/{protocol}/{experiment}.json, results/{corpus}/leaderboard.csv


rule metrics:
    input:
        "results/{corpus}/predictions/{protocol}/{experiment}.csv",
    output:
        "results/{corpus}/metrics/{protocol}/{experiment}.json",
    log:
        "logs/{corpus}/metrics/{protocol}/{experiment}.log",
    benchmark:
        "results/{corpus}/benchmarks/metrics/{protocol}/{experiment}.tsv"
    resources:
        mem_mb=1000,
    params:
        classes=lambda wc: list(params.class_names(CORPORA[wc.corpus].classes)),
        evaluation=SETTINGS.evaluation.model_dump(),
        code=provenance.code_digest("mer_lib.evaluation.metrics"),
    script:
        "../scripts/metrics.py"


def corpus_files(pattern):
    return lambda wc: [
        pattern.format(corpus=wc.corpus, protocol=e.protocol, experiment=name)
        for name, e in scored(wc.corpus).items()
    ]


rule leaderboard:
    input:
        metrics=corpus_files("results/{corpus}/metrics/{protocol}/{experiment}.json"),
        models=corpus_files("results/{corpus}/models/{experiment}.safetensors"),
    output:
        "results/{corpus}/leaderboard.csv",
    log:
        "logs/{corpus}/leaderboard.log",
    benchmark:
        "results/{corpus}/benchmarks/leaderboard.tsv"
    resources:
        mem_mb=500,
    params:
        experiments=lambda wc: {
            name: {
                "method": e.method,
                "protocol": e.protocol,
                "selection": e.train.selection,
                "control": e.train.control,
                "subject_disjoint": registry.get("protocol", e.protocol).meta[
                    "subject_disjoint"
                ],
            }
            for name, e in scored(wc.corpus).items()
        },
        synthetic=lambda wc: is_synthetic(wc.corpus),
        code=provenance.code_digest("mer_lib.evaluation.leaderboard"),
    script:
        "../scripts/leaderboard.py"


rule evaluate:
    input:
        trained("results/{corpus}/metrics/{protocol}/{experiment}.json"),
        [f"results/{c}/leaderboard.csv" for c in CORPORA],
