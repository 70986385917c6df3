"""The report page: what it must hold, what it must leave out, and that it stays by itself."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from html import escape
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from report_toys import CLASSES, headings, made_up, resolved, shown

from mer_lib import clips, registry
from mer_lib.evaluation.metrics import summary
from mer_lib.report import figures, ui
from mer_lib.report.collect import collect
from mer_lib.report.data import ReportData
from mer_lib.report.page import build, write_page

NASTY = "<script>alert(1)</script>"
VOID = {"meta", "img", "br", "wbr", "link", "input"}


class Outline(HTMLParser):
    """Tags, attributes and ids of a page; complains of tags that are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.open = [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page() -> str:
    return build(made_up())


def test_every_section_is_there_in_its_order(page):
    entries = sorted(registry.entries("section").values(), key=lambda entry: entry.meta["order"])
    assert headings(page) == [entry.name for entry in entries]
    assert len({entry.meta["order"] for entry in entries}) == len(entries)
    assert re.findall(r'<li><a href="#(\w+)"', page) == headings(page)


def test_empty_sections_vanish():
    data = made_up()
    bare = build(ReportData(corpus="toy", synthetic=False, clips=data.clips))
    assert headings(bare) == ["overview"]
    empty = {name: pd.DataFrame() for name in ("problems", "costs", "comparisons", "controls", "published")}
    without = {**empty, "examples": (), "curves": {}, "saliency": ()}
    data = replace(data, identity=())
    left = headings(build(replace(data, **without)))
    assert set(headings(build(data))) - set(left) == {*without, "motion", "last_epochs"}  # examples and curves, too


def test_the_page_loads_nothing(page):
    outline = Outline(page)
    for tag, attributes in outline.tags:
        for name in ("src", "href", "srcset", "action", "data"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:image/")), (tag, name, value[:80])
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in outline.tags}
    assert "@import" not in page and not re.search(r"url\((?!#)", page)
    assert "http://" not in page and "https://" not in page
    assert "default-src 'none'" in page


def test_ids_are_unique_and_references_lead_somewhere(page):
    ids = [a["id"] for _, a in Outline(page).tags if "id" in a]
    assert len(ids) == len(set(ids))
    used = re.findall(r'href="#([^"]+)', page) + re.findall(r"url\(#([^)]+)", page)
    assert len(used) > 20 and set(used) <= set(ids)


def test_pictures_have_a_text_and_tables_have_scopes(page):
    outline = Outline(page)
    assert len(outline.all("img")) == 18 and all(image["alt"] for image in outline.all("img"))
    assert len(outline.all("svg")) > 8 and all(drawing["aria-label"] for drawing in outline.all("svg"))
    assert all(cell.get("scope") for cell in outline.all("th"))
    assert len(outline.all("caption")) == len(outline.all("table")) > 5


def test_drawings_take_the_pages_colours(page):
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        assert "var(--ink)" in drawing and "var(--line)" in drawing
        assert not re.search(r"#[0-9a-f]{6}\b", drawing)


def test_synthetic_results_are_called_so_everywhere(page):
    assert 'class="banner"' in page and "<title>Micro-expressions: toy (synthetic)</title>" in page
    for name in set(headings(page)) - {"provenance", "methods", "reading"}:
        section = re.search(rf'<section id="{name}".*?</section>', page, re.DOTALL).group()
        captions = re.findall(r"<caption>.*?</caption>|<figcaption>.*?</figcaption>", section, re.DOTALL)
        ours = [caption for caption in captions if ": published" not in caption]
        assert ours and all("synthetic data" in caption for caption in ours), name


@pytest.fixture(scope="module")
def real() -> str:
    return build(made_up(synthetic=False))


def test_real_results_are_not_called_synthetic(real):
    assert "synthetic" not in real.split("</style>")[1]


def test_real_faces_come_with_a_word_about_their_licence(real):
    assert "Check what the licence" in real


WORDS = (  # names and texts that others give: classes, clips, people, files, problems, experiments, settings
    "negative", "positive", "surprise", "toy/s0/c0", "toy/s3", "toy", "c9.mkv", "no face", "check it", "ststnet",
    "baseline_rbf", "flow28", "shuffled_bi_woof", "train", "who", "Table 3", "torch", "2.13.0", "tvl1_opencv",
)  # fmt: skip
LOOKED_FOR = ("split", "part", "protocol", "severity", "selection")  # columns whose words are the contract's own


def planted(value, words: re.Pattern):
    """The same data with a script in front of each of the words, wherever it stands: values, keys, names of columns."""
    if isinstance(value, str):
        return words.sub(lambda found: NASTY + found[0], value)
    if isinstance(value, pd.DataFrame):
        text = {name: column.map(lambda cell: planted(cell, words)) for name, column in value.items()
                if name not in LOOKED_FOR}  # fmt: skip
        return value.assign(**text).rename(columns=lambda name: planted(name, words) if name[:2] == "p_" else name)
    if isinstance(value, Mapping):
        return {planted(key, words): planted(inner, words) for key, inner in value.items()}
    if is_dataclass(value):
        return replace(value, **{each.name: planted(getattr(value, each.name), words) for each in fields(value)})
    if isinstance(value, tuple | list):
        return type(value)(planted(inner, words) for inner in value)
    return value


def test_text_is_escaped():
    words = re.compile("|".join(sorted(map(re.escape, WORDS), key=len, reverse=True)))
    page = build(planted(made_up(), words))
    assert headings(page) == headings(build(made_up()))
    assert "<script" not in page
    for word in WORDS:
        assert f"{escape(NASTY)}{word}" in page, word
    Outline(page)


def test_figures_on_the_page_are_the_leaderboards(page):
    data = made_up()
    best = data.leaderboard.query("experiment == 'ststnet'").iloc[0]
    assert f"{best['uf1']:.3f}" in page and f"{best['uf1_low']:.2f} to {best['uf1_high']:.2f}" in page
    board = re.search(r'<section id="leaderboard".*?</section>', page, re.DOTALL).group()
    assert "Not ranked" not in board
    for change, why in (({}, "a control or a quick look"), ({"subject_disjoint": False}, "subjects on both sides")):
        unranked = data.leaderboard.assign(ranked=False, **change)
        assert f"Not ranked: {why}<" in shown(replace(data, leaderboard=unranked), "leaderboard")


def test_columns_that_compare_with_nothing_are_left_out():
    data = made_up()
    without = replace(data, baselines=(), leaderboard=data.leaderboard.assign(ranked=False))
    assert "against the baseline" in shown(data, "leaderboard") and "against the best" in shown(data, "leaderboard")
    board = shown(without, "leaderboard")
    assert (
        "against the" not in board
        and "epoch chosen" in board
        and board.count("<td") < shown(data, "leaderboard").count("<td")
    )


def test_unranked_results_stay_out_of_the_paper():
    data = made_up()
    unranked = data.leaderboard.assign(ranked=data.leaderboard["experiment"] == "ststnet")
    text = shown(replace(data, leaderboard=unranked), "methods")
    assert "STSTNet reached UF1" in text and "Bi-WOOF" not in text
    assert "TV-L1" in text and "24 labelled clips (8 negative, 8 positive and 8 surprise) of 4 subjects" in text


def test_an_experiments_own_recipe_is_what_the_paper_says():
    own = {"ststnet": {"method": "ststnet", "train": {"epochs": 30, "selection": "inner"}}}
    text = shown(replace(made_up(), resolved=resolved(experiments=own)), "methods")
    assert "learning rate of 5e-05, in batches of 256, for at most 30 epochs, the best" in text


def test_optimizers_are_spelt_as_they_are():
    for name, spelt in (("adam", "Adam"), ("sgd", "SGD")):
        data = replace(made_up(), resolved=resolved(train={"optimizer": name}))
        assert f"was trained with {spelt} at a learning rate" in shown(data, "methods")


def test_chance_is_one_over_the_classes_that_occur(monkeypatch):
    """Three classes declared, two in the truth of one protocol: the dashed line stands where the text says."""
    data, drawn = made_up(), []
    told = pd.DataFrame({"truth": ["negative", "positive"] * 9, "predicted": "negative"})
    monkeypatch.setattr(figures, "dots", lambda *given, **more: drawn.append([d.chance for d in given[2]]) or "")
    few = replace(data, metrics={key: summary(told, CLASSES) for key in data.metrics})
    assert shown(few, "leaderboard") and drawn == [[0.5] * 4] * 2
    assert "about 0.50 in both, which the figures call chance" in shown(few, "reading")
    split = {("clip_split_80_20", name): found for (_, name), found in few.metrics.items()}
    board = [data.leaderboard, data.leaderboard.assign(protocol="clip_split_80_20")]
    both = replace(data, metrics={**data.metrics, **split}, leaderboard=pd.concat(board, ignore_index=True))
    drawn.clear()
    assert shown(both, "leaderboard") and drawn == [[1 / 3] * 4 + [0.5] * 4] * 2
    lines = re.findall(r"Under ([^:]+): Always answering[^<]+about ([.0-9]+) in both", shown(both, "reading"))
    assert [(name[:3], chance) for name, chance in lines] == [("lea", "0.33"), ("one", "0.50")]


def test_the_line_of_chance_goes_over_where_rows_meet():
    rows = [figures.Dot(name, 0.6, 0.5, 0.7, chance) for name, chance in (("a", 0.25), ("b", 0.25), ("c", 0.5))]
    drawing = figures.dots("d", "UF1", rows, "alt")
    (path,) = re.findall(r'<path d="([^"]+)"[^>]*stroke-dasharray', drawing)
    at = [tuple(map(float, point)) for point in re.findall(r"([\d.]+) ([\d.]+)", path)]
    assert at[0][0] == at[1][0] < at[-2][0] == at[-1][0]
    assert [y for _, y in at] == sorted(y for _, y in at) and at[1][1] < at[-1][1]


LONG = "quick_micro_exp_fuse_intermediate_18 (quick_subjects)"
BINS = [{"confidence": 0.5, "accuracy": 0.4, "predictions": 3}]


def test_long_titles_are_broken_and_not_cut():
    """Browsers' fonts are at most as wide as the one that matplotlib measures, which is what the lines are held to."""
    drawing = figures.reliability("r", LONG, BINS, "alt")
    texts = re.findall(r"<text[^>]*>(.*?)</text>", drawing, re.DOTALL)
    told = [line for text in texts for line in re.sub(r"<[^>]+>", "", text).split("\n") if line.strip()]
    lines = told[-3:]
    assert "".join(lines).replace(" ", "") == LONG.replace(" ", "")
    wide = max(
        TextPath((0, 0), line, size=11, prop=FontProperties(weight="bold")).get_extents().width for line in lines
    )
    assert wide < 72 * (figures._SMALL - figures._MARGIN)


def test_a_legend_covers_no_curve():
    x = np.arange(3.0)
    drawing = figures.lines("l", "UF1", ("yaw", "UF1"), {name: (x, x, x, x) for name in "abc"}, "alt")
    at = {word: float(y) for y, word in re.findall(r'y="([\d.]+)"[^>]*>([^<]+)</text>', drawing)}
    assert min(at["a"], at["b"], at["c"]) > at["yaw"], "below the axes and their name"


def test_epochs_are_whole():
    x = np.array([1.0, 2.0])
    drawing = figures.lines("l", "UF1", ("epoch", "UF1"), {"a": (x, x + 0.25, x, x)}, "alt")
    words = re.findall(r'y="([\d.]+)"[^>]*>([^<]+)</text>', drawing)
    (axis,) = {y for y, word in words if word == "2"}
    assert [word for y, word in words if y == axis] == ["1", "2"]


def test_a_share_has_its_whole_range():
    x, none = np.arange(3.0), np.zeros(3)
    drawing = figures.lines("l", "UF1", ("yaw", "UF1"), {"a": (x, none, none, none)}, "alt", share=True)
    words = re.findall(r">([\d.−]+)</text>", drawing)
    assert {"0.0", "0.2", "1.0"} <= set(words) and not any("−" in word for word in words)


def test_what_has_commas_is_told_apart_by_more():
    assert ui.listing(["a", "b", "c"]) == "a, b and c" and ui.listing(["a, of d"]) == "a, of d"
    assert ui.listing(["a, of d", "b"]) == "a, of d; and b" and ui.listing(["a, of d", "b", "c"]) == "a, of d; b; and c"


def test_a_bars_number_stays_below_its_rows_name():
    drawing = figures.histograms("h", "title", {"first": np.zeros(3), "second": np.zeros(3)}, "alt")
    at = [(float(y), word) for y, word in re.findall(r'y="([\d.]+)"[^>]*>([^<]+)</text>', drawing)]
    names, numbers = ([y for y, word in at if word in words] for words in (("first", "second"), ("3",)))
    assert all(number - name > 10 for name, number in zip(names, numbers, strict=True)), "a line's height, in points"


def test_a_difference_of_nothing_has_no_minus():
    assert ui.signed(-0.0) == ui.signed(-1e-9) == "+0.000" and ui.span(-1e-9, 0.5) == "0.00 to 0.50"


def gathered(folder, experiments, lost=()) -> ReportData:
    """``made_up`` written to files and collected again, its experiments under other names."""
    data = made_up()
    names = dict(zip([key[1] for key in data.metrics], experiments, strict=False))
    clips.save(data.clips, folder / "clips.csv")
    board, pairs = data.leaderboard.replace(names), data.comparisons.replace(names)
    board[board["experiment"].isin(experiments)].to_csv(folder / "b.csv", index=False)
    pairs[pairs["experiment_a"].isin(experiments) & pairs["experiment_b"].isin(experiments)].to_csv(folder / "d.csv")
    data.problems.to_csv(folder / "p.csv", index=False)
    data.costs.to_csv(folder / "c.csv", index=False)
    files = {"metrics": [], "predictions": [], "curves": []}
    for key, name in names.items():
        for kind in files:
            files[kind].append(folder / f"{name}.{kind}")
        told = data.predictions["loso", key]
        files["metrics"][-1].write_text(json.dumps(data.metrics["loso", key]))
        told[~told["clip"].isin(lost)].to_csv(files["predictions"][-1], index=False)
        data.curves["loso", "ststnet"].to_csv(files["curves"][-1], index=False)
    tables = {name: folder / f"{name[0]}.csv" for name in ("problems", "costs")}
    tables |= {"leaderboard": folder / "b.csv", "clips": folder / "clips.csv", "comparisons": folder / "d.csv"}
    keys = [("loso", name) for name in experiments]
    pictures = {"registered": [], "motion": [], "examples": 0}
    how = {name: data.resolved[own].model_dump_json() for own, name in names.items()}
    return collect("toy", keys, synthetic=True, settings="", resolved=how, tables=tables, **files, **pictures)


def test_names_of_experiments_are_names(tmp_path):
    data = gathered(tmp_path, ["NA", "006"])
    assert set(data.leaderboard["experiment"]) == {"NA", "006"}
    assert data.leaderboard["ranked"].dtype == bool and data.leaderboard["uf1"].dtype == float
    assert data.compared("loso", "006", "NA").value == -data.compared("loso", "NA", "006").value
    board = shown(data, "leaderboard")
    assert ">NA<" in board and ">006<" in board
    alone = gathered(tmp_path, ["006", "007"])
    assert set(alone.leaderboard["experiment"]) == {"006", "007"}


def test_ids_and_classes_on_the_page_are_not_guessed(tmp_path):
    data = gathered(tmp_path, ["one", "two"])
    path = tmp_path / "one.predictions"
    pd.read_csv(path).assign(subject="006", truth="01", predicted="01").to_csv(path, index=False)
    again = collect(
        "toy", [("loso", "one")], synthetic=True, settings="", resolved={}, metrics=[tmp_path / "one.metrics"],
        predictions=[path], curves=[tmp_path / "one.curves"], registered=[], motion=[], examples=0,
        tables={"clips": tmp_path / "clips.csv", "leaderboard": tmp_path / "b.csv", "problems": tmp_path / "p.csv",
                "costs": tmp_path / "c.csv"},
    )  # fmt: skip
    assert set(again.provenance["Tables"]) == {"clips", "loso/one"}, "of each protocol"
    assert set(again.predictions["loso", "one"][["subject", "truth"]].itertuples(index=False, name=None)) == {
        ("006", "01")
    }
    assert len(data.problems) == 1


def test_clips_that_training_lost_are_among_what_went_wrong(tmp_path):
    """A fold that was left out leaves no problem in any store."""
    data = gathered(tmp_path, ["one", "two"], lost=["toy/s0/c0", "toy/s0/c4"])
    told = data.problems[data.problems["stage"] == "train"]
    assert list(told["clip"]) == ["toy/s0/c0", "toy/s0/c4"]
    wrong = shown(data, "problems")
    assert "toy/s0/c4" in wrong and "not in the predictions of one (loso), two (loso)" in wrong


def test_auxiliary_clips_are_told_apart():
    """They are in no figure, and the count of lost clips is of the corpus."""
    data = made_up()
    beside = data.problems.assign(stage="auxiliary faces", clip="macro/s1/c1")
    both = replace(data, problems=pd.concat([data.problems, beside], ignore_index=True))
    assert "no figure above misses one (1)" in shown(both, "problems") and "macro/s1/c1" in shown(both, "problems")
    assert "no figure above misses one" not in shown(data, "problems")
    assert shown(both, "overview") == shown(data, "overview")


def test_same_data_same_page_and_it_is_written_whole(page, tmp_path):
    write_page(tmp_path / "report" / "index.html", made_up())
    assert (tmp_path / "report" / "index.html").read_text(encoding="utf-8") == page
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["index.html"]
