from _job import device, header, job, shard_rows

with job(snakemake):
    from pathlib import Path

    import numpy as np

    from mer_lib import clips, provenance
    from mer_lib.faces.crop import crop_clip
    from mer_lib.faces.detect import Detector
    from mer_lib.ingest.source import open_source
    from mer_lib.problems import BadInput
    from mer_lib.store import write_shard

    given, rows, detector = snakemake.params, shard_rows(snakemake), Detector(device(snakemake))

    def place(row):
        return Path(given.roots[row.clip.split("/")[0]], row.source)

    def make(row):
        start, stop = clips.interval(row)
        if stop - start > given.max_frames:
            raise BadInput(f"an interval of {stop - start} frames", "raise ingest.max_frames to have it in memory")
        face = crop_clip(open_source(place(row), row.kind), start, stop, detector, **given.made["options"])
        return {
            "frames": face.frames, "landmarks": face.landmarks, "probability": face.probability,
            "geometry": face.geometry[None], "first": np.array([start]),
        }  # fmt: skip

    contents = provenance.file_digest({file for row in rows for file in provenance.files_below(place(row))})
    write_shard(snakemake.output[0], header(snakemake, sources=contents), rows, make)
