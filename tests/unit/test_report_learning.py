"""What the report says of differences, baselines, oracles, controls, calibration and views."""

import json
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from report_toys import headings, made_up, resolved, shown

from mer_lib import clips
from mer_lib.evaluation.comparisons import COLUMNS
from mer_lib.evaluation.leaderboard import leaderboard
from mer_lib.learning.guard import KINDS
from mer_lib.report import figures
from mer_lib.report.collect import collect_controls
from mer_lib.report.page import build


def pairs(*given: tuple[str, str, float, float]) -> pd.DataFrame:
    """Comparisons (a, b, UF1 difference, corrected p) under loso."""
    rest = dict.fromkeys(COLUMNS[3:], 0.0)
    rows = [
        {**rest, "protocol": "loso", "experiment_a": a, "experiment_b": b, "uf1_difference": gap, "low": gap - 0.1,
         "high": gap + 0.1, "p": p, "p_corrected": p, "real": p < 0.05}
        for a, b, gap, p in given
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def rows_of(text: str) -> dict[str, list[str]]:
    """The cells of each row of a section's tables, as text, by the row's first cell."""
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL):
        cells = [re.sub(r"<small>.*?</small>|<[^>]*>", "", c) for c in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        found[cells[0]] = cells[1:]
    return found


def placed(uf1: dict[str, float], comparisons: pd.DataFrame):
    """``made_up`` with these figures, in a leaderboard sorted by them."""
    data = made_up()
    board = data.leaderboard[data.leaderboard["experiment"].isin(uf1)].copy()
    board["uf1"] = board["experiment"].map(uf1)
    board["baseline"] = board["experiment"].isin(data.baselines)
    return replace(data, leaderboard=leaderboard(board.to_dict("records")), comparisons=comparisons)


UF1 = {"baseline_linear": 0.5, "baseline_rbf": 0.6, "ststnet": 0.7, "bi_woof": 0.4}
PAIRS = (
    ("ststnet", "baseline_rbf", 0.1, 0.01), ("baseline_rbf", "bi_woof", 0.2, 0.02), ("ststnet", "bi_woof", 0.3, 0.001),
    ("ststnet", "baseline_linear", 0.2, 0.04), ("baseline_rbf", "baseline_linear", 0.1, 0.5),
    ("baseline_linear", "bi_woof", 0.1, 0.3),
)  # fmt: skip


def test_each_row_says_how_it_stands_to_the_better_baseline_and_to_the_best():
    rows = rows_of(shown(placed(UF1, pairs(*PAIRS)), "leaderboard"))
    assert {name: rows[name][3:5] for name in UF1} == {
        "baseline_rbf": ["the line", "worse"],
        "baseline_linear": ["not separable", "worse"],
        "ststnet": ["beats it", "the best"],
        "bi_woof": ["worse", "worse"],
    }
    names = [name for name in rows if name in UF1]
    assert names == ["baseline_rbf", "baseline_linear", "ststnet", "bi_woof"]


@pytest.mark.parametrize(
    ("p", "uf1", "said"),
    [
        (0.01, UF1, "It really beats the baseline, baseline_rbf (difference +0.100, p .010)."),
        (0.2, UF1, "It cannot be told apart from the baseline, baseline_rbf (difference +0.100, p .200)."),
        (0.01, {**UF1, "baseline_rbf": 0.9}, "It is the baseline: nothing beats it."),
    ],
)
def test_the_first_paragraph_says_whether_the_baseline_is_beaten(p, uf1, said):
    assert said in shown(placed(uf1, pairs(("ststnet", "baseline_rbf", 0.1, p))), "overview")


def test_the_line_to_beat_is_drawn_at_the_better_baseline(monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "dots", lambda name, *_, **more: drawn.append((name, more.get("baseline"))) or "")
    data = placed(UF1, pairs(*PAIRS))
    shown(data, "leaderboard")
    uar = data.leaderboard.set_index("experiment")["uar"][["baseline_linear", "baseline_rbf"]].max()
    assert drawn[:2] == [("board-uf1", 0.6), ("board-uar", uar)]


def test_the_matrix_has_each_pair_both_ways_and_tints_what_is_real():
    text = shown(placed(UF1, pairs(*PAIRS)), "comparisons")
    matrix = text.split("<details>")[0]
    rows = rows_of(matrix)
    order = ["baseline_rbf", "baseline_linear", "ststnet", "bi_woof"]
    assert [name for name in rows if name in UF1] == order
    assert rows["ststnet"] == ["+0.100", "+0.200", "", "+0.300"]
    assert rows["bi_woof"] == ["−0.200", "−0.100", "−0.300", ""]
    assert matrix.count("--tint") == 8
    assert "Pairs compared: 6; really different: 4." in matrix


def test_many_experiments_are_listed_the_surest_first():
    names = [f"e{k}" for k in range(12)]
    many = pairs(*((a, b, 0.1, 1 - k / 20) for k, (a, b) in enumerate(pairwise(names))))
    text = shown(replace(made_up(), comparisons=many), "comparisons")
    assert "UF1 of the row" not in text and list(rows_of(text))[1] == "e10 − e11"


def test_an_oracle_stands_apart_and_its_inflation_is_said():
    data = made_up()
    assert not any("@oracle" in shown(data, name) for name in ("leaderboard", "methods", "comparisons", "overview"))
    board = data.leaderboard.set_index("experiment")
    gap = board.at["ststnet@oracle", "uf1"] - board.at["ststnet", "uf1"]
    (row,) = [cells for name, cells in rows_of(shown(data, "oracle")).items() if name == "ststnet"]
    assert row[2] == f"{gap:+.3f}".replace("-", "−")
    interval = data.comparisons.set_index("experiment_a").loc["ststnet@oracle"]
    assert f"{interval['low']:.2f} to {interval['high']:.2f}".replace("-", "−") in shown(data, "oracle")
    honest = data.leaderboard[data.leaderboard["selection"] != "oracle"]
    assert shown(replace(data, leaderboard=honest), "oracle") == ""


def test_an_oracle_without_its_honest_sibling_is_not_shown():
    data = made_up()
    alone = data.leaderboard[data.leaderboard["experiment"] != "ststnet"]
    assert shown(replace(data, leaderboard=alone), "oracle") == ""


def controlled(uar: float, low: float | None, high: float | None, **change) -> str:
    """The section of controls for one control with this UAR."""
    data = made_up()
    row = data.controls.head(1).assign(uar=uar, uar_low=low, uar_high=high, **change)
    return shown(replace(data, controls=row), "controls")


@pytest.mark.parametrize(
    ("uar", "low", "high", "verdict"),
    [
        (0.34, 0.30, 0.38, "at chance"),
        (0.333333, 0.333333, 0.333333, "at chance"),  # a constant answer, as its file rounds it
        (0.333333, None, None, "at chance"),
        (0.41, 0.36, 0.46, "above chance: look for a leak"),
        (0.25, 0.20, 0.30, "below chance: no leak"),
    ],
)
def test_a_control_lands_where_its_interval_is(uar, low, high, verdict):
    assert verdict in controlled(uar, low, high)


def test_an_oracle_among_the_controls_is_not_judged_against_chance():
    data = made_up()
    names = data.leaderboard["experiment"].isin(["ststnet", "ststnet@oracle"])
    told = replace(data, controls=pd.concat([data.controls.head(1), data.leaderboard[names]]))
    judged = rows_of(shown(told, "controls"))
    assert data.controls["experiment"][0] in judged and not {"ststnet", "ststnet@oracle"} & set(judged)


@pytest.mark.parametrize(("p", "verdict"), [(0.01, "tells people apart"), (0.2, "not seen to tell people apart")])
def test_the_identity_probe_is_held_against_names_dealt_anew(p, verdict):
    data = made_up()
    told = replace(data, identity=[{**data.identity[0], "p": p}])
    assert rows_of(shown(told, "controls"))["flow28"][-1] == verdict


def test_the_page_of_controls(tmp_path):
    data = made_up()
    clips.save(data.clips, tmp_path / "clips.csv")
    data.controls.to_csv(tmp_path / "controls.csv", index=False)
    (tmp_path / "flow28.json").write_text(json.dumps(data.identity[0]))
    told = collect_controls(
        "toy", synthetic=True, clips=tmp_path / "clips.csv", controls=tmp_path / "controls.csv",
        identity=[tmp_path / "flow28.json"],
    )  # fmt: skip
    page = build(told)
    assert headings(page) == ["overview", "controls", "provenance"]
    assert told.chance() == pytest.approx(1 / 3) and "expected UAR of 0.333" in page
    assert "<title>Micro-expressions: toy, controls (synthetic)</title>" in page
    assert "What must come out if nothing leaks" in page


def test_scores_of_machines_are_not_called_probabilities():
    rows = rows_of(shown(made_up(), "calibration"))
    assert rows["ststnet"][-1] == "softmax of a network" and rows["baseline_rbf"][-1] == "no probabilities"
    ece = made_up().metrics["loso", "ststnet"]["calibration"]
    assert rows["ststnet"][:2] == [f"{ece['ece']:.3f}", f"{ece['ece_if_calibrated']:.3f}"]


def test_views_are_drawn_where_there_are_several(monkeypatch):
    data, drawn = made_up(), []
    monkeypatch.setattr(figures, "lines", lambda *given, share: drawn.append((*given, share)) or "")
    assert shown(data, "views")
    ((_, title, axes, curves, _, share),) = drawn
    assert (title, axes, share) == ("ststnet", ("yaw", "UF1"), True)
    yaw, value, low, high = curves["ststnet, trained on recordings"]
    told = data.metrics["loso", "ststnet"]["by_yaw"]
    assert list(yaw) == [0, 45] and list(value) == [told["0"]["uf1"], told["45"]["uf1"]]
    assert [low[1], high[1]] == told["45"]["intervals"]["uf1"]
    one = {key: {**found, "by_yaw": {}} for key, found in data.metrics.items()}
    assert shown(replace(data, metrics=one), "views") == ""


def test_of_training_curves_uf1_has_its_whole_range(monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "lines", lambda *given, share: drawn.append((given[2], share)) or "")
    assert shown(made_up(), "curves") and drawn == [(("epoch", "loss"), False), (("epoch", "UF1"), True)]


def test_seeds_are_shown_where_there_are_several():
    data = made_up()
    rows = rows_of(shown(data, "seeds"))
    assert set(rows) == {"experiment", "ststnet"}
    each = [one["uf1"] for one in data.metrics["loso", "ststnet"]["seeds"]["each"].values()]
    assert rows["ststnet"][3:5] == [f"{min(each):.3f}", f"{max(each):.3f}"]
    one = {key: found for key, found in data.metrics.items() if key[1] != "ststnet"}
    assert shown(replace(data, metrics=one), "seeds") == ""


def test_baselines_are_described_by_their_own_classifier():
    own = {"method": "flow28", "classifier": "knn", "train": {"class_weights": "balanced"}}
    text = shown(replace(made_up(), resolved=resolved(baselines={"baseline_rbf": own})), "methods")
    assert "classified (Linear SVM, one machine a class)" in text
    assert "classified (k nearest neighbours, classes balanced)" in text
    assert "paired permutation tests over subjects" in text and "Holm" in text


def test_options_and_their_choice_are_in_the_paper():
    found = resolved(
        classifier={"name": "svm_linear", "options": {"c": 2.0}},
        baselines={"baseline_rbf": {"classifier": "svm_rbf", "options": {"grid": {"c": [1, 10]}}}},
        train={"epochs": 8, "class_weights": "balanced"},
    )
    text = shown(replace(made_up(), resolved=found), "methods")
    assert "(Linear SVM, one machine a class, c 2.0, classes balanced)" in text
    assert "c chosen among 1 and 10 on training subjects, classes balanced)" in text
    assert "for 8 epochs, the loss weighted by inverse class frequency." in text


def test_how_frames_were_registered_is_in_the_paper():
    text = shown(replace(made_up(), settings="registration: {features: 300, ransac_px: 0.3}"), "methods")
    assert "RANSAC at a threshold of 0.3 px, and by the parallax of the person&#39;s relief" in text
    assert "beside what action units may move" in text


def test_a_networks_recipe_and_budget_are_told():
    """Its own values over its method's recipe over the block that all share."""
    recipes, own = {"ststnet": {"lr": 0.25, "batch": 12, "epochs": 300}}, {"lr": 0.5, "max_steps": 128}
    short = resolved(recipes=recipes, experiments={"ststnet": {"method": "ststnet", "train": own}})
    data = replace(made_up(), resolved=short)
    text = shown(data, "methods")
    assert "learning rate of 0.5, in batches of 12, for at most 128 steps within 300 epochs." in text
    told = shown(data, "leaderboard")
    assert "small budget" in told and "ststnet (128 steps at most; recipe: 300 epochs)." in told
    bare = replace(data, published=data.published.assign(protocol="loso", experiment="ststnet"))
    assert "small budget" in shown(bare, "published")
    whole = replace(data, resolved=resolved(recipes=recipes))
    assert "small budget" not in shown(replace(bare, resolved=whole.resolved), "published")
    assert "small budget" not in shown(whole, "leaderboard") and "for 300 epochs" in shown(whole, "methods")


def test_networks_of_sets_are_told_of_as_they_were_trained():
    """Pages of sets show experiments that stand in other blocks of params.yaml, or in none: the zoo's."""
    data, names = made_up(), {"ststnet": "ststnet_views", "bi_woof": "quick_alexnet"}
    board = data.leaderboard.replace({"experiment": names}).replace({"method": {"bi_woof": "alexnet"}})
    data = replace(data, leaderboard=board)
    assert "STSTNet" in shown(data, "methods") and "in batches of 256, for 160 epochs." in shown(data, "methods")
    told = shown(data, "leaderboard")
    assert "a small budget" in told and ": quick_alexnet (12 steps at most; recipe: 300 epochs)." in told


def test_the_paper_names_what_was_read_and_learned_from():
    """Paper B reads no flow, D magnifies and learns from macro-expressions; neither starts from ImageNet's weights."""
    data, names = made_up(), {"ststnet": "d_part", "bi_woof": "c_modules_1"}
    methods = {"ststnet": "part_based", "bi_woof": "mjfn"}
    board = data.leaderboard.replace({"experiment": names, "method": methods})
    metrics = {(protocol, names.get(name, name)): found for (protocol, name), found in data.metrics.items()}
    text = (
        "motion: {onset_apex: tvl1, frames: tvl1, emr_factor: 4.0}\nauxiliary: {name: macro}\nviews: {yaws: [-45, 45]}"
    )
    told = replace(data, leaderboard=board, metrics=metrics, settings=text)
    methods = shown(told, "methods")
    assert "magnified 4 times" in methods and "and optical strain from it" in methods
    assert "with the macro-expressions of macro." in methods and "] (modules 1) was trained" in methods
    assert "2 more yaws, −45° to +45°" in methods, "of d_part, which was tested on views here"
    assert "no file of ImageNet weights being given (option weights): d_part." in shown(told, "leaderboard")
    grey = {("loso", "b_micro_exp_stcnn"): data.metrics["loso", "bi_woof"]}
    alone = shown(replace(told, metrics=grey, leaderboard=board.iloc[:0]), "methods")
    assert "flow" not in alone and "yaws" not in alone


def test_where_nothing_is_ranked_the_networks_that_ran_are_cited():
    """Paper A's split mixes subjects: what was done is told once, and no figure of it."""
    data = made_up()
    board = data.leaderboard.assign(ranked=False)
    twice = pd.concat([board, board.assign(protocol="clip_split_80_20")], ignore_index=True)
    text = shown(replace(data, leaderboard=twice, comparisons=pd.DataFrame()), "methods")
    assert text.count("was trained with Adam") == 1 and re.search(r"STSTNet \[\d\] was trained", text)
    assert "Liong" in text and "reached" not in text and "No figure is given, since none is ranked." in text
    assert "since none is ranked" not in shown(data, "methods")


def test_all_subjects_stand_in_tables_that_fit_on_paper():
    data = made_up()
    told = data.predictions["loso", "bi_woof"]
    few = told[told["clip"].ne("toy/s0/c0")]
    many = {("clip_split_80_20", f"b_kernel_{n}"): few for n in range(8)}
    text = shown(replace(data, predictions={**data.predictions, **many}), "subjects")
    tables = re.findall(r"<table>.*?</table>", text, re.DOTALL)
    assert [re.sub(r"^.*?rightly, |\s*<span.*", "", caption)[:9] for caption in re.findall(r"<caption>.*", text)] == [
        "leave-one", "one rando", "one rando"
    ]  # fmt: skip
    assert [table.count('<th scope="col"') for table in tables] == [2 + 4, 2 + 6, 2 + 2]
    assert "b_<wbr>kernel_<wbr>7" in tables[2] and "clip_split" not in tables[2]
    assert [rows_of(table)["toy/s0"][0] for table in tables] == ["6", "5", "5"], "clips of each protocol"
    assert shown(data, "subjects").count("<table>") == 1 and "rightly <" in shown(data, "subjects")


def test_a_strip_that_ends_with_an_unread_frame_says_so():
    data = made_up()
    unmarked = replace(data.saliency[0], experiment="b_micro_exp_stcnn")
    marks = np.zeros_like(unmarked.marks)
    marks[-1, 0, 0, 0] = True
    unread = "because MicroExpSTCNN never reads it"
    assert unread in shown(replace(data, saliency=[unmarked]), "saliency")
    assert unread not in shown(replace(data, saliency=[replace(unmarked, marks=marks)]), "saliency")
    assert unread not in shown(data, "saliency")


def test_a_figure_in_the_paper_says_whose_it_is():
    text = shown(made_up(), "methods")
    for name in ("baseline_linear", "baseline_rbf"):
        assert f"28×28 ({name}) reached UF1" in text
    assert "STSTNet reached UF1" in text and "We used toy, a synthetic corpus of rendered faces: 24" in text


def test_who_lost_clips_is_named_below_the_leaderboard():
    """A method that cannot read the hard clips would otherwise stand above those that can."""
    data = made_up()
    assert "fewer than" not in shown(data, "leaderboard")
    fewer = data.leaderboard.assign(clips=data.leaderboard["clips"] - 2 * data.leaderboard["experiment"].eq("bi_woof"))
    assert "fewer than the 24 clips of the others, so that the order says little: bi_woof (22)" in shown(
        replace(data, leaderboard=fewer), "leaderboard"
    )


def test_several_protocols_are_ranked_apart():
    data = made_up()
    other = data.leaderboard.assign(protocol="kfold", baseline=False)
    both = leaderboard([*data.leaderboard.assign(baseline=False).to_dict("records"), *other.to_dict("records")])
    text = shown(replace(data, leaderboard=both), "leaderboard")
    groups = re.findall(r'class="group">(.*?)<', text)
    assert len(groups) == len(set(groups)) == 4 and all(": " in group for group in groups)


def test_the_page_names_every_leak_that_is_refused():
    text = shown(made_up(), "reading")
    for kind in KINDS:
        assert f">{kind}<" in text
