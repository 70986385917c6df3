from _job import job

with job(snakemake):
    import json
    from pathlib import Path

    from mer_lib import weights
    from mer_lib.evaluation.leaderboard import leaderboard, rows
    from mer_lib.whole import write_csv

    board, given = [], snakemake.params.experiments
    for facts, metrics, model in zip(given, snakemake.input.metrics, snakemake.input.models, strict=True):
        summary = json.loads(Path(metrics).read_text(encoding="utf-8"))
        facts = {**facts, "parameters": weights.card(model)["parameters"]}
        board += rows(summary, synthetic=snakemake.params.synthetic, **facts)
    write_csv(leaderboard(board), snakemake.output[0])
