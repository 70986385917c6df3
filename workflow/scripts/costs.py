from _job import job

with job(snakemake):
    from mer_lib.report.costs import below, costs, of
    from mer_lib.whole import write_csv

    table, experiments = costs(below(f"results/{snakemake.wildcards.corpus}/benchmarks")), snakemake.params.experiments
    write_csv(table if experiments is None else of(table, experiments), snakemake.output[0])
