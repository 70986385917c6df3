from _job import header, job, opened, shard_rows

with job(snakemake):
    from mer_lib.faces import align
    from mer_lib.geometry.registration import register
    from mer_lib.store import write_shard
    from mer_lib.views import each_view

    (above,) = snakemake.params.made["above"]  # faces, or their views
    with opened(snakemake, above, snakemake.input[0]) as faces:

        def make(row, read):
            landmarks = read(above, "landmarks")
            found = register(read(above, "frames"), landmarks, **snakemake.params.made["options"])
            return {
                "frames": found.frames, "homography": found.homography, "how": found.how, "residual": found.residual,
                "landmarks": align.through(found.homography, landmarks), "first": read(above, "first"),
            }  # fmt: skip

        rows = shard_rows(snakemake, faces)
        write_shard(
            snakemake.output[0], header(snakemake, **{above: faces.digest}), rows, each_view({above: faces}, make)
        )
