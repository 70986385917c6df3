"""Comparisons of experiments: which pairs, on which clips, and that their figures are the leaderboard's."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix
from typer.testing import CliRunner

from mer_lib.cli import app
from mer_lib.clips import OFFICIAL_CLASSES as C
from mer_lib.evaluation.comparisons import COLUMNS, comparisons, difference
from mer_lib.evaluation.leaderboard import leaderboard, rows
from mer_lib.evaluation.metrics import scores, summary
from mer_lib.evaluation.statistics import holm
from mer_lib.problems import BadInput

FACTS = {"protocol": "loso", "selection": "fixed", "subject_disjoint": True, "control": False, "method": "m"}


def told(share: float, *, seeds: int = 1, subjects: int = 20, seed: int = 0) -> pd.DataFrame:
    """Predictions that are right with probability ``share``; clips and truth are the same in every table."""
    clips = [(f"d/s{i % subjects}/c{i}", "d", f"d/s{i % subjects}") for i in range(6 * subjects)]
    truth = np.random.default_rng(99).integers(0, 3, len(clips))
    rng = np.random.default_rng(seed)
    tables = []
    for run in range(seeds):
        said = np.where(rng.random(len(clips)) < share, truth, rng.integers(0, 3, len(clips)))
        one = pd.DataFrame(clips, columns=["clip", "dataset", "subject"])
        tables.append(one.assign(yaw=0, seed=run, truth=np.take(C, truth), predicted=np.take(C, said)))
    return pd.concat(tables, ignore_index=True)


def compared(tables: dict[str, pd.DataFrame], **facts) -> pd.DataFrame:
    """The table of comparisons; ``facts`` of an experiment stand under its name."""
    given = [({**FACTS, "experiment": name, **facts.get(name, {})}, table) for name, table in tables.items()]
    return comparisons(given, C, resamples=200, permutations=500)


def test_clips_of_two_subjects_with_one_name_are_counted_apart():
    a, b = (told(share).assign(clip=lambda t: t["clip"].str.split("/").str[2].str[-1]) for share in (0.4, 0.7))
    rows = [table.drop_duplicates(["subject", "clip"]) for table in (a, b)]
    assert difference(*rows, C, resamples=10, permutations=0).clips == len(rows[0]) > rows[0]["clip"].nunique()


def test_a_p_at_the_level_is_not_below_it(monkeypatch):
    monkeypatch.setattr("mer_lib.evaluation.comparisons.permutation", lambda *_: np.array([0.05, 0.05]))
    assert not compared({"fair": told(0.5), "good": told(0.8, seed=2)})["real"].any()


def test_every_pair_once_the_better_first_and_corrected_as_a_family():
    tables = {"poor": told(0.2), "fair": told(0.5, seeds=2, seed=1), "good": told(0.8, seed=2)}
    found = compared(tables)
    assert tuple(found) == COLUMNS
    assert found[["experiment_a", "experiment_b"]].to_numpy().tolist() == [
        ["good", "fair"], ["fair", "poor"], ["good", "poor"],
    ]  # fmt: skip
    assert (found["uf1_difference"] > 0).all() and (found["low"] <= found["uf1_difference"]).all()
    assert set(found["clips"]) == {120} and set(found["subjects"]) == {20}
    np.testing.assert_allclose(found["p_corrected"], holm(found["p"].to_numpy(float)), atol=1e-6)
    np.testing.assert_allclose(found["uar_p_corrected"], holm(found["uar_p"].to_numpy(float)), atol=1e-6)
    assert found["real"].tolist() == (found["p_corrected"] < 0.05).tolist()
    pd.testing.assert_frame_equal(found, compared(dict(reversed(tables.items()))))


def test_differences_are_those_of_the_metrics_files():
    a, b = told(0.7, seeds=3, seed=1), told(0.5, seeds=2, seed=2)
    row = compared({"a": a, "b": b}).iloc[0]
    one, other = summary(a), summary(b)
    assert row["uf1_difference"] == pytest.approx(one["uf1"] - other["uf1"], abs=2e-6)
    assert row["uar_difference"] == pytest.approx(one["uar"] - other["uar"], abs=2e-6)


def test_the_interval_is_a_paired_bootstrap():
    """Drawn again by hand: the same people for both methods."""
    a, b = told(0.7, seed=1), told(0.5, seed=2)
    found = difference(a, b, C, resamples=300, permutations=0)
    counts = [
        [confusion_matrix(rows["truth"], rows["predicted"], labels=C) for _, rows in table.groupby("subject")]
        for table in (a, b)
    ]
    weights = np.random.default_rng(0).multinomial(20, [0.05] * 20, size=300)
    drawn = [scores(np.tensordot(weights, each, 1)).uf1 for each in counts]
    np.testing.assert_allclose([found.low[0], found.high[0]], np.quantile(drawn[0] - drawn[1], [0.025, 0.975]))
    assert np.isnan(found.p).all()


def test_of_very_few_subjects_the_p_value_is_scipys():
    a, b = told(0.9, seed=1, subjects=6), told(0.3, seed=2, subjects=6)
    both = pd.concat([a.assign(who="a" + a["subject"]), b.assign(who="b" + b["subject"])])
    names = sorted(a["subject"].unique())

    def statistic(one, other):
        return np.subtract(
            *(summary(both[both["who"].isin(list(who))].drop(columns="clip"))["uar"] for who in (one, other))
        )

    samples = (np.array(["a" + name for name in names]), np.array(["b" + name for name in names]))
    expected = stats.permutation_test(
        samples, statistic, permutation_type="samples", vectorized=False, n_resamples=np.inf
    )
    assert difference(a, b, C).p[1] == pytest.approx(expected.pvalue)


def test_only_clips_of_both_count():
    a, b = told(0.7, seed=1), told(0.5, seed=2)
    fewer = b[~b["subject"].isin(["d/s0", "d/s1"])]
    row = compared({"a": a, "b": fewer}).iloc[0]
    assert (row["clips"], row["subjects"]) == (108, 18)
    same = summary(a[a["clip"].isin(fewer["clip"])])["uf1"] - summary(fewer)["uf1"]
    assert row["uf1_difference"] == pytest.approx(same, abs=2e-6)


def test_views_beside_the_original_are_not_compared():
    a, b = told(0.7, seed=1), told(0.5, seed=2)
    views = pd.concat([b, b.assign(yaw=45, predicted="negative")])
    pd.testing.assert_frame_equal(compared({"a": a, "b": views}), compared({"a": a, "b": b}))


def test_what_may_not_be_ranked_is_in_no_family():
    tables = {"one": told(0.8), "two": told(0.5, seed=1), "shuffled": told(0.1, seed=2), "mixed": told(0.9, seed=3)}
    facts = {"shuffled": {"control": True}, "mixed": {"subject_disjoint": False}}
    found = compared(tables, **facts)
    assert len(found) == 1 and {found["experiment_a"][0], found["experiment_b"][0]} == {"one", "two"}
    apart = compared({"one": told(0.8), "two": told(0.5)}, two={"protocol": "kfold"})
    assert apart.empty and tuple(apart) == COLUMNS and apart["real"].dtype == bool


def test_an_oracle_is_measured_against_its_sibling_and_never_tested():
    tables = {"net": told(0.5, seeds=2), "net@oracle": told(0.7, seeds=2, seed=1), "other": told(0.5, seed=2),
              "lost@oracle": told(0.9)}  # fmt: skip
    facts = {name: {"selection": "oracle"} for name in tables if "@" in name}
    found = compared(tables, **facts)
    row = found[found["experiment_a"] == "net@oracle"].iloc[0]
    assert row["experiment_b"] == "net" and row["low"] < row["uf1_difference"] < row["high"]
    assert np.isnan(row["p"]) and np.isnan(row["p_corrected"]) and not row["real"]
    assert len(found) == 2
    left = found[found["experiment_a"] != "net@oracle"].iloc[0]
    assert left["p_corrected"] == left["p"]  # the oracle adds nothing to the family


def test_a_worse_oracle_is_said_so():
    tables = {"net": told(0.7), "net@oracle": told(0.3, seed=1)}
    row = compared(tables, **{"net@oracle": {"selection": "oracle"}}).iloc[0]
    assert row["experiment_a"] == "net@oracle" and row["uf1_difference"] < 0


def test_one_subject_gives_neither_interval_nor_p():
    row = compared({"a": told(0.9, subjects=1), "b": told(0.1, subjects=1)}).iloc[0]
    assert row[["low", "high", "p", "p_corrected"]].isna().all() and not row["real"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(clip="x" + t["clip"]), "share no clip"),
        (lambda t: t.assign(truth="negative"), "one truth in one table"),
        (lambda t: t.drop(columns="subject"), "needs the columns clip and subject"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused_in_one_line(change, message):
    with pytest.raises(BadInput, match=message) as error:
        difference(told(0.5), change(told(0.6)), C)
    assert "\n" not in str(error.value)


def test_the_leaderboards_facts_are_what_comparisons_take():
    table = told(0.6)
    facts = {**FACTS, "experiment": "one", "baseline": True}
    assert len(leaderboard(rows(summary(table), parameters=None, synthetic=True, **facts))) == 1
    assert comparisons([(facts, table)], C).empty


def test_two_files_are_compared_on_the_command_line(tmp_path):
    a, b = told(0.8, seed=1), told(0.4, seed=2)
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for table, file in zip((a, b), files, strict=True):
        table.rename(columns={"truth": "y"}).to_csv(file, index=False)
    said = CliRunner().invoke(app, ["compare", *map(str, files), "--truth", "y"])
    assert said.exit_code == 0, said.output
    found = difference(a, b, C)
    lines = said.output.splitlines()
    assert lines[0].startswith("120 clips of 20 subjects")
    assert lines[3].split() == [
        "UF1", f"{found.value[0]:+.4f}", f"{found.low[0]:+.3f}", "to", f"{found.high[0]:+.3f}", f"{found.p[0]:.4f}"
    ]  # fmt: skip
    a.drop(columns="subject").rename(columns={"truth": "y"}).to_csv(files[0], index=False)
    said = CliRunner().invoke(app, ["compare", *map(str, files), "--truth", "y"])
    assert said.exit_code == 2 and said.output.count("\n") == 1 and "clip and subject" in said.output
