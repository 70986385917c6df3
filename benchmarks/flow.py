"""Which optical flow for micro-expressions: error against time, on rendered faces whose motion is known exactly.

    python benchmarks/flow.py                                    # 3–4 minutes on one core
    python benchmarks/flow.py --quick                            # half a minute: does it run, roughly what comes out
    python benchmarks/flow.py --figure docs/which-flow.svg --page docs/which-flow.md        # refreshes that page

Every registered flow runs with several settings, from coarse to fine, on the same pairs: 128×128 crops of the embedded
faces under each of CONDITIONS. Errors are in pixels (end-point error, mean over the face, over its moving part, at the
mouth, at the eyes) and in degrees (angular error of Barron, Fleet and Beauchemin 1994, 10.1007/BF01420984), averaged
over conditions. Times are CPU time of this process on one thread: all settings take turns, several rounds, the fastest
round counts. The front is of error over time: a setting is on it if none is both as fast and as accurate.
Last line: JSON. ratio_128 and ratio_256: pairs a second of our TV-L1 over OpenCV's, both with their defaults; epe_ours
and epe_opencv: their errors; epe_same: ours with OpenCV's model and parameters; pareto_owned: for every setting of
every other method from 1 ms up, one of our TV-L1's is at least as fast and as accurate (…_moving: in the moving part);
best_under_1_ms: the most accurate setting below that; on a graphics card also pairs a second there.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"  # before the libraries that read it are imported

# ruff: noqa: E402
import numpy as np
import pandas as pd
import torch

from mer_lib import registry
from mer_lib.motion.flow import compute
from mer_lib.synth.pairs import Pairs, exact_pairs
from mer_lib.whole import write_text

OURS, ON_CARD, REFERENCE = "tvl1", "tvl1_torch", "tvl1_opencv"
OPENCVS = {
    "constancy": "brightness",
    "lambda_": 0.15,
    "theta": 0.3,
    "nscales": 5,
    "scale_step": 0.8,
    "warps": 5,
    "inner_iterations": 30,
    "outer_iterations": 10,
    "epsilon": 0.01,
    "median_filtering": 5,
    "huber": 0.0,
    "presmooth": 0.0,
}
FROM_MS = 1.0
CONDITIONS = {
    "0.3 px": {"amount": 0.3},
    "0.5 px": {"amount": 0.5},
    "1 px": {"amount": 1.0},
    "2 px": {"amount": 2.0},
    "3 px": {"amount": 3.0},
    "5 px": {"amount": 5.0},
    "0.5 px, no noise": {"amount": 0.5, "noise": False},
    "2 px, no noise": {"amount": 2.0, "noise": False},
    "2 px, head 1 px": {"amount": 2.0, "drift": 1.0},
    "2 px, light +5 %": {"amount": 2.0, "light": 0.05},
    "2 px, yaw 30°": {"amount": 2.0, "yaw": 30.0},
    "2 px, yaw −45°": {"amount": 2.0, "yaw": -45.0},
}
# From coarse to fine; an empty one is the method's default.
# The same energy with as many iterations as micro-movements need.
ZACH = OPENCVS | {"warps": 3, "inner_iterations": 20, "outer_iterations": 1}
SETTINGS = {
    "tvl1": [
        {"nscales": 3, "warps": 1, "inner_iterations": 4, "median_filtering": 1},
        {"warps": 1, "inner_iterations": 6},
        {"warps": 1},
        {},
        {"lambda_": 0.1},
        {"warps": 3, "inner_iterations": 20},
        {"warps": 5, "inner_iterations": 40},
        OPENCVS,
        ZACH,
    ],
    "tvl1_torch": [],  # the same solver, timed on a graphics card only
    "tvl1_opencv": [
        {"nscales": 3, "warps": 1, "inner_iterations": 10, "outer_iterations": 1, "median_filtering": 1},
        {"nscales": 3, "warps": 3, "inner_iterations": 20, "outer_iterations": 1, "median_filtering": 1},
        {"nscales": 3, "warps": 3, "inner_iterations": 10, "outer_iterations": 2},
        {},
        {"lambda_": 0.3},
    ],
    "dis": [
        {"preset": "ultrafast"},
        {"preset": "fast"},
        {"preset": "medium", "refinements": 0},
        {},
        {"preset": "medium", "refinements": 20},
        {"preset": "fine", "refinements": 0},
        {"preset": "fine", "refinements": 2},
        {"preset": "fine"},
        {"preset": "fine", "refinements": 10},
    ],
    "farneback": [
        {"levels": 1, "iterations": 1, "winsize": 9},
        {"levels": 2, "iterations": 2, "winsize": 9},
        {"winsize": 9},
        {},
        {"poly_n": 7, "poly_sigma": 1.5, "winsize": 9, "iterations": 10},
    ],
    "lucas_kanade": [
        {"winsize": 9, "max_level": 1, "iterations": 5},
        {"winsize": 15, "max_level": 2, "iterations": 10},
        {},
    ],
    "horn_schunck": [
        {"nscales": 2, "warps": 1, "iterations": 4},
        {"nscales": 3, "warps": 1, "iterations": 6},
        {"warps": 1},
        {},
        {"warps": 4, "iterations": 15},
        {"alpha": 10.0, "contrast": 0.0},
    ],
    "black_anandan": [{"nscales": 3, "warps": 1, "start": 1.0}, {"warps": 2}, {}, {"warps": 5, "iterations": 8}],
}
MARKS = ("<!-- benchmark -->", "<!-- end -->")
REGIONS = ("face", "moving", "mouth", "eyes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two pairs, four conditions, two rounds")
    parser.add_argument("--pairs", type=int, default=6, help="pairs of each condition (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of timing (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="other faces, expressions, noise (default: %(default)s)")
    parser.add_argument("--figure", type=Path, help="draw error against time there (.svg or .png)")
    parser.add_argument("--page", type=Path, help=f"write the tables there, between {MARKS[0]} and {MARKS[1]}")
    given = parser.parse_args()
    pairs, rounds, names = given.pairs, given.rounds, list(CONDITIONS)
    if given.quick:
        pairs, rounds, names = 2, 2, ["1 px", "3 px", "2 px, head 1 px", "2 px, yaw −45°"]
    table = settings()
    say(f"rendering {pairs} pairs of each of {len(names)} conditions")
    rendered = {name: exact_pairs(pairs, seed=given.seed, **CONDITIONS[name]) for name in names}
    large = exact_pairs(pairs, size=256, amount=3.0, seed=given.seed)
    warm_up(table, large)
    by_condition = errors(table, rendered)
    for region in (*REGIONS, "angle"):
        table[region] = by_condition.xs(region, axis=1, level="region").mean(axis=1)
    table["ms_128"] = times(table, rendered["3 px"], rounds)
    table["ms_256"] = times(table, large, min(rounds, 3))
    defaults = table[table["flow"].isin([OURS, REFERENCE]) & ~table["options"].astype(bool)]
    found = verdict(table, errors(defaults, {"3 px, 256×256": large}))
    found |= graphics_card(large, table.loc[f"{OURS}: default", "ms_256"])
    face = by_face(table, by_condition, rendered)
    print_tables(table, face)
    if given.figure:
        draw(table, given.figure)
    if given.page:
        refresh(given.page, table, face, found, pairs)
    print(json.dumps(found))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def settings() -> pd.DataFrame:
    """A row a setting; index: what it is called."""
    rows = {}
    for flow, entry in registry.entries("flow").items():
        for options in SETTINGS.get(flow, [{}]):
            what = ", ".join(f"{key} {value}" for key, value in options.items()) or "default"
            what = "OpenCV's model and parameters" if options is OPENCVS else what
            what = "OpenCV's model, 3 warps of 20 iterations" if options is ZACH else what
            rows[f"{flow}: {what}"] = {"flow": flow, "title": entry.meta["title"], "options": options}
    return pd.DataFrame.from_dict(rows, orient="index")


def warm_up(table: pd.DataFrame, pairs: Pairs) -> None:
    """Compile what is compiled."""
    first, second = (frames[:1] for frames in pairs.grey)
    for row in table.itertuples():
        compute(first, second, flow=row.flow, **row.options)


def errors(table: pd.DataFrame, rendered: dict[str, Pairs]) -> pd.DataFrame:
    """A row a setting, a column each (condition, region): pixels, and degrees for the region 'angle'."""
    found: dict[tuple[str, str], list[float]] = {}
    for name, pairs in rendered.items():
        say(f"errors: {name}")
        first, second = pairs.grey
        for row in table.itertuples():
            flow = compute(first, second, flow=row.flow, **row.options)
            apart = np.linalg.norm(flow - pairs.flow, axis=-1)
            for region in REGIONS:
                found.setdefault((name, region), []).append(float(apart[getattr(pairs, region)].mean()))
            found.setdefault((name, "angle"), []).append(float(angles(flow, pairs.flow)[pairs.face].mean()))
    return pd.DataFrame(found, index=table.index).rename_axis(columns=("condition", "region"))


def angles(flow: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Barron et al.'s angle between (u, v, 1) and (u', v', 1), degrees: (…, 2) twice -> (…)."""
    one, two = (np.concatenate([f, np.ones_like(f[..., :1])], axis=-1, dtype=np.float64) for f in (flow, truth))
    cross = np.linalg.norm(np.cross(one, two), axis=-1)  # arccos of the product would round small angles away
    return np.degrees(np.arctan2(cross, (one * two).sum(axis=-1)))


