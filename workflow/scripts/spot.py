from _job import job, opened, shard_rows

with job(snakemake):
    import logging

    import pandas as pd

    from mer_lib.problems import BadInput
    from mer_lib.spotting.apex import METHODS, spot_apex
    from mer_lib.whole import write_csv

    made, found = snakemake.params.made, []
    flow, options, method = (made["options"][name] for name in ("flow", "options", "method"))
    with opened(snakemake, "registered", snakemake.input.registered) as registered:
        for row in shard_rows(snakemake, registered):
            if pd.isna(row.apex):
                frames, first = registered.read(row.clip, "frames"), int(registered.read(row.clip, "first")[0])
                try:
                    at, score = spot_apex(frames, 0, flow=flow, method=method, **options)
                except BadInput as error:  # no row for it: motion refuses the clip, where the problem is kept
                    logging.error("%s", error.of_clip(row.clip, "apex"))
                    continue
                found.append((row.clip, first + at, f"{METHODS[method]} ({flow})", score))
    write_csv(pd.DataFrame(found, columns=["clip", "apex", "how", "score"]), snakemake.output[0])
