from _job import device, header, job, opened, shard_rows

with job(snakemake):
    from mer_lib import provenance
    from mer_lib.geometry import depth
    from mer_lib.store import write_shard

    model = depth.load(snakemake.input.model, device(snakemake), snakemake.params.made["above"]["depth_model"])
    with opened(snakemake, "faces", snakemake.input.faces) as faces:

        def make(row):
            return depth.of_clip(faces.read(row.clip, "frames"), faces.read(row.clip, "landmarks"), model)

        inputs = {"faces": faces.digest, "model": provenance.file_digest([snakemake.input.model])}
        write_shard(snakemake.output[0], header(snakemake, **inputs), shard_rows(snakemake, faces), make)
