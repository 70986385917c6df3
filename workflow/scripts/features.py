from _job import header, job, opened, shard_rows

with job(snakemake):
    from mer_lib import registry
    from mer_lib.store import write_shard

    describe = registry.get("descriptor", snakemake.wildcards.descriptor).load()
    with opened(snakemake, "motion", snakemake.input.motion) as motion:

        def make(row):
            options = snakemake.params.made["options"]
            return {"x": describe(motion.read(row.clip, "flow"), motion.read(row.clip, "strain"), **options)}

        rows = shard_rows(snakemake, motion)
        write_shard(snakemake.output[0], header(snakemake, motion=motion.digest), rows, make)
