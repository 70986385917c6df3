from _job import header, job, opened, shard_rows

with job(snakemake):
    from mer_lib import registry
    from mer_lib.descriptors.reading import describe
    from mer_lib.store import write_shard
    from mer_lib.views import each_view

    descriptor = registry.get("descriptor", snakemake.wildcards.descriptor)
    above = {stage: opened(snakemake, stage, path) for stage, path in snakemake.input.items() if path}

    def make(row, stored):
        return {"x": describe(descriptor, stored, snakemake.params.made["options"])}

    rows = shard_rows(snakemake, *above.values())
    told = header(snakemake, **{stage: store.digest for stage, store in above.items()})
    write_shard(snakemake.output[0], told, rows, each_view(above, make))
