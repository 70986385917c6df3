from _job import device, job

with job(snakemake):
    import json

    import pandas as pd

    from mer_lib import problems, provenance, weights
    from mer_lib.geometry import depth_fit
    from mer_lib.geometry.depth_show import pictures
    from mer_lib.whole import write_csv, write_text

    made, given, out = snakemake.params.made, snakemake.input, snakemake.output
    options = {k: v for k, v in made["options"].items() if k not in ("imagenet", "people", "crop")}
    imagenet = str(given.imagenet) if given.imagenet else ""
    with depth_fit.Shots(given.shots, made["above"]["shots"]) as shots:
        fitted = depth_fit.fit(shots, **options, imagenet=imagenet, device=device(snakemake))
        stored = [problem.row() for store in shots.stores for problem in store.problems]
        weights.save(out.pictures, *pictures(shots, fitted, **made["options"]["crop"]))
    write_csv(pd.DataFrame(stored, columns=problems.COLUMNS), out.problems)
    write_csv(pd.DataFrame(fitted.curve), out.curve)
    write_text(json.dumps(fitted.figures, indent=2) + "\n", out.metrics)
    card = {**fitted.model.card, "figures": fitted.figures, "made": made, "versions": provenance.versions()}
    weights.save(out.model, fitted.tensors(), card)
