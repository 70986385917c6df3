# Faces: detection, one crop geometry a clip, the cropped frames of its interval.
# in:  the clip table, the sources of a shard's clips
# out: results/{corpus}/faces/{shard}.h5: frames (T, S, S, 3) u8, landmarks (T, 5, 2), probability (T,), geometry, first


rule faces_shard:
    input:
        sources=sources,
    output:
        "results/{corpus}/faces/{shard}.h5",
    log:
        "logs/{corpus}/faces/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/faces/{shard}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    params:
        made=FACES.made,
        roots=lambda wc: roots(wc.corpus),
        media=media_digest,
        max_frames=SETTINGS.ingest.max_frames,
    script:
        "../scripts/faces.py"


rule faces:
    input:
        [f"results/{c}/clips.csv" for c in CORPORA],
        [f"results/{c}/faces/{shard}.h5" for c in filmed() for shard in shards(c)],
