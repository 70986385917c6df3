"""The papers' figures: spot checks against the papers, links to experiments that exist, and the page's table."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from report_toys import made_up, shown

from mer_lib import params, registry
from mer_lib.evaluation import published
from mer_lib.evaluation.leaderboard import ORACLE
from mer_lib.report.page import build
from mer_lib.report.sections import published as published_section

ROOT = Path(__file__).parents[2]
SETS = params.load(ROOT / "params.yaml").all_sets()
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
    spread = table["metric"].eq("last_deviation")
    assert table.loc[~spread, "value"].dropna().between(0.1, 1).all() and table.loc[spread, "value"].lt(0.1).all()


def test_matrices_are_the_papers():
    """Sizes and diagonals; of A's both they contradict the accuracies that it prints, .83 and .68."""
    right, size = {}, {}
    for paper in "AB":
        for (exhibit, dataset), rows in published.confusions(paper).groupby(["exhibit", "dataset"]):
            assert set(rows["truth"]) == set(rows["predicted"]) and len(rows) == 9
            assert set(rows["experiment"]) <= set(SETS[f"paper_{paper}"])
            size[paper, exhibit, dataset] = rows["clips"].sum()
            right[paper, exhibit, dataset] = rows.loc[rows["truth"].eq(rows["predicted"]), "clips"].sum()
    a, b = (
        [("A", "Table III", "casme_sq"), ("A", "Table IV", "smic")],
        [("B", "Table VI", "casme_sq"), ("B", "Table VII", "smic")],
    )
    assert [size[k] for k in (*a, *b)] == [120, 90, 41, 32] and [right[k] for k in (*a, *b)] == [110, 75, 36, 22]


def test_the_sweep_of_kernels_is_of_best_epochs():
    """Its 3×3×15 is Table V's figure, so each of ours stands with its best epoch."""
    told = published.figures("B").set_index(["exhibit", "experiment", "dataset"])["value"]
    assert told["Table IX", KEY[1], "casme_sq"] == told["Table V", KEY[1], "casme_sq"] == 0.878
    swept = set(told["Table IX"].index.get_level_values("experiment"))
    assert len(swept) == 12 and all(SETS["paper_B"][name].oracle for name in swept)


