# Corpora: the clip table of each, and the rendering of the embedded one.
# in:  data/{corpus} (a lab's folder), or params.yaml alone for a synthetic corpus
# out: results/{corpus}/clips.csv, results/{corpus}/index_problems.csv; data/{corpus}/{subject}/ (videos, truth.h5)


def is_synthetic(corpus):
    return bool(registry.get("corpus", CORPORA[corpus].adapter).meta.get("synthetic"))


def corpus_modules(wc):
    return ["mer_lib.synth.corpus"] if is_synthetic(wc["corpus"]) else []


def corpus_options(wc):
    return CORPORA[wc["corpus"]].options if is_synthetic(wc["corpus"]) else {}


CORPUS = Stage("corpus", corpus_modules, corpus_options)


def subject_rows(wc):
    table = plan(wc.corpus)[0]
    return table[table["source"].str.startswith(f"{wc.subject}/")]


def sources(wc):
    """What a shard's clips are read from: the files themselves, or the subjects' folders where a rule renders them."""
    found = shards(wc.corpus)[wc.shard]["source"]
    if is_synthetic(wc.corpus):
        found = sorted({source.split("/")[0] for source in found})
    return [os.path.join(root(wc.corpus), source) for source in found]


def subjects_of(corpus):
    return sorted({source.split("/")[0] for source in plan(corpus)[0]["source"]}) if is_synthetic(corpus) else []


rule index:
    output:
        clips="results/{corpus}/clips.csv",
        problems="results/{corpus}/index_problems.csv",
    params:
        table=lambda wc: clips.digest(plan(wc.corpus)[0]),
        corpus=lambda wc: CORPORA[wc.corpus].model_dump(),
        root=lambda wc: root(wc.corpus),
        limits=SETTINGS.ingest.model_dump(),
    log:
        "logs/{corpus}/index.log",
    benchmark:
        "results/{corpus}/benchmarks/index.tsv"
    resources:
        mem_mb=1000,
    script:
        "../scripts/index.py"


rule render_subject:
    input:
        clips=ancient("results/{corpus}/clips.csv"),
    output:
        directory("data/{corpus}/{subject}"),
    params:
        made=CORPUS.made,
        rows=lambda wc: clips.digest(subject_rows(wc)),
    log:
        "logs/{corpus}/render/{subject}.log",
    benchmark:
        "results/{corpus}/benchmarks/render/{subject}.tsv"
    resources:
        mem_mb=1000,
    script:
        "../scripts/render_subject.py"


rule corpus:
    input:
        [f"results/{c}/clips.csv" for c in CORPORA],
        [f"{root(c)}/{subject}" for c in CORPORA for subject in subjects_of(c)],
