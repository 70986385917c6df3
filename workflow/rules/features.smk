# Features: what a method reads of frames and motion, one row a clip; and the account of every clip that was lost.
# in:  results/{corpus}/{motion/{pairs},registered}/{shard}.h5, or the pictures of a corpus of published features
# out: results/{corpus}/features/{descriptor}/{shard}.h5: x (1, ...), joined in results/{corpus}/features/{descriptor}.h5,
#      which learning reads; results/{corpus}/problems.csv


rule features_shard:
    input:
        motion=motion_of,
        registered=registered_of,
    output:
        "results/{corpus}/features/{descriptor}/{shard}.h5",
    log:
        "logs/{corpus}/features/{descriptor}/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/features/{descriptor}/{shard}.tsv"
    wildcard_constraints:
        corpus=either(filmed(KNOWN)),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(1500),
    params:
        made=FEATURES.made,
    script:
        "../scripts/features.py"


rule published_features:
    input:
        pictures=sources,
    output:
        "results/{corpus}/features/{descriptor}/{shard}.h5",
    log:
        "logs/{corpus}/features/{descriptor}/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/features/{descriptor}/{shard}.tsv"
    wildcard_constraints:
        corpus=either(set(KNOWN) - set(filmed(KNOWN))),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(1500),
    params:
        made=PUBLISHED.made,
        root=lambda wc: root(wc.corpus),
        media=media_digest,
    script:
        "../scripts/published_features.py"


rule join_features:
    input:
        shards_of_features,
    output:
        "results/{corpus}/features/{descriptor}.h5",
    log:
        "logs/{corpus}/features/{descriptor}.log",
    benchmark:
        "results/{corpus}/benchmarks/features/{descriptor}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(1500),
    params:
        recipe=recipe_of_features,
    script:
        "../scripts/join_features.py"


rule problems:
    input:
        clips="results/{corpus}/clips.csv",
        index="results/{corpus}/index_problems.csv",
        stores=stores_of,
        auxiliary=auxiliary_told,
    output:
        "results/{corpus}/problems.csv",
    log:
        "logs/{corpus}/problems.log",
    benchmark:
        "results/{corpus}/benchmarks/problems.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(500),
    params:
        roots=lambda wc: roots(wc.corpus),
        beside=lambda wc, input: roots(AUXILIARY) if input.auxiliary else {},
    script:
        "../scripts/problems.py"


rule features:
    input:
        [f"results/{c}/features/{d}.h5" for c in CORPORA for d in descriptors_read(c)],
        [f"results/{c}/problems.csv" for c in CORPORA],


# Of the corpus that trains beside the others: its table, and what the chosen experiments read of it.
rule auxiliary:
    input:
        [f"results/{AUXILIARY}/{name}" for name in ("clips.csv", "index_problems.csv")],
        auxiliary_features(EXPERIMENTS),
