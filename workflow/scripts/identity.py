from _job import job, samples

with job(snakemake):
    import json

    from mer_lib.learning.controls import identity
    from mer_lib.whole import write_text

    found = identity(samples(snakemake), **snakemake.params.made["options"])
    told = {"descriptor": snakemake.wildcards.descriptor, **found}
    write_text(json.dumps(told, indent=2) + "\n", snakemake.output[0])
