# Corpora: the clip table of each, and the rendering of the embedded one.
# in:  data/{corpus} (a lab's folder), or params.yaml alone for a synthetic corpus
# out: results/{corpus}/clips.csv, results/{corpus}/index_problems.csv; data/{corpus}/{subject}/ (videos, truth.h5)


rule index:
    output:
        clips="results/{corpus}/clips.csv",
        problems="results/{corpus}/index_problems.csv",
    log:
        "logs/{corpus}/index.log",
    benchmark:
        "results/{corpus}/benchmarks/index.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(1000),
    params:
        table=lambda wc: clips.digest(plan(wc.corpus)[0]),
        refused=lambda wc: provenance.digest([problem.row() for problem in plan(wc.corpus)[1]]),
        corpus=lambda wc: KNOWN[wc.corpus].model_dump(),
        root=lambda wc: root(wc.corpus),
        parts=lambda wc: {part.name: root(part.name) for part in parts_of(KNOWN[wc.corpus])},
        limits=SETTINGS.ingest.model_dump(),
    script:
        "../scripts/index.py"


rule render_subject:
    output:
        directory("data/{corpus}/{subject}"),
    log:
        "logs/{corpus}/render/{subject}.log",
    benchmark:
        "results/{corpus}/benchmarks/render/{subject}.tsv"
    wildcard_constraints:
        corpus=either(filter(is_synthetic, KNOWN)),  # a lab's own files are nobody's output
        subject=r"s\d+",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
    params:
        made=made_of_subject,
    script:
        "../scripts/render_subject.py"


rule corpus:
    input:
        [f"results/{c}/clips.csv" for c in CORPORA],
        [f"{root(c)}/{subject}" for c in CORPORA for subject in subjects_of(c)],
