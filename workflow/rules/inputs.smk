# What the rules read: input functions and params, from the settings, the plan of each corpus (common.smk) and the stages
# (stages.smk). Helpers only, no rules.


def made_of_shots(wc):
    made = SHOTS.planned({"corpus": params.RESERVED})
    return {**made, "shard": wc.shard, "rows": sitter_shards()[wc.shard]}


def scans_of(wc):
    """The files of the scans of a shard."""
    return [os.path.join(root(s["set"]), scan) for s in sitter_shards()[wc.shard] for scan in s["scans"]]


def learning_mb(wc):
    """Memory of a learning job in MB. A network's weights, their gradients and what Adam keeps of both are 16 bytes a
    parameter, which exceeds 2 GB for the largest; beside them stands what it keeps of each sample of a batch. A
    classifier and a small network need the rest alone."""
    declared, views = learner_of(wc.experiment).meta, len(SETTINGS.views.yaws) if reads_views(dict(wc)) else 0
    samples = len(plan(wc.corpus)[0]) * (1 + views)
    batch = min(samples, NAMED[wc.experiment].train.batch) * declared.get("sample_mb", 0)
    return 2000 + 16 * (declared.get("parameters") or 0) // 10**6 + batch


def made_of_subject(wc):
    return CORPUS.made(wc) | {"shard": wc.subject, "rows": clips.records(subjects_of(wc.corpus)[wc.subject])}


def pipeline_of(wc):
    """What `mer predict` must do to a clip before the model sees it: the options of every stage above, by stage."""
    descriptor = NAMED[wc.experiment].descriptor
    return SETTINGS.pipeline(descriptor, pairs_read(descriptor) or "onset_apex")  # which it shows anyway


def media(wc):
    """What a shard's clips are read from: the files themselves, or the subjects' folders where a rule renders them."""
    rows, folders = shards(wc.corpus)[wc.shard], roots(wc.corpus)
    found = [os.path.join(folders[dataset], source) for dataset, source in zip(rows["dataset"], rows["source"])]
    if is_synthetic(wc.corpus):
        found = [os.path.join(root(wc.corpus), Path(source).parts[0]) for source in rows["source"]]
    return list(dict.fromkeys(found))


def sources(wc):
    """Of these the inputs of a rule: Snakemake takes a brace in a name for a wildcard, so such media are digested only."""
    return [path for path in media(wc) if not set("{}") & set(path)]


def media_digest(wc):
    """Sizes and times of a shard's media: a file replaced by an older one, or a frame inside a folder, is a change that
    Snakemake does not see."""
    return None if is_synthetic(wc.corpus) else provenance.stat_digest(media(wc))


def spotted_apex(wc):
    """The spotted apexes of a shard, where it needs them."""
    needed = wc.pairs != "frames" and wc.shard in lacking_apex(wc.corpus)
    return f"results/{wc.corpus}/apex/{wc.shard}.csv" if needed else []


def motion_of(wc):
    pairs = pairs_read(wc.descriptor)
    return f"results/{wc.corpus}/motion/{pairs}/{wc.shard}.h5" if pairs else []


def registered_of(wc):
    return f"results/{wc.corpus}/registered/{wc.shard}.h5" if "registered" in reads(wc.descriptor) else []


def motion_of_view(wc):
    pairs = pairs_read(wc.descriptor)
    return f"results/{wc.corpus}/multiview/motion/{pairs}/{wc.shard}.h5" if pairs else []


def registered_of_view(wc):
    """A descriptor that reads frames reads all of them."""
    return f"results/{wc.corpus}/multiview/registered/frames/{wc.shard}.h5" if registered_of(wc) else []


def all_pairs_read(descriptors):
    """The pairs whose motion these descriptors read."""
    return sorted({pairs_read(descriptor) for descriptor in descriptors} - {None})


def motion_read():
    """The motion stores that the chosen experiments read, and the joined apexes where some were spotted."""
    read = [(c, p) for c in filmed() for p in all_pairs_read(descriptors_read(c))]
    stores = [f"results/{c}/motion/{p}/{shard}.h5" for c, p in read for shard in shards(c)]
    return stores + [f"results/{c}/apex.csv" for c in filmed()]


def attention_read(wc):
    """What attention says of the training views of a job's folds, where its protocol asks."""
    judged = f"results/{wc.corpus}/attention/{wc.protocol}/{wc.group}.csv"
    return judged if trains_on(wc.protocol) == "attended" else []


def attention_tables(chosen):
    """An input function: what attention says of views under each of the protocols that ask."""
    return lambda wc: [f"results/{wc.corpus}/attention/{p}.csv" for p in attended(wc.corpus, chosen)]


