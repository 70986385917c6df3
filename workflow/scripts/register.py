from _job import header, job, opened, shard_rows

with job(snakemake):
    from mer_lib.faces import align
    from mer_lib.geometry.registration import register
    from mer_lib.store import write_shard

    with opened(snakemake, "faces", snakemake.input.faces) as faces:

        def make(row):
            landmarks = faces.read(row.clip, "landmarks")
            found = register(faces.read(row.clip, "frames"), landmarks, **snakemake.params.made["options"])
            return {
                "frames": found.frames, "homography": found.homography, "how": found.how, "residual": found.residual,
                "landmarks": align.through(found.homography, landmarks), "first": faces.read(row.clip, "first"),
            }  # fmt: skip

        rows = shard_rows(snakemake, faces)
        write_shard(snakemake.output[0], header(snakemake, faces=faces.digest), rows, make)
