from _job import apexes, header, job, opened, shard_rows

with job(snakemake):
    import numpy as np

    from mer_lib import provenance
    from mer_lib.geometry.multiview import generate
    from mer_lib.store import write_shard

    options, apex_of, given = dict(snakemake.params.made["options"]), apexes(snakemake), snakemake.input
    pairs = options.pop("pairs")
    with opened(snakemake, "faces", given.faces) as faces, opened(snakemake, "depth", given.depth) as depth:

        def make(row):
            first = faces.read(row.clip, "first")
            at = apex_of(row) - int(first[0]) if pairs == "onset_apex" else None
            clip = (faces.read(row.clip, "frames"), depth.read(row.clip, "depth"), faces.read(row.clip, "landmarks"))
            made = generate(*clip, at, **options)
            return {**made, "first": np.repeat(first, len(made["yaw"]))}

        inputs = {"faces": faces.digest, "depth": depth.digest}
        if given.apex:
            inputs["apex"] = provenance.file_digest([given.apex])
        write_shard(snakemake.output[0], header(snakemake, **inputs), shard_rows(snakemake, faces, depth), make)