def times(table: pd.DataFrame, pairs: Pairs, rounds: int) -> pd.Series:
    """Milliseconds a pair of each setting: the fastest of the rounds, in each of which all take turns."""
    size, best = pairs.first.shape[1], dict.fromkeys(table.index, np.inf)
    for turn in range(rounds):
        say(f"times at {size}×{size}: round {turn + 1} of {rounds}")
        for row in table.itertuples():
            count = 1 if best[row.Index] > 50 and turn else 2  # the slow ones have had a fair measurement of two
            first, second = (frames[:count] for frames in pairs.grey)
            repeats = 1 if not turn else int(np.clip(20 / (best[row.Index] * count), 1, 10))
            start = time.process_time()
            for _ in range(repeats):
                compute(first, second, flow=row.flow, **row.options)
            spent = 1000 * (time.process_time() - start) / (repeats * count)
            best[row.Index] = min(best[row.Index], spent)
    return pd.Series(best)


def front(table: pd.DataFrame, error: str) -> pd.Series:
    """Whether none is both as fast and as accurate, and better in one of the two: bool a row."""
    ms, wrong = table["ms_128"].to_numpy(), table[error].to_numpy()
    as_good = (ms[None] <= ms[:, None]) & (wrong[None] <= wrong[:, None])
    better = (ms[None] < ms[:, None]) | (wrong[None] < wrong[:, None])
    return pd.Series(~(as_good & better).any(axis=1), table.index)


