from _job import job

with job(snakemake):
    import pandas as pd

    from mer_lib import clips
    from mer_lib.problems import COLUMNS, BadInput
    from mer_lib.store import Store
    from mer_lib.whole import write_csv

    rows, left = [pd.read_csv(snakemake.input.index, dtype=str, keep_default_na=False)], None
    for path in snakemake.input.stores:
        with Store(path) as store:
            rows.append(pd.DataFrame([problem.row() for problem in store.problems], columns=COLUMNS))
            if store.header.stage == "features":  # of which an empty set of experiments reads none
                left = (left or 0) + len(store.clips)
    found = pd.concat(rows, ignore_index=True).drop_duplicates()
    unnamed = found["file"] == ""  # a stage below the media knows the clip, not where it came from
    table = clips.load(snakemake.input.clips).set_index("clip")
    media = table["dataset"].map(snakemake.params.roots) + "/" + table["source"]
    found.loc[unnamed, "file"] = found.loc[unnamed, "clip"].map(media).fillna("")
    if left == 0:
        first = found[found["severity"] == "skipped"].iloc[0]
        what = f"no clip is left of {len(found)} problems, the first: clip {first.clip}: {first.what}"
        raise BadInput(what, first.remedy, file=first.file)
    write_csv(found, snakemake.output[0])
