from _job import job

with job(snakemake):
    import json

    from mer_lib.evaluation import predictions
    from mer_lib.evaluation.metrics import summary
    from mer_lib.whole import write_text

    table = predictions.read(snakemake.input[0])
    found = summary(table, snakemake.params.classes, **snakemake.params.evaluation)
    write_text(json.dumps(found, indent=2) + "\n", snakemake.output[0])
