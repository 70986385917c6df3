from _job import job

with job(snakemake):
    from mer_lib.evaluation import predictions
    from mer_lib.evaluation.comparisons import comparisons
    from mer_lib.whole import write_csv

    given = snakemake.params
    tables = map(predictions.read, snakemake.input.predictions)
    found = zip(given.experiments, tables, strict=True)
    write_csv(comparisons(found, given.classes, **given.evaluation), snakemake.output[0])
