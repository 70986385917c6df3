from _job import header, job, opened, shard_rows

with job(snakemake):
    import numpy as np

    from mer_lib import registry
    from mer_lib.store import write_shard

    describe = registry.get("descriptor", snakemake.wildcards.descriptor).load()
    with opened(snakemake, "motion", snakemake.input.motion) as motion:

        def make(row):
            fields = (motion.read(row.clip, name).astype(np.float32) for name in ("flow", "strain"))
            return {"x": describe(*fields, **snakemake.params.made["options"])}

        rows = shard_rows(snakemake, motion)
        write_shard(snakemake.output[0], header(snakemake, motion=motion.digest), rows, make)
