"""The papers' figures: spot checks against the papers, links to experiments that exist, and the page's table."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from report_toys import made_up

from mer_lib import params, registry
from mer_lib.evaluation import published
from mer_lib.report.page import build

SETS = params.load(Path(__file__).parents[2] / "params.yaml").all_sets()
PRINTED = {
    ("A", "Lu et al.", "casme_sq", "clip_split_80_20_views", "accuracy"): 0.83,
    ("B", "MicroExpSTCNN", "smic", "clip_split_80_20", "accuracy"): 0.6875,
    ("C", "MJFN", "megc2019", "loso", "uf1"): 0.8338,
    ("C", "MJFN-BbN", "samm", "loso", "uar"): 0.6487,
    ("D", "Part + Adversarial + EMR", "smic", "loso", "uf1"): 0.7461,
}


@pytest.mark.parametrize("row", PRINTED)
def test_a_figure_is_the_papers(row):
    paper, *rest = row
    table = published.figures(paper).groupby(["method", "dataset", "protocol", "metric"], sort=False)["value"].first()
    assert table[tuple(rest)] == PRINTED[row]


@pytest.mark.parametrize("paper", "ABCD")
def test_the_table_names_what_exists(paper):
    table = published.figures(paper)
    assert tuple(table) == published.COLUMNS and len(table)
    assert not table.duplicated(list(published.COLUMNS[:-1])).any()
    assert set(table["experiment"]) - {""} <= set(SETS[f"paper_{paper}"])
    assert set(table["dataset"]) <= set(registry.entries("corpus"))
    assert set(table["protocol"]) <= set(registry.entries("protocol"))
    assert set(table["metric"]) <= set(published.METRICS)
    assert table["value"].dropna().between(0.1, 1).all()


def test_no_paper_no_figures():
    assert published.figures("").empty


def test_the_page_sets_ours_beside_the_published():
    data = made_up()
    ours = data.leaderboard[data.leaderboard["experiment"].eq("ststnet")].iloc[0]
    rows = [("C", "Table 3", "STSTNet", "ststnet", "casme2", "loso", "uf1", 0.8382)]
    page = build(replace(data, published=pd.DataFrame(rows, columns=list(published.COLUMNS))))
    section = page.split('<section id="published"')[1].split("</section>")[0]
    assert "Table 3: UF1" in section and "0.838" in section and f"{ours.uf1:.3f}" in section
    assert 'id="published"' not in build(replace(data, published=pd.DataFrame()))


def test_every_network_stands_in_the_zoo():
    models = set(registry.entries("model"))
    for target, head in (("zoo", "quick"), ("zoo_full", "full")):
        assert {e.method for e in SETS[target].values()} == models
        assert all(name == f"{head}_{e.method}" for name, e in SETS[target].items())
    assert SETS["zoo_full"]["full_mjfn"].train.epochs == 300, "its paper's recipe"
