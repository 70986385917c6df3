# Report: one self-contained page a corpus, what each stage cost, and the run's last word.
# in:  metrics, leaderboard, predictions, curves, problems; a few clips' registered frames and motion
# out: results/{corpus}/report/index.html, results/{corpus}/costs.csv, results/{corpus}/summary.txt


# What it counts must be over: the table is read from the benchmark files that are there.
rule costs:
    input:
        leaderboard="results/{corpus}/leaderboard.csv",
        problems="results/{corpus}/problems.csv",
        curves=of_corpus("results/{corpus}/curves/{protocol}/{experiment}.csv"),
    output:
        "results/{corpus}/costs.csv",
    log:
        "logs/{corpus}/costs.log",
    benchmark:
        "results/{corpus}/benchmarks/costs.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(500),
    params:
        experiments=None,  # all
        code=provenance.code_digest("mer_lib.report.costs"),
    script:
        "../scripts/costs.py"


rule report_page:
    input:
        clips="results/{corpus}/clips.csv",
        leaderboard="results/{corpus}/leaderboard.csv",
        comparisons="results/{corpus}/comparisons.csv",
        problems="results/{corpus}/problems.csv",
        costs="results/{corpus}/costs.csv",
        metrics=of_corpus("results/{corpus}/metrics/{protocol}/{experiment}.json"),
        predictions=of_corpus("results/{corpus}/predictions/{protocol}/{experiment}.csv"),
        curves=of_corpus("results/{corpus}/curves/{protocol}/{experiment}.csv"),
        registered=example_stores("registered"),
        motion=example_stores("motion/onset_apex"),
        faces=example_stores("faces", SETTINGS.report.views),
        depth=example_stores("depth", SETTINGS.report.views),
        views=example_stores("multiview/views/onset_apex", SETTINGS.report.views),
        attention=attention_tables(scored),
        maps=attention_maps(scored),
    output:
        report(
            "results/{corpus}/report/index.html",
            caption="../report/page.rst",
            category="{corpus}",
        ),
    log:
        "logs/{corpus}/report.log",
    benchmark:
        "results/{corpus}/benchmarks/report.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(1500),
    params:
        examples=SETTINGS.report.examples,
        sides=SETTINGS.report.views,
        synthetic=lambda wc: is_synthetic(wc.corpus),
        experiments=lambda wc: scored(wc.corpus),
        settings=described(),
        resolved=resolved(scored),
        baselines=[name for name, experiment in EXPERIMENTS.items() if experiment.baseline],
        topic="",
        paper="",
        code=page_code(),
    script:
        "../scripts/report.py"


rule summary:
    input:
        clips="results/{corpus}/clips.csv",
        problems="results/{corpus}/problems.csv",
        predictions=of_corpus("results/{corpus}/predictions/{protocol}/{experiment}.csv"),
        page="results/{corpus}/report/index.html",
    output:
        "results/{corpus}/summary.txt",
    log:
        "logs/{corpus}/summary.log",
    benchmark:
        "results/{corpus}/benchmarks/summary.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(500),
    params:
        strict=SETTINGS.problems.strict,
        experiments=lambda wc: scored(wc.corpus),
        code=provenance.code_digest("mer_lib.problems", "mer_lib.evaluation.predictions"),
    script:
        "../scripts/summary.py"


rule reports:
    input:
        [f"results/{c}/report/index.html" for c in CORPORA],
        [f"results/{c}/summary.txt" for c in CORPORA],
