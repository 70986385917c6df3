# Corpora: the clip table of each, and the rendering of the embedded one.
# in:  data/{corpus} (a lab's folder), or params.yaml alone for a synthetic corpus
# out: results/{corpus}/clips.csv, results/{corpus}/index_problems.csv; data/{corpus}/{subject}/ (videos, truth.h5)


def is_synthetic(corpus):
    return bool(registry.get("corpus", CORPORA[corpus].adapter).meta.get("synthetic"))


def corpus_modules(wc):
    return ["mer_lib.synth.corpus"] if is_synthetic(wc["corpus"]) else []


def corpus_options(wc):
    """What a rendered clip depends on beside its row of the table."""
    options = CORPORA[wc["corpus"]].options if is_synthetic(wc["corpus"]) else {}
    return {name: options[name] for name in ("seed", "size", "strength") if name in options}


CORPUS = Stage("corpus", corpus_modules, corpus_options)


def made_of_subject(wc):
    table = plan(wc.corpus)[0]
    rows = table[table["source"].str.startswith(f"{wc.subject}/")]
    return CORPUS.made(wc) | {"shard": wc.subject, "rows": clips.digest(rows)}


def sources(wc):
    """What a shard's clips are read from: the files themselves, or the subjects' folders where a rule renders them."""
    found = shards(wc.corpus)[wc.shard]["source"]
    if is_synthetic(wc.corpus):
        found = sorted({source.split("/")[0] for source in found})
    return [os.path.join(root(wc.corpus), source) for source in found]


def subjects_of(corpus):
    return (
        sorted({source.split("/")[0] for source in plan(corpus)[0]["source"]})
        if is_synthetic(corpus)
        else []
    )


rule index:
    output:
        clips="results/{corpus}/clips.csv",
        problems="results/{corpus}/index_problems.csv",
    log:
        "logs/{corpus}/index.log",
    benchmark:
        "results/{corpus}/benchmarks/index.tsv"
    resources:
        mem_mb=1000,
    params:
        table=lambda wc: clips.digest(plan(wc.corpus)[0]),
        corpus=lambda wc: CORPORA[wc.corpus].model_dump(),
        root=lambda wc: root(wc.corpus),
        limits=SETTINGS.ingest.model_dump(),
    script:
        "../scripts/index.py"


rule render_subject:
    input:
        clips=ancient("results/{corpus}/clips.csv"),
    output:
        directory("data/{corpus}/{subject}"),
    log:
        "logs/{corpus}/render/{subject}.log",
    benchmark:
        "results/{corpus}/benchmarks/render/{subject}.tsv"
    wildcard_constraints:
        corpus="|".join(filter(is_synthetic, CORPORA)) or "-",  # a lab's own files are nobody's output
        subject=r"s\d+",
    resources:
        mem_mb=1000,
    params:
        made=made_of_subject,
    script:
        "../scripts/render_subject.py"


rule corpus:
    input:
        [f"results/{c}/clips.csv" for c in CORPORA],
        [f"{root(c)}/{subject}" for c in CORPORA for subject in subjects_of(c)],
