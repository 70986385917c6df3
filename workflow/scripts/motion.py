from _job import apexes, header, job, opened, shard_rows

with job(snakemake):
    import numpy as np

    from mer_lib import provenance
    from mer_lib.motion.pairs import measured
    from mer_lib.store import write_shard
    from mer_lib.views import YAW, each_view

    options, pairs, apex_of = snakemake.params.made["options"], snakemake.wildcards.pairs, apexes(snakemake)
    with opened(snakemake, "registered", snakemake.input.registered) as registered:

        def make(row, read):
            apex = apex_of(row) - int(read("registered", "first")[0]) if pairs != "frames" else None
            ends = pairs == "onset_apex" and YAW in registered.names()  # of a view only these two are rendered
            told = {"fps": row.fps, "macro": row.type == "macro"}
            found = measured(read("registered", "frames"), 1 if ends else apex, options, **told)
            return {**found, "pair": np.array([[0, apex]])} if ends else found

        inputs = {"registered": registered.digest}
        if snakemake.input.apex:
            inputs["apex"] = provenance.file_digest([snakemake.input.apex])
        rows = shard_rows(snakemake, registered)
        write_shard(snakemake.output[0], header(snakemake, **inputs), rows, each_view({"registered": registered}, make))
