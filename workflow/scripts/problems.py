from _job import job

with job(snakemake):
    import pandas as pd

    from mer_lib import clips
    from mer_lib.problems import AUXILIARY, BadInput
    from mer_lib.store import problems_told
    from mer_lib.whole import write_csv

    def told(table, index, *stores, roots):
        rows = clips.load(table).set_index("clip")
        media = rows["dataset"].map(roots) + "/" + rows["source"]
        return problems_told(index, stores, lambda clip: clip.map(media))

    given, params = snakemake.input, snakemake.params
    found, left = told(given.clips, given.index, *given.stores, roots=params.roots)
    if left == 0:
        first = found[found["severity"] == "skipped"].iloc[0]
        what = f"no clip is left of {len(found)} problems, the first: clip {first.clip}: {first.what}"
        raise BadInput(what, first.remedy, file=first.file)
    if given.auxiliary:
        beside, _ = told(*given.auxiliary, roots=params.beside)
        found = pd.concat([found, beside.assign(stage=AUXILIARY + beside["stage"])], ignore_index=True)
    write_csv(found, snakemake.output[0])
