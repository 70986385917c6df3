# Features: what a method reads of the motion, one row a clip; and the account of every clip that was lost on the way.
# in:  results/{corpus}/motion/{pairs}/{shard}.h5
# out: results/{corpus}/features/{descriptor}/{shard}.h5: x (1, ...); results/{corpus}/problems.csv


rule features_shard:
    input:
        motion=motion_of,
    output:
        "results/{corpus}/features/{descriptor}/{shard}.h5",
    log:
        "logs/{corpus}/features/{descriptor}/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/features/{descriptor}/{shard}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=lambda wc, attempt: 1500 * attempt,
    params:
        made=FEATURES.made,
    script:
        "../scripts/features.py"


rule problems:
    input:
        clips="results/{corpus}/clips.csv",
        index="results/{corpus}/index_problems.csv",
        stores=stores_of,
    output:
        "results/{corpus}/problems.csv",
    log:
        "logs/{corpus}/problems.log",
    benchmark:
        "results/{corpus}/benchmarks/problems.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=500,
    params:
        root=lambda wc: root(wc.corpus),
    script:
        "../scripts/problems.py"


rule features:
    input:
        [f"results/{c}/features/{d}/{shard}.h5" for c in CORPORA for d in descriptors_read() for shard in shards(c)],
        [f"results/{c}/problems.csv" for c in CORPORA],
