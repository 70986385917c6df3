from _job import header, job, opened, shard_rows

with job(snakemake):
    from mer_lib.geometry.registration import register
    from mer_lib.store import write_shard
    from mer_lib.views import each_view

    (above,) = snakemake.params.made["above"]  # faces, or their views
    with opened(snakemake, above, snakemake.input[0]) as faces:

        def make(row, read):
            found = register(read(above, "frames"), read(above, "landmarks"), **snakemake.params.made["options"])
            kept = ("frames", "landmarks", "homography", "parallax", "how", "residual")
            return {name: getattr(found, name) for name in kept} | {"first": read(above, "first")}

        rows = shard_rows(snakemake, faces)
        write_shard(
            snakemake.output[0], header(snakemake, **{above: faces.digest}), rows, each_view({above: faces}, make)
        )
