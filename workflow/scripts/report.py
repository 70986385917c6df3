from _job import job

with job(snakemake):
    from mer_lib.report.collect import collect
    from mer_lib.report.page import write_page

    given, files = snakemake.params, dict(snakemake.input.items())
    experiments = [tuple(pair) for pair in given.experiments]
    tables = ("clips", "leaderboard", "comparisons", "problems", "costs")
    data = collect(
        snakemake.wildcards.corpus, experiments, synthetic=given.synthetic, settings=given.settings,
        resolved=given.resolved,
        tables={name: files.pop(name) for name in tables if name in files}, examples=given.examples, sides=given.sides,
        baselines=given.baselines, topic=given.topic, paper=given.paper, **files,
    )  # fmt: skip
    write_page(snakemake.output[0], data)
