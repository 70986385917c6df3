# Learning: each experiment trained once a fold (and seed), every fit passed by the guard; and once on all clips, for use.
# in:  results/{corpus}/features/{descriptor}.h5, results/{corpus}/multiview/features/{descriptor}.h5 where views are read,
#      results/{auxiliary corpus}/features/{descriptor}.h5 where the network asks for it
# out: results/{corpus}/folds/{protocol}/{experiment}/{group}.{predictions.csv,oracle.csv,curves.csv,safetensors}, joined
#      in results/{corpus}/predictions/ and results/{corpus}/curves/; results/{corpus}/models/{experiment}.safetensors


rule train_folds:
    input:
        clips="results/{corpus}/clips.csv",
        features=features_read,
        views=views_read,
        attention=attention_read,
        auxiliary=auxiliary_read,
    output:
        predictions="results/{corpus}/folds/{protocol}/{experiment}/{group}.predictions.csv",
        oracle="results/{corpus}/folds/{protocol}/{experiment}/{group}.oracle.csv",
        curves="results/{corpus}/folds/{protocol}/{experiment}/{group}.curves.csv",
        weights="results/{corpus}/folds/{protocol}/{experiment}/{group}.safetensors",
    log:
        "logs/{corpus}/train/{protocol}/{experiment}/{group}.log",
    benchmark:
        "results/{corpus}/benchmarks/train/{protocol}/{experiment}/{group}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(learning_mb),
        runtime=growing(480),
    params:
        made=TRAIN.made,
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
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(500),
    params:
        columns=[],
    script:
        "../scripts/join.py"


# What choosing the epoch on the test subject would have given (train.oracle), beside the honest predictions.
use rule join_predictions as join_oracle with:
    input:
        joined("oracle.csv"),
    output:
        "results/{corpus}/predictions/{protocol}/{experiment}@oracle.csv",
    log:
        "logs/{corpus}/predictions/{protocol}/{experiment}@oracle.log",
    benchmark:
        "results/{corpus}/benchmarks/predictions/{protocol}/{experiment}@oracle.tsv"


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
        clips="results/{corpus}/clips.csv",
        features=features_read,
        views=views_read,
        auxiliary=auxiliary_read,
    output:
        "results/{corpus}/models/{experiment}.safetensors",
    log:
        "logs/{corpus}/models/{experiment}.log",
    benchmark:
        "results/{corpus}/benchmarks/models/{experiment}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(learning_mb),
        runtime=growing(480),
    params:
        made=MODEL.made,
        pipeline=pipeline_of,
        synthetic=lambda wc: is_synthetic(wc.corpus),
    script:
        "../scripts/final_model.py"


rule train:
    input:
        trained("results/{corpus}/predictions/{protocol}/{experiment}.csv"),
        trained("results/{corpus}/predictions/{protocol}/{experiment}@oracle.csv", recorded(scored)),
        trained("results/{corpus}/curves/{protocol}/{experiment}.csv"),
        trained("results/{corpus}/models/{experiment}.safetensors"),
