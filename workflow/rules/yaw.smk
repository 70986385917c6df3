# How methods do on faces that are turned away: a curve over yaw for each experiment that tests views, and what
# `snakemake multiview` makes: the experiments of the block `multiview`, their table, comparisons and page.
# in:  results/{corpus}/metrics/{protocol}/{experiment}.json and what a report reads
# out: results/{corpus}/yaw/{protocol}/{experiment}.csv; results/{corpus}/multiview/{leaderboard.csv,comparisons.csv,
#      problems.csv,index.html}


rule yaw_curve:
    input:
        "results/{corpus}/metrics/{protocol}/{experiment}.json",
    output:
        "results/{corpus}/yaw/{protocol}/{experiment}.csv",
    log:
        "logs/{corpus}/yaw/{protocol}/{experiment}.log",
    benchmark:
        "results/{corpus}/benchmarks/yaw/{protocol}/{experiment}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=500,
    params:
        code=provenance.code_digest("mer_lib.evaluation.yaw"),
    script:
        "../scripts/yaw.py"


use rule leaderboard as leaderboard_of_views with:
    input:
        metrics=with_oracles("metrics", "json", turned),
        models=models_of(turned),
    output:
        "results/{corpus}/multiview/leaderboard.csv",
    log:
        "logs/{corpus}/multiview/leaderboard.log",
    benchmark:
        "results/{corpus}/benchmarks/multiview/leaderboard.tsv"
    params:
        experiments=facts_of(turned),
        synthetic=lambda wc: is_synthetic(wc.corpus),
        code=provenance.code_digest("mer_lib.evaluation.leaderboard"),


use rule comparisons as compare_views with:
    input:
        predictions=with_oracles("predictions", "csv", turned),
    output:
        "results/{corpus}/multiview/comparisons.csv",
    log:
        "logs/{corpus}/multiview/comparisons.log",
    benchmark:
        "results/{corpus}/benchmarks/multiview/comparisons.tsv"
    params:
        experiments=facts_of(turned),
        classes=lambda wc: classes(wc.corpus),
        evaluation=SETTINGS.evaluation.model_dump(),
        code=provenance.code_digest("mer_lib.evaluation.comparisons"),


use rule problems as problems_of_views with:
    input:
        clips="results/{corpus}/clips.csv",
        index="results/{corpus}/index_problems.csv",
        stores=lambda wc: stores_of(wc, turned),
    output:
        "results/{corpus}/multiview/problems.csv",
    log:
        "logs/{corpus}/multiview/problems.log",
    benchmark:
        "results/{corpus}/benchmarks/multiview/problems.tsv"


use rule report_page as multiview_page with:
    input:
        clips="results/{corpus}/clips.csv",
        leaderboard="results/{corpus}/multiview/leaderboard.csv",
        comparisons="results/{corpus}/multiview/comparisons.csv",
        problems="results/{corpus}/multiview/problems.csv",
        metrics=of_corpus("results/{corpus}/metrics/{protocol}/{experiment}.json", turned),
        predictions=of_corpus("results/{corpus}/predictions/{protocol}/{experiment}.csv", turned),
        curves=of_corpus("results/{corpus}/curves/{protocol}/{experiment}.csv", turned),
        faces=example_stores("faces", SETTINGS.report.views),
        depth=example_stores("depth", SETTINGS.report.views),
        views=example_stores("multiview/views/onset_apex", SETTINGS.report.views),
        attention=attention_tables(turned),
        maps=attention_maps(turned),
    output:
        "results/{corpus}/multiview/index.html",
    log:
        "logs/{corpus}/multiview/page.log",
    benchmark:
        "results/{corpus}/benchmarks/multiview/page.tsv"
    params:
        examples=SETTINGS.report.examples,
        sides=SETTINGS.report.views,
        synthetic=lambda wc: is_synthetic(wc.corpus),
        experiments=lambda wc: turned(wc.corpus),
        settings=described(),
        baselines=[],
        topic="faces seen from the sides",
        paper="",
        code=page_code(),


rule multiview:
    input:
        [f"results/{c}/multiview/index.html" for c in filmed()],
        yaw_curves(turned),
