from _job import job

with job(snakemake):
    import json
    from pathlib import Path

    from mer_lib.evaluation.yaw import curve
    from mer_lib.whole import write_csv

    write_csv(curve(json.loads(Path(snakemake.input[0]).read_text(encoding="utf-8"))), snakemake.output[0])
