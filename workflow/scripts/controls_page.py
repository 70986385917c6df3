from _job import job

with job(snakemake):
    from mer_lib.report.collect import collect_controls
    from mer_lib.report.page import write_page

    data = collect_controls(
        snakemake.wildcards.corpus, synthetic=snakemake.params.synthetic, **dict(snakemake.input.items())
    )
    write_page(snakemake.output[0], data)
