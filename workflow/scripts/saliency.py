from _job import job, opened

with job(snakemake):
    from mer_lib import weights
    from mer_lib.evaluation.predictions import read
    from mer_lib.learning.saliency import of_fold

    given = snakemake.input
    features, (tensors, card) = opened(snakemake, "features", given.features), weights.load(given.weights)
    arrays, told = of_fold(tensors, card, read(given.predictions), lambda clip: features.read(clip, "x")[0])
    weights.save(snakemake.output[0], arrays, {**told, "made": snakemake.params.made})
