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
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
    params:
        classes=lambda wc: classes(wc.corpus),
        evaluation=SETTINGS.evaluation.model_dump(),
        code=provenance.code_digest("mer_lib.evaluation.metrics"),
    script:
        "../scripts/metrics.py"


rule leaderboard:
    input:
        metrics=of_corpus("results/{corpus}/metrics/{protocol}/{experiment}.json"),
        models=of_corpus("results/{corpus}/models/{experiment}.safetensors"),
    output:
        "results/{corpus}/leaderboard.csv",
    log:
        "logs/{corpus}/leaderboard.log",
    benchmark:
        "results/{corpus}/benchmarks/leaderboard.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=500,
    params:
        experiments=facts,
        synthetic=lambda wc: is_synthetic(wc.corpus),
        code=provenance.code_digest("mer_lib.evaluation.leaderboard"),
    script:
        "../scripts/leaderboard.py"


rule evaluate:
    input:
        trained("results/{corpus}/metrics/{protocol}/{experiment}.json"),
        [f"results/{c}/leaderboard.csv" for c in CORPORA],
