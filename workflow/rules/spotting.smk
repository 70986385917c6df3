# Spotting: the apex of clips whose sheet names none (largest mean flow from the onset). Nothing runs where none lacks.
# in:  results/{corpus}/registered/{shard}.h5
# out: results/{corpus}/apex/{shard}.csv, joined in results/{corpus}/apex.csv: clip, apex, how, score

FAST_FLOW = lambda wc: {
    "flow": SETTINGS.motion.frames,
    "options": SETTINGS.options("flow", SETTINGS.motion.frames),
}

APEX = Stage(
    "apex",
    lambda wc: [
        "mer_lib.spotting.apex",
        registry.get("flow", SETTINGS.motion.frames).module,
    ],
    FAST_FLOW,
    above=[REGISTERED],
)


def lacking_apex(corpus):
    """The shards in which some clip has no annotated apex."""
    return [
        shard for shard, rows in shards(corpus).items() if rows["apex"].isna().any()
    ]


rule spot_shard:
    input:
        clips=ancient("results/{corpus}/clips.csv"),
        registered="results/{corpus}/registered/{shard}.h5",
    output:
        "results/{corpus}/apex/{shard}.csv",
    log:
        "logs/{corpus}/apex/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/apex/{shard}.tsv"
    resources:
        mem_mb=lambda wc, attempt: 1500 * attempt,
    params:
        made=APEX.made,
        size=SETTINGS.shards.size,
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
    resources:
        mem_mb=500,
    script:
        "../scripts/join.py"
