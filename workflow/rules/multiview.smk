# Generated views: depth of every frame, the face rendered from the sides, and then the same stages as for recordings.
# Made where an experiment's protocol trains or tests on views; the report shows those of a few clips.
# in:  results/{corpus}/faces/{shard}.h5, the depth network
# out: results/{corpus}/depth/{shard}.h5; results/{corpus}/multiview/views/{pairs}/{shard}.h5, multiview/registered/{pairs}/,
#      multiview/motion/{pairs}/ and multiview/features/{descriptor}/ as without views, each clip's rows view by view, with
#      yaw (V,); pairs says which frames are rendered: onset and apex, or all


rule depth_shard:
    input:
        faces="results/{corpus}/faces/{shard}.h5",
        model=DEPTH_MODEL_FILE,
    output:
        "results/{corpus}/depth/{shard}.h5",
    log:
        "logs/{corpus}/depth/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/depth/{shard}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    params:
        made=DEPTH.made,
    script:
        "../scripts/depth.py"


rule views_shard:
    input:
        faces="results/{corpus}/faces/{shard}.h5",
        depth="results/{corpus}/depth/{shard}.h5",
        apex=spotted_apex,
    output:
        "results/{corpus}/multiview/views/{pairs}/{shard}.h5",
    log:
        "logs/{corpus}/views/{pairs}/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/views/{pairs}/{shard}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(3000),
        runtime=growing(120),
    params:
        made=VIEWS.made,
    script:
        "../scripts/views.py"


use rule register_shard as register_views with:
    input:
        "results/{corpus}/multiview/views/{pairs}/{shard}.h5",
    output:
        "results/{corpus}/multiview/registered/{pairs}/{shard}.h5",
    log:
        "logs/{corpus}/multiview/registered/{pairs}/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/multiview/registered/{pairs}/{shard}.tsv"
    params:
        made=VIEWS_REGISTERED.made,


use rule motion_shard as motion_of_views with:
    input:
        registered=lambda wc: f"results/{wc.corpus}/multiview/registered/{rendered(wc.pairs)}/{wc.shard}.h5",
        apex=spotted_apex,
    output:
        "results/{corpus}/multiview/motion/{pairs}/{shard}.h5",
    log:
        "logs/{corpus}/multiview/motion/{pairs}/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/multiview/motion/{pairs}/{shard}.tsv"
    params:
        made=VIEWS_MOTION.made,


use rule features_shard as features_of_views with:
    input:
        motion=motion_of_view,
        registered=registered_of_view,
    output:
        "results/{corpus}/multiview/features/{descriptor}/{shard}.h5",
    log:
        "logs/{corpus}/multiview/features/{descriptor}/{shard}.log",
    benchmark:
        "results/{corpus}/benchmarks/multiview/features/{descriptor}/{shard}.tsv"
    params:
        made=VIEWS_FEATURES.made,


use rule join_features as join_features_of_views with:
    input:
        lambda wc: expand(
            "results/{corpus}/multiview/features/{descriptor}/{shard}.h5",
            shard=shards(wc.corpus),
            **wc,
        ),
    output:
        "results/{corpus}/multiview/features/{descriptor}.h5",
    log:
        "logs/{corpus}/multiview/features/{descriptor}.log",
    benchmark:
        "results/{corpus}/benchmarks/multiview/features/{descriptor}.tsv"
    params:
        recipe=lambda wc: VIEWS_FEATURES.planned(dict(wc))["recipe"],


rule views:
    input:
        views_made(),


rule attention_folds:
    input:
        clips="results/{corpus}/clips.csv",
        features=lambda wc: f"results/{wc.corpus}/features/{attention_reads()}.h5",
        shown=lambda wc: expand(
            "results/{corpus}/multiview/views/onset_apex/{shard}.h5",
            corpus=wc.corpus,
            shard=shards(wc.corpus),
        ),
    output:
        judged="results/{corpus}/attention/{protocol}/{group}.csv",
        maps="results/{corpus}/attention/{protocol}/{group}.safetensors",
    log:
        "logs/{corpus}/attention/{protocol}/{group}.log",
    benchmark:
        "results/{corpus}/benchmarks/attention/{protocol}/{group}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(240),
    params:
        made=ATTENTION.made,
        folds_per_job=SETTINGS.folds_per_job,
    script:
        "../scripts/attention.py"


use rule join_predictions as join_attention with:
    input:
        lambda wc: expand(
            "results/{corpus}/attention/{protocol}/{group}.csv",
            group=groups(wc.corpus, wc.protocol),
            **wc,
        ),
    output:
        "results/{corpus}/attention/{protocol}.csv",
    log:
        "logs/{corpus}/attention/{protocol}.log",
    benchmark:
        "results/{corpus}/benchmarks/attention/{protocol}.tsv"


rule attention:
    input:
        [f"results/{c}/attention/{p}.csv" for c in CORPORA for p in attended(c, scored)],
