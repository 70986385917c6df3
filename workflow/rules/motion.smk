# Motion: optical flow and its strain, from onset to apex or from frame to frame; only the pairs that someone reads.
# in:  results/{corpus}/registered/{shard}.h5, results/{corpus}/apex.csv where an apex was spotted
# out: results/{corpus}/motion/{pairs}/{shard}.h5: flow (N, S, S, 2) px, strain (N, S, S), pair (N, 2)


rule motion_shard:
    input:
        registered="results/{corpus}/registered/{shard}.h5",
        apex=spotted_apex,
    output:
        "results/{corpus}/motion/{pairs}/{shard}.h5",
    log:
        "logs/{corpus}/motion/{pairs}/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/motion/{pairs}/{shard}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(1500),
        runtime=growing(240),
    params:
        made=MOTION.made,
    script:
        "../scripts/motion.py"


rule motion:
    input:
        motion_read(),
