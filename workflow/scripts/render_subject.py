from _job import header, job

with job(snakemake):
    import pandas as pd

    from mer_lib import clips
    from mer_lib.synth.corpus import write_subject

    made = snakemake.params.made
    write_subject(snakemake.output[0], clips.table(pd.DataFrame(made["rows"])), header(snakemake), **made["options"])
