from _job import device, job, samples

with job(snakemake):
    from mer_lib import clips, weights
    from mer_lib.geometry.attention import attend_folds
    from mer_lib.learning.folds import jobs
    from mer_lib.learning.protocols import make_folds
    from mer_lib.views import Shards
    from mer_lib.whole import write_csv

    made, given, out = snakemake.params.made, snakemake.params, snakemake.output
    options = dict(made["options"])
    split = options.pop("protocol_options")
    folds = make_folds(snakemake.wildcards.protocol, clips.load(snakemake.input.clips), **split)
    group = jobs(folds, given.folds_per_job)[int(snakemake.wildcards.group)]
    views = Shards(snakemake.input.shown, made["above"]["views"])
    judged, maps = attend_folds(samples(snakemake), group, views, **options, device=device(snakemake))
    write_csv(judged, out.judged)
    weights.save(out.maps, maps, {"made": made})