def attention_maps(chosen):
    """An input function: where the networks of these protocols' folds look, a file a job."""
    pattern = "results/{corpus}/attention/{protocol}/{group}.safetensors"
    return lambda wc: [
        pattern.format(corpus=wc.corpus, protocol=p, group=g)
        for p in attended(wc.corpus, chosen)
        for g in groups(wc.corpus, p)
    ]


def saliency_read(chosen):
    """An input function: what speaks for the answers of the experiments that a page shows it of, under the first protocol
    of each."""
    pattern = "results/{corpus}/saliency/{protocol}/{experiment}.safetensors"
    first = lambda corpus: {e: p for p, e in reversed(chosen(corpus)) if e in SETTINGS.report.saliency}
    return lambda wc: [pattern.format(corpus=wc.corpus, protocol=p, experiment=e) for e, p in first(wc.corpus).items()]


def stores_of(wc, chosen=scored):
    """Every store of a corpus that may have lost a clip of the chosen experiments, in the order of the staircase."""
    asked = sorted({NAMED[name].descriptor for _, name in chosen(wc.corpus)} | looked_at(wc.corpus, chosen))
    read = descriptors_read(wc.corpus) if chosen is scored else asked
    stages = [*stages_below(wc.corpus, read), *stages_of_views(wc.corpus, chosen)]
    return [f"results/{wc.corpus}/{stage}/{shard}.h5" for stage in stages for shard in shards(wc.corpus)]


def stages_below(corpus, read):
    """The folders of the stages that lead to these descriptors of recordings, in the order of the staircase."""
    motion = [f"motion/{pairs}" for pairs in all_pairs_read(read)]
    below = ["faces", "registered", *motion] if corpus in filmed(KNOWN) else []
    return [*below, *(f"features/{descriptor}" for descriptor in read)]


def read_of_auxiliary(names):
    """The descriptors of auxiliary clips that these experiments' networks ask for."""
    return sorted({NAMED[name].descriptor for name in names if asks_for_auxiliary(name)})


def auxiliary_features(names):
    """The joined features of auxiliary clips that these experiments read."""
    return [f"results/{AUXILIARY}/features/{descriptor}.h5" for descriptor in read_of_auxiliary(names)]


def auxiliary_told(wc, chosen=scored):
    """Table, problems of the sheet and stores of the auxiliary corpus, where an experiment of a corpus learns from it."""
    read = read_of_auxiliary(name for _, name in chosen(wc.corpus)) if wc.corpus != AUXILIARY else []
    stores = (
        [f"{stage}/{shard}.h5" for stage in stages_below(AUXILIARY, read) for shard in shards(AUXILIARY)]
        if read
        else []
    )
    tables = ["clips.csv", "index_problems.csv"] if read else []
    return [f"results/{AUXILIARY}/{name}" for name in (*tables, *stores)]


def read_from_the_sides(corpus, chosen):
    """The descriptors of generated views that the chosen experiments read."""
    return sorted({NAMED[name].descriptor for protocol, name in chosen(corpus) if of_views(protocol)})


def stages_of_views(corpus, chosen):
    """The folders of the views' stages that the chosen experiments read, in the order of the staircase."""
    read = read_from_the_sides(corpus, chosen)
    pairs = all_pairs_read(read)
    kept = sorted({*map(rendered, pairs), *("frames" for descriptor in read if "registered" in reads(descriptor))})
    judged = ["onset_apex"] if attended(corpus, chosen) else []  # attention looks at them, whatever is read of views
    made = [
        *(f"views/{p}" for p in sorted({*kept, *judged})),
        *(f"registered/{p}" for p in kept),
        *(f"motion/{p}" for p in pairs),
    ]
    return [
        *(["depth"] if read else []),
        *(f"multiview/{stage}" for stage in (*made, *(f"features/{d}" for d in read))),
    ]


def views_made():
    """What of generated views the chosen experiments and the report's examples read."""
    read = [(c, stage, shard) for c in filmed() for stage in stages_of_views(c, scored) for shard in shards(c)]
    whole = [f"results/{c}/multiview/features/{d}.h5" for c in filmed() for d in read_from_the_sides(c, scored)]
    sides = ("depth", "multiview/views/onset_apex")
    shown = [(c, stage, shard) for c in filmed() for stage in sides for shard in shown_shards(c, SETTINGS.report.views)]
    return [*(f"results/{c}/{stage}/{shard}.h5" for c, stage, shard in dict.fromkeys([*read, *shown])), *whole]


def recipe_of_features(wc):
    """What the shards of a descriptor share, and the file that joins them keeps."""
    return features_stage(dict(wc)).planned(dict(wc))["recipe"]


def shards_of_features(wc):
    return [f"results/{wc.corpus}/features/{wc.descriptor}/{shard}.h5" for shard in shards(wc.corpus)]


def features_read(wc):
    return f"results/{wc.corpus}/features/{NAMED[wc.experiment].descriptor}.h5"


