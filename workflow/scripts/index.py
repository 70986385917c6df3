from _job import job

with job(snakemake):
    import pandas as pd

    from mer_lib import clips
    from mer_lib.corpora import forgotten, indexing
    from mer_lib.ingest.measure import measure
    from mer_lib.params import Corpus
    from mer_lib.problems import COLUMNS
    from mer_lib.whole import write_csv

    given = snakemake.params
    corpus, roots = Corpus(**given.corpus), given.parts.__getitem__
    asked = (corpus, given.root, ".mer/index", measure, roots, forgotten.read())
    table, problems = indexing.index(*asked, **given.limits)
    clips.save(table, snakemake.output.clips)
    write_csv(pd.DataFrame([p.row() for p in problems], columns=COLUMNS), snakemake.output.problems)
