from _job import job

with job(snakemake):
    import json

    import pandas as pd

    from mer_lib.evaluation.metrics import summary
    from mer_lib.whole import write_text

    predictions = pd.read_csv(snakemake.input[0], keep_default_na=False)
    found = summary(predictions, snakemake.params.classes, **snakemake.params.evaluation)
    write_text(json.dumps(found, indent=2) + "\n", snakemake.output[0])