def views_read(wc):
    """The features of generated views, for the training jobs that read them."""
    named = f"results/{wc.corpus}/multiview/features/{NAMED[wc.experiment].descriptor}.h5"
    return named if reads_views(dict(wc)) else []


def auxiliary_read(wc):
    """Table and features of the auxiliary corpus, where the experiment's network asks for one."""
    names = ["clips.csv", f"features/{NAMED[wc.experiment].descriptor}.h5"]
    return [f"results/{AUXILIARY}/{name}" for name in names] if asks_for_auxiliary(wc.experiment) else []


def joined(what):
    """An input function: one file a group of folds."""
    pattern = f"results/{{corpus}}/folds/{{protocol}}/{{experiment}}/{{group}}.{what}"
    return lambda wc: expand(pattern, group=groups(wc.corpus, wc.protocol), **dict(wc))


def of_corpus(pattern, chosen=scored):
    """An input function: the pattern once a scored experiment (or ``chosen``) and protocol of the corpus."""
    return lambda wc: [pattern.format(corpus=wc.corpus, protocol=p, experiment=e) for p, e in chosen(wc.corpus)]


def trained(pattern, chosen=scored):
    """The pattern once a scored experiment (or ``chosen``) and protocol of each corpus."""
    found = [pattern.format(corpus=c, protocol=p, experiment=e) for c in CORPORA for p, e in chosen(c)]
    return list(dict.fromkeys(found))


def with_oracles(folder, ending, chosen):
    """An input function: metrics or predictions of the chosen experiments, and then of those that have an oracle."""
    pattern = f"results/{{corpus}}/{folder}/{{protocol}}/{{experiment}}"
    honest, oracle = of_corpus(f"{pattern}.{ending}", chosen), of_corpus(f"{pattern}@oracle.{ending}", recorded(chosen))
    return lambda wc: honest(wc) + oracle(wc)


def models_of(chosen):
    """An input function: the models of the same experiments in the same order."""
    pattern = "results/{corpus}/models/{experiment}.safetensors"
    return lambda wc: of_corpus(pattern, chosen)(wc) + of_corpus(pattern, recorded(chosen))(wc)


def facts_of(chosen):
    """A param: what a leaderboard says of the same experiments in the same order, beside their figures."""

    def fact(protocol, name):
        experiment = NAMED[name]
        return {
            "experiment": name,
            "method": experiment.method,
            "protocol": protocol,
            "selection": experiment.selection,
            "control": experiment.train.control != "none" or learner_of(name).meta.get("control", False),
            "quick": registry.get("protocol", protocol).meta.get("quick", False),
            "baseline": experiment.baseline,
            "subject_disjoint": registry.get("protocol", protocol).meta["subject_disjoint"],
        }

    def facts(wc):
        found = [fact(*pair) for pair in chosen(wc.corpus)]
        kept = [fact(*pair) for pair in recorded(chosen)(wc.corpus)]
        return found + [{**fact, "experiment": f"{fact['experiment']}@oracle", "selection": "oracle"} for fact in kept]

    return facts


def yaw_curves(chosen):
    """The curve over yaw of each of the chosen experiments under each protocol that tests views."""
    tested = lambda corpus: [(p, e) for p, e in chosen(corpus) if tests_on(p) != "original"]
    return trained("results/{corpus}/yaw/{protocol}/{experiment}.csv", tested)


def example_stores(stage, wanted=SETTINGS.report.examples):
    """An input function: the stores of a stage that the report shows clips of."""
    return lambda wc: [f"results/{wc.corpus}/{stage}/{shard}.h5" for shard in shown_shards(wc.corpus, wanted)]


def seen_from_the_sides(stage, chosen):
    """An input function: the stores of a stage that a page shows faces from the sides of, where its experiments read views."""
    shown = example_stores(stage, SETTINGS.report.views)
    return lambda wc: shown(wc) if read_from_the_sides(wc.corpus, chosen) else []


def shown_shards(corpus, wanted):
    """As many shards as clips are wanted, spread over the corpus; none where nothing moves."""
    names = list(shards(corpus)) if corpus in filmed() else []
    return names[:: max(1, len(names) // max(1, wanted))][:wanted]


def page_code():
    """The digest of what makes a page of the report."""
    sections = (entry.module for entry in registry.entries("section").values())
    return provenance.code_digest("mer_lib.report.collect", "mer_lib.report.page", *sections)


def described():
    """The settings in force, as the report shows them."""
    return yaml.safe_dump(SETTINGS.model_dump(mode="json"), sort_keys=False)


def resolved(chosen):
    """A param: each of the chosen experiments by name, everything filled in, as JSON."""
    return lambda wc: {name: NAMED[name].model_dump_json() for _, name in chosen(wc.corpus)}