def unmatched(table: pd.DataFrame, error: str) -> list[str]:
    """Settings of other methods, from 1 ms a pair up, that none of ours is at least as fast and as accurate as."""
    ours = table[table["flow"] == OURS]
    others = table[(table["flow"] != OURS) & (table["ms_128"] >= FROM_MS)]
    return [
        row.Index
        for row in others.itertuples()
        if not ((ours["ms_128"] <= row.ms_128) & (ours[error] <= getattr(row, error))).any()
    ]


def by_face(table: pd.DataFrame, by_condition: pd.DataFrame, rendered: dict[str, Pairs]) -> pd.DataFrame:
    """Error over the face, a row a setting, the fastest first, below one that answers zero everywhere."""
    still = {name: np.linalg.norm(pairs.flow, axis=-1)[pairs.face].mean() for name, pairs in rendered.items()}
    face = by_condition.xs("face", axis=1, level="region").loc[table.sort_values("ms_128").index]
    return pd.concat([pd.DataFrame(still, index=["no motion"]), face])


def print_tables(table: pd.DataFrame, face: pd.DataFrame) -> None:
    shown = table.sort_values("ms_128").drop(columns=["flow", "title", "options"])
    shown.insert(0, "front", np.where(front(table, "face")[shown.index], "*", ""))
    print(
        "Embedded (rendered) faces, 128×128. Errors in px, angle in degrees, ms a pair on one thread; *: on the front."
    )
    with pd.option_context("display.width", 250, "display.max_colwidth", 100):
        print(shown.round({"ms_128": 2, "ms_256": 1, "angle": 2}).round(3).to_string())
        print("\nEnd-point error over the face by condition, px; 'no motion' answers zero everywhere.")
        print(face.round(3).to_string())


def refresh(page: Path, table: pd.DataFrame, face: pd.DataFrame, found: dict, pairs: int) -> None:
    """Put the tables of the defaults and of the front between the page's marks."""
    chosen = table[front(table, "face") | ~table["options"].astype(bool)].sort_values("ms_128")
    by_setting = []
    for row in chosen.itertuples():
        wrong = [f"{getattr(row, region):.3f}" for region in REGIONS]
        by_setting.append([f"`{row.Index}`", f"{row.ms_128:.2f}", f"{row.ms_256:.1f}", *wrong, f"{row.angle:.1f}°"])
    shown = face.loc[["no motion", *chosen.index]]
    by_condition = [[f"`{name}`", *(f"{value:.3f}" for value in row)] for name, row in shown.iterrows()]
    text = [
        f"Embedded (rendered) faces, {pairs} pairs for each of {face.shape[1]} conditions; {found['cpu']}, one thread.",
        f"TV-L1 with its defaults makes {found['ratio_128']:.0f} times OpenCV's pairs a second at 128×128, "
        f"{found['ratio_256']:.0f} times at 256×256.",
        "",
        *markdown(["setting", "ms, 128²", "ms, 256²", "face", "moving", "mouth", "eyes", "angle"], by_setting),
        "",
        "End-point error over the face, pixels, by condition:",
        "",
        *markdown(["setting", *face.columns], by_condition),
    ]
    before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    write_text(before + "\n".join([MARKS[0], *text, MARKS[1]]) + after, page)


