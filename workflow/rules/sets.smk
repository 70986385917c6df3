# Sets of experiments, made when asked for and all by one pattern: `snakemake multiview` (the block of that name),
# `paper_A` … `paper_D` (the block `papers`), `zoo` and `zoo_full` (every network). Each has its own table, comparisons,
# losses, costs and page, with faces from the sides where it reads views, a paper's with the
# published figures beside ours; figures of a paper's own are sections of the report (mer_lib/report/sections).
# in:  what each experiment's rules make
# out: results/{corpus}/saliency/{protocol}/{experiment}.safetensors, for pages that show it;
#      results/{corpus}/{target}/{leaderboard.csv,comparisons.csv,problems.csv,costs.csv,index.html}


use rule leaderboard as set_table with:
    input:
        metrics=in_set(with_oracles, "metrics", "json"),
        models=in_set(models_of),
    output:
        "results/{corpus}/{target}/leaderboard.csv",
    log:
        "logs/{corpus}/{target}/leaderboard.log",
    benchmark:
        "results/{corpus}/benchmarks/{target}/leaderboard.tsv"
    params:
        experiments=in_set(facts_of),
        synthetic=lambda wc: is_synthetic(wc.corpus),
        code=provenance.code_digest("mer_lib.evaluation.leaderboard"),


use rule comparisons as compare_set with:
    input:
        predictions=in_set(with_oracles, "predictions", "csv"),
    output:
        "results/{corpus}/{target}/comparisons.csv",
    log:
        "logs/{corpus}/{target}/comparisons.log",
    benchmark:
        "results/{corpus}/benchmarks/{target}/comparisons.tsv"
    params:
        experiments=in_set(facts_of),
        classes=lambda wc: classes(wc.corpus),
        evaluation=SETTINGS.evaluation.model_dump(),
        code=provenance.code_digest("mer_lib.evaluation.comparisons"),


use rule problems as set_problems with:
    input:
        clips="results/{corpus}/clips.csv",
        index="results/{corpus}/index_problems.csv",
        stores=lambda wc: stores_of(wc, members(wc.target)),
        auxiliary=lambda wc: auxiliary_told(wc, members(wc.target)),
    output:
        "results/{corpus}/{target}/problems.csv",
    log:
        "logs/{corpus}/{target}/problems.log",
    benchmark:
        "results/{corpus}/benchmarks/{target}/problems.tsv"


use rule costs as set_costs with:
    input:
        leaderboard="results/{corpus}/{target}/leaderboard.csv",
        problems="results/{corpus}/{target}/problems.csv",
        curves=in_set(of_corpus, "results/{corpus}/curves/{protocol}/{experiment}.csv"),
        saliency=in_set(saliency_read),
    output:
        "results/{corpus}/{target}/costs.csv",
    log:
        "logs/{corpus}/{target}/costs.log",
    benchmark:
        "results/{corpus}/benchmarks/{target}/costs.tsv"
    params:
        experiments=lambda wc: list(SETS[wc.target]),
        code=provenance.code_digest("mer_lib.report.costs"),


# Of the first job of folds: its models, on the clips that it tested.
rule saliency_maps:
    input:
        features=features_read,
        weights="results/{corpus}/folds/{protocol}/{experiment}/000.safetensors",
        predictions="results/{corpus}/folds/{protocol}/{experiment}/000.predictions.csv",
    output:
        "results/{corpus}/saliency/{protocol}/{experiment}.safetensors",
    log:
        "logs/{corpus}/saliency/{protocol}/{experiment}.log",
    benchmark:
        "results/{corpus}/benchmarks/saliency/{protocol}/{experiment}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(learning_mb),
    params:
        made=SALIENCY.made,
    script:
        "../scripts/saliency.py"


use rule report_page as set_page with:
    input:
        clips="results/{corpus}/clips.csv",
        leaderboard="results/{corpus}/{target}/leaderboard.csv",
        comparisons="results/{corpus}/{target}/comparisons.csv",
        problems="results/{corpus}/{target}/problems.csv",
        costs="results/{corpus}/{target}/costs.csv",
        metrics=in_set(of_corpus, "results/{corpus}/metrics/{protocol}/{experiment}.json"),
        predictions=in_set(of_corpus, "results/{corpus}/predictions/{protocol}/{experiment}.csv"),
        curves=in_set(of_corpus, "results/{corpus}/curves/{protocol}/{experiment}.csv"),
        faces=in_set(seen_from_the_sides, "faces"),
        depth=in_set(seen_from_the_sides, "depth"),
        views=in_set(seen_from_the_sides, "multiview/views/onset_apex"),
        attention=in_set(attention_tables),
        maps=in_set(attention_maps),
        saliency=in_set(saliency_read),
    output:
        "results/{corpus}/{target}/index.html",
    log:
        "logs/{corpus}/{target}/page.log",
    benchmark:
        "results/{corpus}/benchmarks/{target}/page.tsv"
    params:
        examples=0,
        sides=SETTINGS.report.views,
        synthetic=lambda wc: is_synthetic(wc.corpus),
        experiments=lambda wc: members(wc.target)(wc.corpus),
        settings=described(),
        resolved=in_set(resolved),
        baselines=[],
        topic=lambda wc: wc.target.replace("_", " "),
        paper=lambda wc: wc.target.removeprefix("paper_") if wc.target.startswith("paper_") else "",
        code=page_code(),


rule paper_A:
    input:
        [f"results/{c}/paper_A/index.html" for c in CORPORA],


rule paper_B:
    input:
        [f"results/{c}/paper_B/index.html" for c in CORPORA],


rule paper_C:
    input:
        [f"results/{c}/paper_C/index.html" for c in CORPORA],


rule paper_D:
    input:
        [f"results/{c}/paper_D/index.html" for c in CORPORA],


rule zoo:
    input:
        [f"results/{c}/zoo/index.html" for c in CORPORA],


rule zoo_full:
    input:
        [f"results/{c}/zoo_full/index.html" for c in CORPORA],
