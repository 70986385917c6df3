"""What the array store costs: precision, size and speed of optical flow in HDF5, and how fast training reads features.

    python benchmarks/store.py

Flow is measured with DIS on pairs rendered from the embedded faces and written as the store would with each precision,
filter and chunk; features of 28×28×3 are read from a joined store as a training job does. All on one core.
Last line: JSON (samples_per_s, float16_max_error_px, float16_size, chosen).
"""

import argparse
import json
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path

import h5py
import numpy as np

from mer_lib.motion.flow import compute
from mer_lib.motion.pairs import STORED
from mer_lib.store import Header, Store, join_shards, write_shard
from mer_lib.synth.pairs import exact_pairs

Row = namedtuple("Row", "clip")
FILTERS = {
    "none": {},
    "lzf": {"compression": "lzf"},
    "shuffle, lzf": {"compression": "lzf", "shuffle": True},
    "shuffle, gzip 1": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "shuffle, gzip 4": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
}
CHOSEN = (np.dtype(STORED).name, "shuffle, gzip 1", 1)  # what mer_lib/store.py does with flow of 128×128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=48, help="pairs of frames (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=20_000, help="feature samples (default: %(default)s)")
    given = parser.parse_args()
    print("rendering and measuring flow …", file=sys.stderr)
    rendered = exact_pairs(given.pairs, amount=2.0, seed=5)
    flow = compute(*rendered.grey, flow="dis")
    with tempfile.TemporaryDirectory() as folder:
        table = list(layouts(flow, Path(folder)))
        rate = reading(given.samples, Path(folder))
    error = np.abs(flow.astype(np.float16).astype(np.float32) - flow)
    print(f"flow of {len(flow)} pairs, 128×128, embedded (rendered) faces; largest {np.abs(flow).max():.2f} px")
    print(f"float16: largest error {error.max():.5f} px, rms {np.sqrt(np.square(error).mean()):.6f} px")
    print(
        f"{'type':8} {'filter':16} {'pairs a chunk':>13} {'kB a pair':>10} {'write pairs/s':>14} {'read pairs/s':>13}"
    )
    for kind, name, chunk, size, write, read in table:
        mark = "  ← store.py" if (kind, name, chunk) == CHOSEN else ""
        print(f"{kind:8} {name:16} {chunk:13d} {size:10.1f} {write:14.0f} {read:13.0f}{mark}")
    print(f"features 28×28×3 from a joined store: {rate:.0f} samples/s")
    sizes = {kind: size for kind, name, chunk, size, *_ in table if (name, chunk) == CHOSEN[1:]}
    found = {
        "samples_per_s": round(rate),
        "float16_max_error_px": round(float(error.max()), 5),
        "float16_size": round(sizes["float16"] / sizes["float32"], 3),
        "chosen": list(CHOSEN),
    }
    print(json.dumps(found))


def layouts(flow: np.ndarray, folder: Path):
    """Each layout's (type, filter, pairs a chunk, kB a pair, pairs written and read a second of CPU time)."""
    for kind in (np.float32, np.float16):
        for name, filters in FILTERS.items():
            for chunk in (1, 4):
                path = folder / "layout.h5"
                start = time.process_time()
                with h5py.File(path, "w") as file:
                    data = flow.astype(kind)
                    file.create_dataset("x", data=data, chunks=(chunk, *flow.shape[1:]), fletcher32=True, **filters)
                written = time.process_time() - start
                start = time.process_time()
                with h5py.File(path) as file:
                    for n in np.random.default_rng(0).permutation(len(flow)):  # as clips are asked for, one by one
                        file["x"][n]
                read = time.process_time() - start
                size = path.stat().st_size / len(flow) / 1e3
                yield np.dtype(kind).name, name, chunk, size, len(flow) / written, len(flow) / read


def reading(samples: int, folder: Path) -> float:
    """Samples a second of CPU time from a joined store of random 8-bit features, the worst case of any filter."""
    rng, shards, size = np.random.default_rng(0), [], 1000
    for at in range(0, samples, size):
        rows = [Row(f"d/s/{n}") for n in range(at, min(at + size, samples))]
        header = Header("features", "d", f"{at // size:04d}", recipe="r")
        shards.append(folder / f"{header.shard}.h5")
        make = lambda row: {"x": rng.integers(0, 256, (1, 28, 28, 3)).astype(np.float32)}  # noqa: E731
        write_shard(shards[-1], header, rows, make)
    join_shards(folder / "all.h5", shards, recipe="r")
    start = time.process_time()
    with Store(folder / "all.h5", recipe="r") as store:
        assert store.column("x").shape == (samples, 28, 28, 3)
    return samples / (time.process_time() - start)


if __name__ == "__main__":
    main()
