# Geometry: every frame registered to its clip's first. (Depth and views have their room here as well.)
# in:  results/{corpus}/faces/{shard}.h5
# out: results/{corpus}/registered/{shard}.h5: frames (T, S, S, 3) u8, landmarks (T, 5, 2), homography (T, 3, 3),
#      parallax (T, 2), how (T,), residual (T,), first


rule register_shard:
    input:
        faces="results/{corpus}/faces/{shard}.h5",
    output:
        "results/{corpus}/registered/{shard}.h5",
    log:
        "logs/{corpus}/registered/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/registered/{shard}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(1500),
        runtime=growing(60),
    params:
        made=REGISTERED.made,
    script:
        "../scripts/register.py"


rule registered:
    input:
        [f"results/{c}/registered/{shard}.h5" for c in filmed() for shard in shards(c)],