def test_a_matrix_that_is_only_drawn_is_ours_alone_and_part_by_part():
    """Paper C prints no cells of Fig. 4; of a composite it draws the data sets, too."""
    data = replace(one_split(("loso", "c_mjfn")), confusions=published.confusions("C"))
    captions = re.findall(r"<caption>(Fig\. 4: [^<]*)", shown(data, "published"))
    assert len(captions) == 1 and captions[0].startswith("Fig. 4: ours, toy, c_mjfn: ")
    assert published_section.DRAWN in section_of(data) and published_section.DRAWN not in section_of(one_split(KEY))
    told = data.predictions["loso", "c_mjfn"]
    parts = told.assign(dataset=["smic", "samm"] * (len(told) // 2))
    text = shown(replace(data, predictions={("loso", "c_mjfn"): parts}), "published")
    assert [c.split(",")[1] for c in re.findall(r"<caption>(Fig\. 4: [^<]*)", text)] == [" toy", " samm", " smic"]
    assert "Fig. 4: " not in shown(replace(data, predictions={}), "published")


@pytest.mark.parametrize("paper", "ABCD")
def test_every_target_is_found_by_the_papers_name_of_it(paper):
    """What docs/models.md promises of a paper stands on its page."""
    row = re.search(rf"\| `paper_{paper}` \|.*", (ROOT / "docs/models.md").read_text(encoding="utf-8"))[0]
    promised = re.findall(r"(?:Tables?|Fig\.) [IVX\d]+", row)
    key = {"A": KEY_A, "B": KEY, "C": ("loso", "c_mjfn"), "D": ("loso", "d_part")}[paper]
    data = replace(
        one_split(key),
        published=published.figures(paper), confusions=published.confusions(paper), counted=published.counted(paper),
    )  # fmt: skip
    sections = ("published", "filters", *(["saliency"] if paper == "B" else []))
    page = "".join(shown(data, name) for name in sections)
    assert promised and all(name.replace("Tables", "Table") in page for name in promised)


def test_clips_of_both_sides_are_the_papers():
    sums = published.counted("B").groupby("dataset")[["train", "test"]].sum()
    assert sums.loc["casme_sq"].tolist() == [165, 41] and sums.loc["smic"].tolist() == [124, 32]
    assert published.counted("C").empty and published.confusions("").empty


def test_no_paper_no_figures():
    assert published.figures("").empty


def test_the_page_sets_ours_beside_the_published():
    data = made_up()
    ours = data.leaderboard[data.leaderboard["experiment"].eq("ststnet")].iloc[0]
    rows = [("C", "Table 3", "STSTNet", "ststnet", "casme2", "loso", "uf1", 0.8382)]
    page = build(replace(data, published=pd.DataFrame(rows, columns=list(published.COLUMNS))))
    section = page.split('<section id="published"')[1].split("</section>")[0]
    assert "Table 3: UF1" in section and "0.8382" in section and f"{ours.uf1:.3f}" in section
    assert 'id="published"' not in build(replace(data, published=pd.DataFrame()))


KEY = ("clip_split_80_20", "b_micro_exp_stcnn")
KEY_A = ("clip_split_80_20_views", "a_multiview_net")


def section_of(data) -> str:
    return re.sub(r"<[^>]+>", " ", shown(data, "published"))


def one_split(key, **changes):
    """The toy run under the name of a paper's experiment."""
    data, (protocol, name) = made_up(), key
    old = data.leaderboard[data.leaderboard["experiment"].isin(["ststnet", f"ststnet{ORACLE}"])]
    board = old.assign(protocol=protocol, experiment=old["experiment"].str.replace("ststnet", name))
    taken = {each: {key: getattr(data, each)["loso", "ststnet"]} for each in ("metrics", "predictions", "curves")}
    paper = "B" if name.startswith("b_") else "A"
    told = {"published": published.figures(paper), "confusions": published.confusions(paper)}
    return replace(data, leaderboard=board, **{**taken, **told, **changes})


def test_the_best_epoch_stands_beside_and_the_last_ten_have_a_table():
    epochs = pd.DataFrame({"fold": "split", "seed": 0, "epoch": range(1, 12), "split": "test", "loss": 1.0, "uf1": 0.1,
                           "accuracy": [0.9] + [0.2, 0.4] * 5})  # fmt: skip
    data = one_split(KEY, curves={KEY: epochs})
    text, board = section_of(data), data.leaderboard.set_index("experiment")["accuracy"]
    honest, best = board[KEY[1]], board[KEY[1] + ORACLE]
    assert re.search(rf"{honest:.3f}\s+best epoch {best:.3f}", text)
    assert re.search(r"0\.8220\s+0\.0502\s+–\s+–\s+0\.300\s+0\.105", text), "mean and deviation of ten, not of eleven"
    without = replace(data, leaderboard=data.leaderboard[data.leaderboard["selection"] != "oracle"])
    assert "best epoch" not in section_of(without)


def test_a_class_that_was_not_tested_has_no_shares():
    data = one_split(KEY)
    told = data.predictions[KEY]
    few = replace(data, predictions={KEY: told[told["truth"].ne("positive")]})
    assert len(re.findall(r"positive(\s+–){3}", section_of(few))) == 1
    assert not re.findall(r"positive(\s+–){3}", section_of(data))


def test_where_views_are_tested_ours_is_the_mean_over_them():
    key = KEY_A
    data = one_split(key)
    views = {"-5": {"accuracy": 0.25}, "0": {"accuracy": 0.9}, "5": {"accuracy": 0.5}}
    views = {yaw: {**found, "uf1": 0.1, "uar": 0.1} for yaw, found in views.items()}
    text = section_of(replace(data, metrics={key: {**data.metrics[key], "by_yaw": views}}))
    assert re.search(r"Lu et al\.\s+a_multiview_net\s+clip_split_80_20_views\s+0\.83\s+0\.68\s+0\.375", text)
    told = data.predictions[key]
    turned = told[told["yaw"].ne(0)]
    right = turned["truth"].eq(turned["predicted"]).mean()
    assert f"Table III: ours, toy, a_multiview_net: {right:.0%} right" in text and len(turned) < len(told)


def test_the_page_of_models_says_where_paper_a_contradicts_itself():
    cells, told = published.confusions("A"), published.figures("A")
    right = cells[cells["truth"].eq(cells["predicted"])].groupby("exhibit")["clips"].sum()
    shares = right / cells.groupby("exhibit")["clips"].sum()
    own = told[told["exhibit"].eq("Table II") & told["experiment"].eq(KEY_A[1]) & told["protocol"].eq(KEY_A[0])]
    printed = own.set_index("dataset")["value"]
    page = " ".join((ROOT / "docs/models.md").read_text(encoding="utf-8").split())
    assert f"{shares['Table III']:.0%} and {shares['Table IV']:.0%} of the answers" in page.replace(" %", "%")
    assert f"Table II prints {printed['casme_sq']:.2f} and {printed['smic']:.2f}".replace("0.", ".") in page


def test_clips_that_a_filter_keeps():
    data = made_up()
    table = data.clips.assign(onset=0, offset=[9 if n % 2 else 40 for n in range(24)]).astype(data.clips.dtypes)
    tested = {("clip_split_80_20", "x"): pd.DataFrame({"clip": table["clip"][:6]})}
    counted = pd.DataFrame([("B", "Table IV", "smic", "negative", 18, 60, 19)], columns=published.COUNTS)
    text = shown(replace(data, clips=table, predictions=tested, counted=counted), "filters").replace("\u00a0", " ")
    # of 8 clips a class, 2 are tested; every other one is long: of those tested, one of each class
    assert "clips are all = trained on + tested, ours all = not tested + tested:" in text
    assert "79 = 60 + 19" in text and text.count("8 = 6 + 2") == 3 and text.count("4 = 3 + 1") == 3


def test_every_network_stands_in_the_zoo():
    models = set(registry.entries("model"))
    for target, head in (("zoo", "quick"), ("zoo_full", "full")):
        assert {e.method for e in SETS[target].values()} == models
        assert all(name == f"{head}_{e.method}" for name, e in SETS[target].items())
    assert SETS["zoo_full"]["full_mjfn"].train.epochs == 300, "its paper's recipe"
