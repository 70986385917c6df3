from _job import job

with job(snakemake):
    from mer_lib.store import join_shards

    join_shards(snakemake.output[0], snakemake.input, recipe=snakemake.params.recipe)
