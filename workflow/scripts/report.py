from _job import job

with job(snakemake):
    from mer_lib.report.collect import collect
    from mer_lib.report.page import write_page

    given, files = snakemake.params, snakemake.input
    experiments = [tuple(pair) for pair in given.experiments]
    data = collect(
        snakemake.wildcards.corpus, experiments, synthetic=given.synthetic, settings=given.settings,
        tables={name: files[name] for name in ("clips", "leaderboard", "comparisons", "problems", "costs")},
        metrics=files.metrics, predictions=files.predictions, curves=files.curves,
        registered=files.registered, motion=files.motion, examples=given.examples, baselines=given.baselines,
    )  # fmt: skip
    write_page(snakemake.output[0], data)
