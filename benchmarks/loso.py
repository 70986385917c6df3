"""LOSO of STSTNet, all folds as the pipeline trains them, against the loop that published code uses.

The loop: torch as it comes (all threads), the three streams as three networks, mini-batches, one fold after the other;
timed on two folds and multiplied by 68. Ours: jobs of folds side by side on the cores, or all folds at once on a GPU,
with everything the pipeline does (guard, curves, test predictions, weights). Both train the same network with the same
recipe on the same samples: 442 of 28×28×3 from 68 subjects, as many and as uneven as in MEGC 2019, made at random.
Both suffer where others use the cores, the loop more, because its threads wait for each other: measure on a machine
that is idle; ``load_before`` tells whether it was. Last line: JSON; memory is the sum of the jobs' peaks, on a GPU that
of the device.

    python benchmarks/loso.py            # 5 minutes on two idle cores
    python benchmarks/loso.py --quick    # does it run, roughly what comes out
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd

CLASSES = ("negative", "positive", "surprise")
SETS = {"smic": (16, 164), "casme2": (24, 145), "samm": (28, 133)}  # subjects and clips in MEGC 2019
SHARES = (250 / 442, 109 / 442, 83 / 442)
RECIPE = {"optimizer": "adam", "lr": 5e-5, "batch": 256}


def make_samples():
    """Samples with class structure in whole numbers from 0 to 255, and a table of who they are."""
    from mer_lib.learning.samples import Samples

    rng, rows = np.random.default_rng(0), []
    for dataset, (subjects, clips) in SETS.items():
        sizes = 1 + rng.multinomial(clips - subjects, rng.dirichlet(np.ones(subjects) * 2))
        for s, size in enumerate(sizes):
            subject = f"{dataset}/s{s + 1:02d}"
            rows += [
                {"clip": f"{subject}/c{k}", "dataset": dataset, "subject": subject, "yaw": 0.0} for k in range(size)
            ]
    label = rng.choice(3, len(rows), p=SHARES)
    shape = np.kron(rng.normal(size=(3, 7, 7, 3)), np.ones((1, 4, 4, 1)))
    x = 128 + 12 * shape[label] + 40 * rng.normal(size=(len(rows), 28, 28, 3))
    table = pd.DataFrame(rows).assign(label=np.array(CLASSES)[label])
    return Samples(np.clip(np.rint(x), 0, 255).astype(np.float32), table)


def published(classes, batch_norm):
    """STSTNet as published code writes it: a network a stream, joined."""
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            norm = nn.BatchNorm2d if batch_norm else nn.Identity
            self.streams = nn.ModuleList(
                nn.Sequential(nn.Conv2d(3, n, 3, padding=1), norm(n), nn.ReLU(), nn.MaxPool2d(3, 3, padding=1))
                for n in (3, 5, 8)
            )
            self.pool, self.dropout, self.head = nn.AvgPool2d(2), nn.Dropout(0.5), nn.Linear(400, classes)

        def forward(self, x):
            joined = self.pool(torch.cat([stream(x) for stream in self.streams], 1))
            return self.head(self.dropout(joined.flatten(1)))

    return Network()


def loop(folds, epochs, device, batch_norm):
    """Seconds a fold of the published loop on these folds, and its peak memory in MB; in a process of its own."""
    import torch
    from torch.nn import functional as F

    samples = make_samples()
    truth = torch.tensor([CLASSES.index(label) for label in samples.table["label"]], device=device)
    data = torch.tensor(samples.x.transpose(0, 3, 1, 2).copy(), device=device)
    seconds = []
    for subject in folds:
        mine = torch.tensor((samples.table["subject"] != subject).tolist(), device=device)
        x, y = data[mine], truth[mine]
        started = time.perf_counter()
        model = published(len(CLASSES), batch_norm).to(device)
        optimizer = torch.optim.Adam(model.parameters(), lr=RECIPE["lr"])
        for _ in range(epochs):
            model.train()
            for rows in torch.randperm(len(y), device=device).split(RECIPE["batch"]):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x[rows]), y[rows])
                loss.backward()
                optimizer.step()
        model.eval()
        with torch.no_grad():
            model(data[~mine]).argmax(1).cpu()
        seconds.append(time.perf_counter() - started)
        tell(f"the loop, fold {subject}: {seconds[-1]:.1f} s, {1000 * seconds[-1] / epochs:.1f} ms an epoch")
    return float(np.mean(seconds)), memory(device)


def ours(names, epochs, device, batch_norm, plain=False):
    """Train these folds as a job does: seconds in the job, peak memory in MB, share of right answers."""
    from mer_lib import registry
    from mer_lib.learning import fit, network  # noqa: F401 (imported before the clock starts)
    from mer_lib.learning.protocols import make_folds

    if plain:  # our own loop, as for a network without compiled code
        registry.get("model", "ststnet").meta.pop("compiled")
    samples = make_samples()
    folds = [fold for fold in make_folds("loso", samples.table) if fold.name in names]
    started = time.perf_counter()
    run = fit.run_folds(
        samples, folds, kind="model", name="ststnet", classes=CLASSES, device=device,
        options={"batch_norm": batch_norm}, train={**RECIPE, "epochs": epochs},
    )  # fmt: skip
    seconds = time.perf_counter() - started
    right = (run.predictions["truth"] == run.predictions["predicted"]).mean()
    tell(f"ours{' (plain)' if plain else ''}, {len(folds)} folds: {seconds:.1f} s, {right:.0%} right")
    return seconds, memory(device), len(run.predictions)


def memory(device):
    """Peak memory of this process in MB: on the device where it is a GPU."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def check(batch_norm):
    """The two networks are one: the same weights give the same logits."""
    import torch

    from mer_lib import registry

    one, other = (
        registry.get("model", "ststnet").load()(3, batch_norm=batch_norm).eval(),
        published(3, batch_norm).eval(),
    )
    at = 0
    for stream in other.streams:
        n = stream[0].out_channels
        for mine, its in ((one.streams[0], stream[0]), (one.streams[1], stream[1])):
            its.load_state_dict({k: v[at : at + n] if v.ndim else v for k, v in mine.state_dict().items()})
        at += n
    other.head.load_state_dict(one.head.state_dict())
    x = torch.from_numpy(make_samples().x[:8].transpose(0, 3, 1, 2).copy())
    torch.testing.assert_close(one(x), other(x), rtol=1e-4, atol=1e-3)


