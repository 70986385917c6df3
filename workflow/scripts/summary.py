from _job import job

with job(snakemake):
    import sys

    import pandas as pd

    from mer_lib import clips
    from mer_lib.evaluation.predictions import read, unscored
    from mer_lib.problems import summarise
    from mer_lib.whole import write_text

    found = pd.read_csv(snakemake.input.problems, dtype=str, keep_default_na=False)
    table, experiments = clips.load(snakemake.input.clips), map(tuple, snakemake.params.experiments)
    tested = {key: read(path) for key, path in zip(experiments, snakemake.input.predictions, strict=True)}
    found = pd.concat([found, unscored(table, found, tested)], ignore_index=True)
    text = summarise(found, clips=len(table), page=snakemake.input.page)
    if snakemake.params.strict and (found["severity"] == "skipped").any():
        sys.exit(text + "error: problems.strict is set and clips were lost")
    write_text(text, snakemake.output[0])
