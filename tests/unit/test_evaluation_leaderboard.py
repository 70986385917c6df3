"""The leaderboard's columns, order and rules of ranking."""

import pandas as pd
import pytest

from mer_lib.evaluation.leaderboard import COLUMNS, leaderboard, rows
from mer_lib.evaluation.metrics import summary

FACTS = {
    "method": "ststnet",
    "protocol": "loso",
    "selection": "fixed",
    "subject_disjoint": True,
    "parameters": 1651,
    "synthetic": False,
}
N, P = "negative", "positive"


def scored(predicted: list[str], **columns) -> dict:
    return summary(pd.DataFrame({"truth": [N, P, N, P], "predicted": predicted, "subject": list("aabb"), **columns}))


def test_columns_are_the_contract():
    contract = (
        "experiment, method, protocol, part, clips, subjects, seeds, uf1, uf1_low, uf1_high, uar, uar_low, uar_high, "
        "accuracy, selection, subject_disjoint, ranked, parameters, synthetic"
    )
    assert ", ".join(COLUMNS) == contract
    board = leaderboard(rows(scored([N, P, N, N]), experiment="one", **FACTS))
    assert list(board.columns) == list(COLUMNS)
    row = board.iloc[0]
    assert (row["part"], row["clips"], row["subjects"], row["seeds"], row["parameters"]) == ("full", 4, 2, 1, 1651)
    assert row["accuracy"] == 0.75 and row["uf1_low"] <= row["uf1"] <= row["uf1_high"]
    assert list(leaderboard([]).columns) == list(COLUMNS)


@pytest.mark.parametrize(
    ("change", "ranked"),
    [
        ({}, True),
        ({"selection": "inner"}, True),
        ({"selection": "oracle"}, False),
        ({"subject_disjoint": False}, False),
        ({"control": True}, False),
    ],
)
def test_only_honest_results_are_ranked(change, ranked):
    assert rows(scored([N, P, N, P]), experiment="one", **{**FACTS, **change})[0]["ranked"] is ranked


def test_order_is_ranked_then_uf1_then_name():
    good, poor = scored([N, P, N, P]), scored([P, N, P, N])
    found = [
        *rows(poor, experiment="poor", **FACTS),
        *rows(good, experiment="oracle", **{**FACTS, "selection": "oracle"}),
        *rows(good, experiment="b", **FACTS),
        *rows(good, experiment="a", **FACTS),
    ]
    assert list(leaderboard(found)["experiment"]) == ["a", "b", "poor", "oracle"]
    assert leaderboard(found).equals(leaderboard(found[::-1]))


def test_baselines_stand_on_top_of_their_protocol():
    good, poor = scored([N, P, N, P]), scored([P, N, P, N])
    found = [
        *rows(good, experiment="network", **FACTS),
        *rows(poor, experiment="line", **{**FACTS, "baseline": True}),
        *rows(poor, experiment="network", **{**FACTS, "protocol": "kfold"}),
        *rows(good, experiment="shuffled", **{**FACTS, "control": True}),
        *rows(good, experiment="cheat", **{**FACTS, "baseline": True, "selection": "oracle"}),
    ]
    board = leaderboard(found)
    assert board[["protocol", "experiment"]].to_numpy().tolist() == [
        ["kfold", "network"], ["loso", "line"], ["loso", "network"], ["loso", "cheat"], ["loso", "shuffled"],
    ]  # fmt: skip
    assert list(board["ranked"]) == [True, True, True, False, False] and tuple(board) == COLUMNS


def test_parts_are_shown_where_there_are_several():
    one = rows(scored([N, P, N, P], dataset="casme2"), experiment="one", **FACTS)
    two = leaderboard(
        rows(scored([N, P, P, N], dataset=["casme2", "casme2", "smic", "smic"]), experiment="one", **FACTS)
    )
    assert [row["part"] for row in one] == ["full"]
    assert list(two["part"]) == ["full", "casme2", "smic"]
    assert list(two["accuracy"]) == [0.5, 1.0, 0.0]
    assert list(two["clips"]) == [4, 2, 2]
    assert two["uf1_low"].isna().tolist() == [False, True, True]


def test_survives_a_csv(tmp_path):
    board = leaderboard(rows(scored([N, P, N, P]), experiment="svm", **{**FACTS, "parameters": None}))
    board.to_csv(tmp_path / "board.csv", index=False)
    back = pd.read_csv(tmp_path / "board.csv")
    assert back["ranked"].dtype == bool and back["parameters"].isna().all() and back["uf1"][0] == board["uf1"][0]
