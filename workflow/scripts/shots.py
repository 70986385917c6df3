from _job import device, header, job, shard_rows

with job(snakemake):
    from pathlib import Path

    from mer_lib import provenance
    from mer_lib.faces.detect import Detector
    from mer_lib.store import write_shard
    from mer_lib.synth import sitters

    options, roots = dict(snakemake.params.made["options"]), snakemake.params.roots
    shots, of_scan = options.pop("shots"), options.pop("shots_a_scan")
    studio = sitters.Studio(Detector(device(snakemake)), **options)

    def make(row):
        if row.set:
            return sitters.scanned(row.clip, [Path(roots[row.set], scan) for scan in row.scans], of_scan, studio)
        return sitters.sitter(row.clip, shots, studio)

    contents = provenance.file_digest(snakemake.input.scans)
    write_shard(snakemake.output[0], header(snakemake, scans=contents), shard_rows(snakemake), make)
