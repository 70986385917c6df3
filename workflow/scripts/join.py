from _job import job

with job(snakemake):
    import pandas as pd

    from mer_lib.whole import write_csv

    # As text: the numbers were written once, and joining must not write them anew.
    empty = pd.DataFrame(columns=snakemake.params.columns, dtype=str)
    tables = [empty, *(pd.read_csv(path, dtype=str, keep_default_na=False) for path in snakemake.input)]
    write_csv(pd.concat(tables, ignore_index=True), snakemake.output[0])
