from _job import header, job, shard_rows

with job(snakemake):
    from pathlib import Path

    from mer_lib import provenance
    from mer_lib.ingest.features import read_features
    from mer_lib.store import write_shard

    rows, root = shard_rows(snakemake), Path(snakemake.params.root)
    told = header(snakemake, sources=provenance.file_digest({root / row.source for row in rows}))
    write_shard(snakemake.output[0], told, rows, lambda row: {"x": read_features(root, [row])})
