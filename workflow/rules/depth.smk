# Depth: a network that sees how deep a face is, trained on rendered 3-D faces. It belongs to no corpus.
# in:  params.yaml alone, and the scans of scans.sets where some are named
# out: results/depth/shots/{shard}.h5: frames (n, S, S, 3) u8, depth (n, S, S) in interocular distances, landmarks, turn;
#      results/depth/model.safetensors, metrics.json, curve.csv, problems.csv, pictures.safetensors, index.html


rule shots_shard:
    input:
        scans=scans_of,
    output:
        "results/depth/shots/{shard}.h5",
    log:
        "logs/depth/shots/{shard}.log",
    benchmark:
        "results/depth/benchmarks/shots/{shard}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(1500),
        runtime=growing(60),
    params:
        made=made_of_shots,
        roots={name: root(name) for name in SETTINGS.scans.sets},
    script:
        "../scripts/shots.py"


rule depth_model:
    input:
        shots=[f"results/depth/shots/{shard}.h5" for shard in sitter_shards()],
        imagenet=SETTINGS.depth.imagenet or [],
    output:
        model=DEPTH_MODEL_FILE,
        metrics="results/depth/metrics.json",
        curve="results/depth/curve.csv",
        problems="results/depth/problems.csv",
        pictures="results/depth/pictures.safetensors",
    log:
        "logs/depth/model.log",
    benchmark:
        "results/depth/benchmarks/model.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(2500),
        runtime=growing(240),
    params:
        made=DEPTH_MODEL.planned({"corpus": params.RESERVED}),
    script:
        "../scripts/depth_model.py"


rule depth_page:
    input:
        metrics="results/depth/metrics.json",
        pictures="results/depth/pictures.safetensors",
    output:
        "results/depth/index.html",
    log:
        "logs/depth/page.log",
    benchmark:
        "results/depth/benchmarks/page.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(1000),
    params:
        code=page_code(),
    script:
        "../scripts/depth_page.py"


rule depth:
    input:
        DEPTH_MODEL_FILE,
        "results/depth/index.html",
