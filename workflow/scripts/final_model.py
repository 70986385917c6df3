from _job import auxiliary, device, job, samples

with job(snakemake):
    from mer_lib import provenance, registry, weights
    from mer_lib.learning.fit import fit_all
    from mer_lib.learning.protocols import labelled_clips

    made, given = snakemake.params.made, snakemake.params
    options, found = made["options"], samples(snakemake)
    named = {"kind": options["learner"], "name": options["learner_name"], "classes": options["classes"]}
    todo = {"options": options["options"], "train": options["train"], "seed": options["seeds"][0]}
    fitted = fit_all(found, **named, **todo, device=device(snakemake), auxiliary=auxiliary(snakemake))
    learnt, spent = labelled_clips(found.table), {"parameters": None, "flops": None}
    if named["kind"] == "model":
        from mer_lib.learning.costs import costs

        method = registry.get("model", named["name"])
        spent = costs(method, len(named["classes"]), options["options"], found.x.shape[1:])
    card = {
        "made": made, "pipeline": given.pipeline, "synthetic": given.synthetic, **spent,
        "experiment": snakemake.wildcards.experiment, "corpus": made["corpus"], "clips": len(learnt),
        "subjects": int(learnt["subject"].nunique()), "versions": provenance.versions(),
    }  # fmt: skip
    weights.save(snakemake.output[0], fitted.state, {**fitted.meta, **card})
