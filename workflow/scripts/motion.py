from _job import header, job, opened, shard_rows

with job(snakemake):
    import pandas as pd

    from mer_lib import provenance
    from mer_lib.motion.pairs import measured
    from mer_lib.store import write_shard

    made = snakemake.params.made
    spotted = pd.read_csv(snakemake.input.apex).set_index("clip")["apex"] if snakemake.input.apex else {}
    with opened(snakemake, "registered", snakemake.input.registered) as registered:

        def make(row):
            first = int(registered.read(row.clip, "first")[0])
            apex = spotted.get(row.clip, row.apex)
            apex = None if pd.isna(apex) else int(apex) - first
            frames = registered.read(row.clip, "frames")
            return measured(frames, apex, made["options"], fps=row.fps, macro=row.type == "macro")

        inputs = {"registered": registered.digest}
        if snakemake.input.apex:
            inputs["apex"] = provenance.file_digest([snakemake.input.apex])
        write_shard(snakemake.output[0], header(snakemake, **inputs), shard_rows(snakemake, registered), make)
