# How methods do on faces that are turned away: a curve over yaw for each experiment that tests views. `snakemake multiview`
# makes the set of experiments of that name (sets.smk) and their curves.
# in:  results/{corpus}/metrics/{protocol}/{experiment}.json
# out: results/{corpus}/yaw/{protocol}/{experiment}.csv


rule yaw_curve:
    input:
        "results/{corpus}/metrics/{protocol}/{experiment}.json",
    output:
        "results/{corpus}/yaw/{protocol}/{experiment}.csv",
    log:
        "logs/{corpus}/yaw/{protocol}/{experiment}.log",
    benchmark:
        "results/{corpus}/benchmarks/yaw/{protocol}/{experiment}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(500),
    params:
        code=provenance.code_digest("mer_lib.evaluation.yaw"),
    script:
        "../scripts/yaw.py"


rule multiview:
    input:
        [f"results/{c}/multiview/index.html" for c in filmed()],
        yaw_curves(members("multiview")),