def markdown(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] + ["---:"] * (len(head) - 1), *rows)]


def verdict(table: pd.DataFrame, at_256: pd.DataFrame) -> dict:
    defaults = {row.flow: row for row in table.itertuples() if not row.options}
    ours, theirs = defaults[OURS], defaults[REFERENCE]
    same = table[[options is OPENCVS for options in table["options"]]].iloc[0]
    zach = table[[options is ZACH for options in table["options"]]].iloc[0]
    quick = table[table["ms_128"] < FROM_MS]
    left, left_moving = unmatched(table, "face"), unmatched(table, "moving")
    larger = at_256.xs("face", axis=1, level="region").mean(axis=1)
    return {
        "ratio_128": round(theirs.ms_128 / ours.ms_128, 1),
        "ratio_256": round(theirs.ms_256 / ours.ms_256, 1),
        "epe_ours": round(ours.face, 4),
        "epe_opencv": round(theirs.face, 4),
        "epe_ours_moving": round(ours.moving, 4),
        "epe_opencv_moving": round(theirs.moving, 4),
        "epe_same": round(same["face"], 4),
        "epe_same_moving": round(same["moving"], 4),
        "ratio_zach_128": round(theirs.ms_128 / zach["ms_128"], 1),
        "ratio_zach_256": round(theirs.ms_256 / zach["ms_256"], 1),
        "epe_zach": round(zach["face"], 4),
        "epe_zach_moving": round(zach["moving"], 4),
        "epe_ours_256": round(larger[ours.Index], 4),
        "epe_opencv_256": round(larger[theirs.Index], 4),
        "ms_ours_128": round(ours.ms_128, 2),
        "ms_opencv_128": round(theirs.ms_128, 1),
        "pareto_owned": not left,
        "pareto_owned_moving": not left_moving,
        "pareto_unmatched": sorted({*left, *left_moving}),
        "best_under_1_ms": quick["face"].idxmin(),
        "cpu": processor(),
    }


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def graphics_card(large: Pairs, core_ms: float) -> dict:
    """Our TV-L1 in torch at 256×256, 256 pairs at once: pairs a second, and over what one core makes with numba."""
    if not torch.cuda.is_available():
        return {"gpu": None}
    first, second = (np.resize(frames, (256, 256, 256)) for frames in large.grey)
    entry = registry.get("flow", ON_CARD)
    solve, options = entry.load(), entry.complete(None)
    spent = []
    for turn in range(4):
        say(f"{torch.cuda.get_device_name()}: round {turn + 1} of 4")
        start = time.perf_counter()  # there is no other clock for the card; the answer comes back as an array
        solve(first, second, **options)
        spent.append(time.perf_counter() - start)
    rate = len(first) / min(spent)
    return {
        "gpu": torch.cuda.get_device_name(),
        "gpu_pairs_per_s_256": round(rate),
        "gpu_over_core": round(rate * core_ms / 1000, 1),
    }


def draw(table: pd.DataFrame, path: Path) -> None:
    """Error against time, a line a method."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams |= {"svg.hashsalt": "flow", "svg.fonttype": "none"}  # the same figures, the same bytes
    picture, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharex=True, layout="constrained")
    for axis, error, title in zip(axes, ("face", "moving"), ("over the face", "where it moves"), strict=True):
        for title_of, rows in table.sort_values("ms_128").groupby("title", sort=False):
            ours = rows["flow"].iloc[0] == OURS
            axis.plot(
                rows["ms_128"], rows[error], "o-", ms=6 if ours else 4, lw=2 if ours else 0.8, label=title_of,
                zorder=3 if ours else 2,
            )  # fmt: skip
        best = table[front(table, error)].sort_values("ms_128")
        axis.step(best["ms_128"], best[error], where="post", color="0.6", lw=5, alpha=0.4, zorder=1, label="front")
        axis.set(xscale="log", xlabel="ms a pair of 128×128, one core", ylabel="end-point error, px", title=title)
        axis.grid(alpha=0.3, which="both")
    axes[0].legend(fontsize=8)
    picture.suptitle("Optical flow on rendered (embedded) faces")
    picture.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


if __name__ == "__main__":
    main()
