"""A small run that never took place, for the tests of the report."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from mer_lib import clips, params, registry
from mer_lib.evaluation.comparisons import comparisons
from mer_lib.evaluation.leaderboard import leaderboard, rows
from mer_lib.evaluation.metrics import summary
from mer_lib.evaluation.published import CELLS, COUNTS
from mer_lib.evaluation.published import COLUMNS as PUBLISHED
from mer_lib.report.data import Depth, Example, ReportData, Salient, Sides

CLASSES = ("negative", "positive", "surprise")
RUNS = {"ststnet": 2, "ststnet@oracle": 2, "bi_woof": 1, "baseline_linear": 1, "baseline_rbf": 1}  # seeds of each
PRINTED = ("C", "Table 3", "STSTNet", "ststnet", "toy", "loso", "uf1", 0.7353)
MATRIX = [("C", "Table 4", "ststnet", "toy", "loso", truth, said, 3) for truth in CLASSES for said in CLASSES]
METHODS = {"baseline_linear": "flow28", "baseline_rbf": "flow28"}
PARAMS = Path(__file__).parent.parent.parent / "params.yaml"


def answers(table: pd.DataFrame, rng: np.random.Generator, seeds: int, views: tuple[int, ...]) -> pd.DataFrame:
    """Guesses with probabilities, a row a clip, seed and view."""
    one = table[["clip", "dataset", "subject"]].assign(truth=table["label"])
    told = pd.concat([one.assign(seed=seed, yaw=yaw) for seed in range(seeds) for yaw in views], ignore_index=True)
    shares = pd.DataFrame(rng.dirichlet([1, 1, 1], len(told)), columns=[f"p_{name}" for name in CLASSES])
    return pd.concat([told.assign(predicted=np.take(CLASSES, shares.to_numpy().argmax(1))), shares], axis=1)


def resolved(**changes) -> dict[str, params.Experiment]:
    """Every experiment of params.yaml with these changes."""
    settings = params.load(PARAMS, changes)
    blocks = (settings.all_experiments(), *settings.all_sets().values())
    return {name: each for block in blocks for name, each in block.items()}


SHIPPED = resolved()


def made_up(*, synthetic: bool = True) -> ReportData:
    """A small run that never took place."""
    rng = np.random.default_rng(0)
    table = clips.table(
        [
            {"clip": f"toy/s{i % 4}/c{i}", "dataset": "toy", "subject": f"toy/s{i % 4}", "name": f"c{i}",
             "kind": "video", "type": "micro", "fps": 200, "frames": 40, "label": CLASSES[i % 3]}
            for i in range(24)
        ]
    )  # fmt: skip
    metrics, predictions, board, found, controls = {}, {}, [], [], []
    for experiment, seeds in RUNS.items():
        told = answers(table, rng, seeds, views=(0, 45) if experiment == "ststnet" else (0,))
        facts = {"experiment": experiment, "protocol": "loso", "subject_disjoint": True, "control": False}
        facts |= {"method": METHODS.get(experiment, experiment.removesuffix("@oracle"))}
        facts |= {"selection": "oracle" if "@" in experiment else "fixed", "baseline": experiment in METHODS}
        scored = summary(told, CLASSES)
        board += rows(scored, parameters=7 if "ststnet" in experiment else None, synthetic=synthetic, **facts)
        found.append((facts, told))
        if "@" not in experiment:
            predictions["loso", experiment], metrics["loso", experiment] = told, scored
            shuffled = {**facts, "experiment": f"shuffled_{experiment}", "control": True}
            controls += rows(scored, parameters=None, synthetic=synthetic, **shuffled)
    epochs = pd.DataFrame({"fold": 0, "seed": 0, "epoch": range(5), "split": "train", "loss": 1.0, "uf1": 0.5})
    epochs = pd.concat([epochs, epochs.assign(split="test")], ignore_index=True)
    flow = rng.normal(size=(16, 16, 2)).astype(np.float32)
    picture = np.zeros((16, 16, 3), np.uint8)
    error = {"mae_mm": 5.0, "relative": 0.05, "normal_degrees": 10.0, "overlap": 0.9}
    figures = {
        "network": error,
        "mean_face": error,
        "people": 3,
        "people_held_out": 1,
        "shots": 6,
        "shots_held_out": 2,
        "steps": 9,
        "imagenet": "",
        "embedded": True,
    }
    return ReportData(
        corpus="toy",
        synthetic=synthetic,
        clips=table,
        leaderboard=leaderboard(board),
        comparisons=comparisons(found, CLASSES, resamples=100, permutations=100),
        baselines=tuple(METHODS),
        controls=leaderboard(controls),
        published=pd.DataFrame([PRINTED], columns=PUBLISHED),
        confusions=pd.DataFrame(MATRIX, columns=CELLS),
        counted=pd.DataFrame([("C", "Table 5", "toy", "negative", 30, 6, 2)], columns=COUNTS),
        identity=[{"descriptor": "flow28", "subjects": 4, "clips": 24, "accuracy": 0.5, "low": 0.4, "high": 0.6,
                   "chance": 0.25, "permuted": 0.2, "p": 0.01}],
        metrics=metrics,
        predictions=predictions,
        curves={("loso", "ststnet"): epochs.assign(accuracy=0.5)},
        problems=pd.DataFrame(
            [{"stage": "faces", "clip": "toy/s9/c9", "file": "c9.mkv", "severity": "skipped", "what": "no face",
              "remedy": "check it"}]
        ),
        costs=pd.DataFrame(
            [["faces", "", 2, 30.0, 25.0, 500.0], ["train", "ststnet", 4, 90.0, 84.0, 700.0]],
            columns=["stage", "experiment", "jobs", "seconds", "cpu_seconds", "peak_mb"],
        ),
        examples=[Example("toy/s0/c0", picture, picture, flow, np.abs(flow[..., 0]))],
        depth=Depth(figures, {"frames": picture[None], "truth": flow[None, ..., 0], "found": flow[None, ..., 1],
                              "mean": flow[..., 0], "real": picture[None][:0], "real_found": flow[None, ..., 0][:0]},
                    ["who"]),
        sides=[Sides("toy/s0/c0", picture, flow[..., 0], np.array([-45.0, 5.0]), np.stack([picture, picture]))],
        saliency=[Salient("ststnet", "toy/s0/c0", "negative", "positive", [0, 9], picture[None].repeat(2, 0),
                          picture[None].repeat(2, 0) > 0)],
        attention=pd.DataFrame(
            [["s1", "toy/s0/c0", "negative", -45.0, 0.4, False], ["s1", "toy/s0/c0", "negative", 5.0, 0.9, True]],
            columns=["fold", "clip", "label", "yaw", "seen", "kept"],
        ),
        attended={"negative": np.abs(flow[..., 0])},
        provenance={"versions": {"torch": "2.13.0"}},
        settings="motion:\n  onset_apex: tvl1_opencv\n",
        resolved=SHIPPED,
    )  # fmt: skip


def headings(page: str) -> list[str]:
    return re.findall(r'<section id="(\w+)"', page)


def shown(data: ReportData, name: str) -> str:
    """What one section has to show, '' for nothing; a whole page takes a second to draw."""
    return str(registry.get("section", name).load()(data) or "")
