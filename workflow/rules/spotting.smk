# Spotting: the apex of clips whose sheet names none, from the flow (motion.apex). Shards that lack none are not read.
# in:  results/{corpus}/registered/{shard}.h5
# out: results/{corpus}/apex/{shard}.csv, joined in results/{corpus}/apex.csv: clip, apex, how, score


rule spot_shard:
    input:
        registered="results/{corpus}/registered/{shard}.h5",
    output:
        "results/{corpus}/apex/{shard}.csv",
    log:
        "logs/{corpus}/apex/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/apex/{shard}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(1500),
        runtime=growing(60),
    params:
        made=APEX.made,
    script:
        "../scripts/spot.py"


rule apex:
    input:
        lambda wc: expand(
            "results/{corpus}/apex/{shard}.csv",
            corpus=wc.corpus,
            shard=lacking_apex(wc.corpus),
        ),
    output:
        "results/{corpus}/apex.csv",
    log:
        "logs/{corpus}/apex.log",
    benchmark:
        "results/{corpus}/benchmarks/apex.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(500),
    params:
        columns=["clip", "apex", "how", "score"],
    script:
        "../scripts/join.py"
