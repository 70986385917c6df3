from _job import header, job

with job(snakemake):
    from mer_lib import clips
    from mer_lib.synth.corpus import write_subject

    table, subject = clips.load(snakemake.input.clips), snakemake.wildcards.subject
    rows = table[table["source"].str.startswith(f"{subject}/")]
    write_subject(snakemake.output[0], rows, header(snakemake), **snakemake.params.made["options"])
