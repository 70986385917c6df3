from _job import device, job, samples

with job(snakemake):
    from pathlib import Path

    from mer_lib import clips, finished, provenance, weights
    from mer_lib.learning.fit import run_folds
    from mer_lib.learning.folds import jobs
    from mer_lib.learning.protocols import make_folds
    from mer_lib.whole import write_csv

    made, out = snakemake.params.made, snakemake.output
    todo = {k: made["options"][k] for k in ("classes", "seeds", "options", "train")}
    folds = make_folds(snakemake.wildcards.protocol, clips.load(snakemake.input.clips))
    group = jobs(folds, snakemake.params.folds_per_job)[int(snakemake.wildcards.group)]
    key = provenance.digest([made, [fold.name for fold in group], provenance.file_digest(snakemake.input)])
    with finished.once(key, *map(Path, out)) as missing:
        if missing:
            named = {"kind": made["options"]["learner"], "name": made["options"]["learner_name"]}
            run = run_folds(samples(snakemake), group, **named, **todo, device=device(snakemake))
            write_csv(run.predictions, out.predictions)
            write_csv(run.curves, out.curves)
            weights.save(out.weights, run.tensors, {**run.meta, "made": made})