def apart(count, work, jobs):
    """Run calls in ``count`` fresh processes; their results in order, and the seconds from start to end."""
    started = time.perf_counter()
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = [future.result() for future in [pool.submit(work, *job) for job in jobs]]
    return found, time.perf_counter() - started


def tell(line):
    print(line, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 epochs instead of 800: starting the jobs weighs more")
    parser.add_argument("--epochs", type=int, default=800, help="of every network (800)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="side by side on a CPU (one a core)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--batch-norm", action="store_true", help="the network with batch norm, as the authors' code")
    given = parser.parse_args()
    if given.quick:
        given.epochs = 20
    return given


def main():
    given = arguments()
    from mer_lib.learning.folds import jobs
    from mer_lib.learning.protocols import make_folds

    given.load = os.getloadavg()[0]
    if given.load > 0.5 * os.cpu_count():
        tell(f"others use this machine (load {given.load:.1f}): the ratio will flatter us")
    check(given.batch_norm)
    folds = make_folds("loso", make_samples().table)
    names = [fold.name for fold in folds]
    middle = sorted(names, key=lambda n: int((make_samples().table["subject"] == n).sum()))[33:35]  # of middling size
    common = (given.epochs, given.device, given.batch_norm)
    tell("compiling, which is kept for later runs")
    _, compiling = apart(1, ours, [(middle[:1], 1, *common[1:])])
    ((seconds_loop, memory_loop),), _ = apart(1, loop, [(middle, *common)])
    ((plain, memory_plain, _),), _ = apart(1, ours, [(middle[:1], *common, True)])
    side_by_side = given.jobs if given.device == "cpu" else 1
    groups = [[fold.name for fold in group] for group in jobs(folds, -(-len(folds) // side_by_side))]
    found, seconds_all = apart(side_by_side, ours, [(group, *common) for group in groups])
    if sum(rows for *_, rows in found) != 442:
        raise SystemExit("not every clip was predicted")
    report(given, len(folds), seconds_all, seconds_loop, plain, [memory_loop, memory_plain], found, compiling)


def report(given, folds, seconds_all, seconds_loop, plain, peer_memory, found, compiling):
    memory_all = sum(mb for _, mb, _ in found)
    per_epoch = 1000 * sum(seconds for seconds, *_ in found) / folds / given.epochs
    print(f"{folds} folds of 442 samples, {given.epochs} epochs, {given.device}, load before {given.load:.1f}")
    print(f"{'':34}{'all folds, s':>14}{'a fold, s':>12}{'an epoch, ms':>14}{'peak MB':>10}")
    for name, whole, fold, epoch, mb in (
        ("published loop (2 folds, × 68)", folds * seconds_loop, seconds_loop, None, peer_memory[0]),
        ("our plain loop (1 fold, × 68)", folds * plain, plain, None, peer_memory[1]),
        (f"ours, {len(found)} jobs side by side", seconds_all, seconds_all / folds, per_epoch, memory_all),
    ):
        epoch = 1000 * fold / given.epochs if epoch is None else epoch
        print(f"{name:34}{whole:14.1f}{fold:12.2f}{epoch:14.1f}{mb:10.0f}")
    line = {
        "ratio": folds * seconds_loop / seconds_all,
        "device": given.device,
        "seconds_all": seconds_all,
        "seconds_loop_fold": seconds_loop,
        "ratio_to_our_plain_loop": folds * plain / seconds_all,
        "epochs": given.epochs,
        "jobs": len(found),
        "memory_mb": memory_all,
        "memory_loop_mb": peer_memory[0],
        "compiling_s": compiling,
        "load_before": given.load,
    }
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in line.items()}))


if __name__ == "__main__":
    main()
