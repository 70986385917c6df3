from _job import auxiliary, device, job, samples

with job(snakemake):
    import shutil
    from pathlib import Path

    import pandas as pd

    from mer_lib import clips, finished, provenance, weights
    from mer_lib.learning.fit import run_folds
    from mer_lib.learning.folds import jobs, with_judged
    from mer_lib.learning.protocols import make_folds
    from mer_lib.whole import write_csv

    made, given, out = snakemake.params.made, snakemake.params, snakemake.output
    todo = {k: made["options"][k] for k in ("classes", "seeds", "options", "train")}
    protocol, options = snakemake.wildcards.protocol, made["options"]["protocol_options"]
    folds = make_folds(protocol, clips.load(snakemake.input.clips), **options)
    group = jobs(folds, given.folds_per_job)[int(snakemake.wildcards.group)]
    if snakemake.input.attention:
        group = with_judged(group, pd.read_csv(snakemake.input.attention, dtype={"fold": str, "clip": str}))
    key = provenance.digest([made, [fold.name for fold in group], provenance.file_digest(snakemake.input)])
    with finished.once(key, *map(Path, out)) as missing:
        if missing:
            named = {"kind": made["options"]["learner"], "name": made["options"]["learner_name"]}
            keep = Path(".mer/folds", key)  # what a killed job had finished
            where = {"device": device(snakemake), "keep": keep, "auxiliary": auxiliary(snakemake)}
            run = run_folds(samples(snakemake), group, **named, **todo, **where)
            for table in ("predictions", "oracle", "curves"):
                write_csv(getattr(run, table), out[table])
            weights.save(out.weights, run.tensors, {**run.meta, "made": made})
            shutil.rmtree(keep, ignore_errors=True)
