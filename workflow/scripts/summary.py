from _job import job

with job(snakemake):
    import sys

    import pandas as pd

    from mer_lib import clips
    from mer_lib.problems import summarise
    from mer_lib.whole import write_text

    found = pd.read_csv(snakemake.input.problems, dtype=str, keep_default_na=False)
    text = summarise(found, clips=len(clips.load(snakemake.input.clips)), page=snakemake.input.page)
    if snakemake.params.strict and (found["severity"] == "skipped").any():
        sys.exit(text + "error: problems.strict is set and clips were lost")
    write_text(text, snakemake.output[0])
