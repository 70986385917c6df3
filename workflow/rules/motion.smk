# Motion: optical flow and its strain, from onset to apex or from frame to frame; only the pairs that someone reads.
# in:  results/{corpus}/registered/{shard}.h5, results/{corpus}/apex.csv where an apex was spotted
# out: results/{corpus}/motion/{pairs}/{shard}.h5: flow (N, S, S, 2) px, strain (N, S, S), pair (N, 2)


def motion_options(wc):
    name = getattr(SETTINGS.motion, wc["pairs"])
    return {"flow": name, "options": SETTINGS.options("flow", name)}


def motion_modules(wc):
    return [
        "mer_lib.motion.pairs",
        "mer_lib.store",
        registry.get("flow", motion_options(wc)["flow"]).module,
    ]


def above_motion(wc):
    spotted = wc["pairs"] == "onset_apex" and lacking_apex(wc["corpus"])
    return [(REGISTERED, wc), *([(APEX, wc)] if spotted else [])]


MOTION = Stage("motion", motion_modules, motion_options, above=above_motion)


def spotted_apex(wc):
    """apex.csv, where this shard needs it."""
    needed = wc.pairs == "onset_apex" and wc.shard in lacking_apex(wc.corpus)
    return f"results/{wc.corpus}/apex/{wc.shard}.csv" if needed else []


rule motion_shard:
    input:
        clips=ancient("results/{corpus}/clips.csv"),
        registered="results/{corpus}/registered/{shard}.h5",
        apex=spotted_apex,
    output:
        "results/{corpus}/motion/{pairs}/{shard}.h5",
    log:
        "logs/{corpus}/motion/{pairs}/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/motion/{pairs}/{shard}.tsv"
    resources:
        mem_mb=lambda wc, attempt: 1500 * attempt,
    params:
        made=MOTION.made,
        size=SETTINGS.shards.size,
    script:
        "../scripts/motion.py"


def motion_read():
    """The motion stores that the chosen experiments read, and the joined apexes where some were spotted."""
    pairs = {
        registry.get("descriptor", e.descriptor).meta["reads"]
        for e in EXPERIMENTS.values()
    }
    stores = [
        f"results/{c}/motion/{p}/{shard}.h5"
        for c in CORPORA
        for p in sorted(pairs)
        for shard in shards(c)
    ]
    return stores + [f"results/{c}/apex.csv" for c in CORPORA if lacking_apex(c)]


rule motion:
    input:
        motion_read(),
