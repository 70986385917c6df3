from _job import job

with job(snakemake):
    from mer_lib.report.collect import collect_depth
    from mer_lib.report.page import write_page

    write_page(snakemake.output[0], collect_depth(**dict(snakemake.input.items())))
