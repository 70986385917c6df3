from _job import device, header, job, shard_rows

with job(snakemake):
    from pathlib import Path

    import numpy as np

    from mer_lib import clips, provenance
    from mer_lib.faces.crop import crop_clip
    from mer_lib.faces.detect import Detector
    from mer_lib.ingest.source import open_source
    from mer_lib.store import write_shard

    options = snakemake.params.made["options"]
    detector = Detector(device(snakemake))
    rows = shard_rows(snakemake)

    def make(row):
        start, stop = clips.interval(row)
        source = open_source(Path(snakemake.params.root, row.source), row.kind)
        face = crop_clip(source, start, stop, detector, **options)
        return {
            "frames": face.frames, "landmarks": face.landmarks, "probability": face.probability,
            "geometry": face.geometry[None], "first": np.array([start]),
        }  # fmt: skip

    media = {file for row in rows for file in provenance.files_below(Path(snakemake.params.root, row.source))}
    contents = provenance.file_digest(media)
    write_shard(snakemake.output[0], header(snakemake, sources=contents), rows, make)
