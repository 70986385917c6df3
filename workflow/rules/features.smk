# Features: what a method reads of the motion, one row a clip; and the account of every clip that was lost on the way.
# in:  results/{corpus}/motion/{pairs}/{shard}.h5
# out: results/{corpus}/features/{descriptor}/{shard}.h5: x (1, ...); results/{corpus}/problems.csv

FEATURES = Stage(
    "features",
    lambda wc: [registry.get("descriptor", wc["descriptor"]).module, "mer_lib.store"],
    lambda wc: SETTINGS.options("descriptor", wc["descriptor"]),
    above=lambda wc: [
        (
            MOTION,
            {**wc, "pairs": registry.get("descriptor", wc["descriptor"]).meta["reads"]},
        )
    ],
)


def motion_of(wc):
    pairs = registry.get("descriptor", wc.descriptor).meta["reads"]
    return f"results/{wc.corpus}/motion/{pairs}/{wc.shard}.h5"


def descriptors_read():
    return sorted({e.descriptor for e in EXPERIMENTS.values()})


rule features_shard:
    input:
        clips=ancient("results/{corpus}/clips.csv"),
        motion=motion_of,
    output:
        "results/{corpus}/features/{descriptor}/{shard}.h5",
    log:
        "logs/{corpus}/features/{descriptor}/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/features/{descriptor}/{shard}.tsv"
    resources:
        mem_mb=lambda wc, attempt: 1500 * attempt,
    params:
        made=FEATURES.made,
        size=SETTINGS.shards.size,
    script:
        "../scripts/features.py"


def stores_of(wc):
    """Every store of a corpus that may have lost a clip."""
    stages = ["faces", "registered", *(f"features/{d}" for d in descriptors_read())]
    stages += sorted(
        {
            f"motion/{registry.get('descriptor', d).meta['reads']}"
            for d in descriptors_read()
        }
    )
    return [
        f"results/{wc.corpus}/{stage}/{shard}.h5"
        for stage in stages
        for shard in shards(wc.corpus)
    ]


rule problems:
    input:
        index="results/{corpus}/index_problems.csv",
        stores=stores_of,
    output:
        "results/{corpus}/problems.csv",
    log:
        "logs/{corpus}/problems.log",
    benchmark:
        "results/{corpus}/benchmarks/problems.tsv"
    resources:
        mem_mb=500,
    script:
        "../scripts/problems.py"


rule features:
    input:
        [
            f"results/{c}/features/{d}/{shard}.h5"
            for c in CORPORA
            for d in descriptors_read()
            for shard in shards(c)
        ],
        [f"results/{c}/problems.csv" for c in CORPORA],
