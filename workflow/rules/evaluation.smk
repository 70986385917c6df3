# Evaluation: everything here is computed from the predictions alone.
# in:  results/{corpus}/predictions/{protocol}/{experiment}.csv
# out: results/{corpus}/metrics/{protocol}/{experiment}.json, results/{corpus}/leaderboard.csv, results/{corpus}/comparisons.csv;
#      `snakemake controls`: results/{corpus}/controls.csv, results/{corpus}/controls/{comparisons.csv,index.html},
#      results/{corpus}/controls/identity/{descriptor}.json


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
        mem_mb=growing(1000),
    params:
        classes=lambda wc: classes(wc.corpus),
        evaluation=SETTINGS.evaluation.model_dump(),
        code=provenance.code_digest("mer_lib.evaluation.metrics"),
    script:
        "../scripts/metrics.py"


use rule metrics as metrics_oracle with:
    input:
        "results/{corpus}/predictions/{protocol}/{experiment}@oracle.csv",
    output:
        "results/{corpus}/metrics/{protocol}/{experiment}@oracle.json",
    log:
        "logs/{corpus}/metrics/{protocol}/{experiment}@oracle.log",
    benchmark:
        "results/{corpus}/benchmarks/metrics/{protocol}/{experiment}@oracle.tsv"


rule leaderboard:
    input:
        metrics=with_oracles("metrics", "json", scored),
        models=models_of(scored),
    output:
        "results/{corpus}/leaderboard.csv",
    log:
        "logs/{corpus}/leaderboard.log",
    benchmark:
        "results/{corpus}/benchmarks/leaderboard.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(500),
    params:
        experiments=facts_of(scored),
        synthetic=lambda wc: is_synthetic(wc.corpus),
        code=provenance.code_digest("mer_lib.evaluation.leaderboard"),
    script:
        "../scripts/leaderboard.py"


rule comparisons:
    input:
        predictions=with_oracles("predictions", "csv", scored),
    output:
        "results/{corpus}/comparisons.csv",
    log:
        "logs/{corpus}/comparisons.log",
    benchmark:
        "results/{corpus}/benchmarks/comparisons.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
    params:
        experiments=facts_of(scored),
        classes=lambda wc: classes(wc.corpus),
        evaluation=SETTINGS.evaluation.model_dump(),
        code=provenance.code_digest("mer_lib.evaluation.comparisons"),
    script:
        "../scripts/comparisons.py"


rule evaluate:
    input:
        trained("results/{corpus}/metrics/{protocol}/{experiment}.json"),
        [f"results/{c}/leaderboard.csv" for c in CORPORA],
        [f"results/{c}/comparisons.csv" for c in CORPORA],
        yaw_curves(scored),


use rule leaderboard as controls_table with:
    input:
        metrics=with_oracles("metrics", "json", controlled),
        models=models_of(controlled),
    output:
        "results/{corpus}/controls.csv",
    log:
        "logs/{corpus}/controls.log",
    benchmark:
        "results/{corpus}/benchmarks/controls.tsv"
    params:
        experiments=facts_of(controlled),
        synthetic=lambda wc: is_synthetic(wc.corpus),
        code=provenance.code_digest("mer_lib.evaluation.leaderboard"),


use rule comparisons as compare_controls with:
    input:
        predictions=with_oracles("predictions", "csv", controlled),
    output:
        "results/{corpus}/controls/comparisons.csv",
    log:
        "logs/{corpus}/controls/comparisons.log",
    benchmark:
        "results/{corpus}/benchmarks/controls/comparisons.tsv"
    params:
        experiments=facts_of(controlled),
        classes=lambda wc: classes(wc.corpus),
        evaluation=SETTINGS.evaluation.model_dump(),
        code=provenance.code_digest("mer_lib.evaluation.comparisons"),


rule identity:
    input:
        clips="results/{corpus}/clips.csv",
        features="results/{corpus}/features/{descriptor}.h5",
    output:
        "results/{corpus}/controls/identity/{descriptor}.json",
    log:
        "logs/{corpus}/controls/{descriptor}.log",
    benchmark:
        "results/{corpus}/benchmarks/controls/{descriptor}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        made=IDENTITY.made,
    script:
        "../scripts/identity.py"


rule controls_page:
    input:
        clips="results/{corpus}/clips.csv",
        controls="results/{corpus}/controls.csv",
        compared="results/{corpus}/controls/comparisons.csv",
        identity=lambda wc: [f"results/{wc.corpus}/controls/identity/{d}.json" for d in descriptors_read(wc.corpus)],
    output:
        "results/{corpus}/controls/index.html",
    log:
        "logs/{corpus}/controls/page.log",
    benchmark:
        "results/{corpus}/benchmarks/controls/page.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(1000),
    params:
        synthetic=lambda wc: is_synthetic(wc.corpus),
        code=page_code(),
    script:
        "../scripts/controls_page.py"


rule controls:
    input:
        [f"results/{c}/controls/index.html" for c in CORPORA],
