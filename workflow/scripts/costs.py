from _job import job

with job(snakemake):
    from mer_lib.report.costs import below, costs
    from mer_lib.whole import write_csv

    write_csv(costs(below(f"results/{snakemake.wildcards.corpus}/benchmarks")), snakemake.output[0])
