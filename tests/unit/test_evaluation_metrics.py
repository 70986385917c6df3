"""Metrics against published figures, scikit-learn and resamples drawn by hand."""

import json
import runpy
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from mer_lib import problems
from mer_lib.clips import OFFICIAL_CLASSES as C
from mer_lib.evaluation import statistics
from mer_lib.evaluation.metrics import scores, summary
from mer_lib.evaluation.predictions import infer_classes, read, unscored
from mer_lib.problems import BadInput

DATA = Path(__file__).parent.parent / "data" / "megc2019"
DATASETS = {"sub": "casme2", "s": "smic", "": "samm"}


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    """The predictions of STSTNet's authors, with the data set told from the subject's name."""
    table = pd.read_csv(DATA / "ststnet_authors_predictions.csv", dtype={"subject": str})
    prefix = table["subject"].str.extract(r"^([a-z]*)", expand=False)
    return table.assign(dataset=prefix.map(DATASETS))


def table(truth, predicted, **columns) -> pd.DataFrame:
    return pd.DataFrame({"truth": truth, "predicted": predicted, **columns})


def random_table(seed: int, rows: int = 120, subjects: int = 7, seeds: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    one = {
        "clip": [f"d/s/{i}" for i in range(rows)],
        "subject": [f"d/s{i % subjects}" for i in range(rows)],
        "truth": [C[k] for k in rng.choice(3, rows, p=[0.6, 0.3, 0.1])],
    }
    guesses = [[C[k] for k in rng.integers(0, 3, rows)] for _ in range(seeds)]
    return pd.concat(
        [pd.DataFrame({**one, "seed": s, "predicted": g}) for s, g in enumerate(guesses)], ignore_index=True
    )


def test_published_predictions_of_ststnet(published):
    found = summary(published)
    assert (round(found["uf1"], 4), round(found["uar"], 4)) == (0.7209, 0.7250)
    parts = {name: (round(part["uf1"], 4), round(part["uar"], 4)) for name, part in found["parts"].items()}
    assert parts == {"casme2": (0.8304, 0.8304), "smic": (0.6871, 0.6876), "samm": (0.5993, 0.6145)}
    assert {name: (part["clips"], part["subjects"]) for name, part in found["parts"].items()} == {
        "casme2": (145, 24),
        "smic": (164, 16),
        "samm": (133, 28),
    }
    assert (found["clips"], found["subjects"]) == (442, 68)
    low, high = found["intervals"]["uf1"]
    assert 0.62 < low < found["uf1"] < high < 0.82


def test_truth_and_prediction_are_not_interchangeable(published):
    """UAR of swapped columns is macro-precision: the slip behind STSTNet's printed .7605."""
    right = summary(published)
    swapped = summary(published.rename(columns={"truth": "predicted", "predicted": "truth"}))
    precision = sk.precision_score(published["truth"], published["predicted"], average="macro")
    assert swapped["uar"] == pytest.approx(precision, abs=1e-6)
    assert abs(right["uar"] - precision) > 0.005
    assert np.array_equal(swapped["confusion"], np.transpose(right["confusion"]))
    assert right["confusion"][0][1] == ((published["truth"] == 0) & (published["predicted"] == 1)).sum()


def test_always_negative_on_the_official_list():
    truth = pd.read_csv(DATA / "combined_3class_gt.csv", header=None)[3]
    found = summary(table(truth, 0))
    assert [round(found[name], 3) for name in ("accuracy", "uf1", "uar")] == [0.566, 0.241, 0.333]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_agrees_with_scikit_learn(pairs):
    truth, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    confusion = sk.confusion_matrix(truth, predicted, labels=[0, 1, 2])
    found = scores(confusion)
    present = np.unique(truth)
    each = sk.f1_score(truth, predicted, labels=[0, 1, 2], average=None, zero_division=0)
    assert found.uf1 == pytest.approx(each[present].mean())
    assert found.uar == pytest.approx(
        sk.recall_score(truth, predicted, labels=present, average="macro", zero_division=0)
    )
    assert found.accuracy == pytest.approx(sk.accuracy_score(truth, predicted))
    assert found.f1_micro == pytest.approx(sk.f1_score(truth, predicted, average="micro"))
    assert found.f1_macro == pytest.approx(sk.f1_score(truth, predicted, average="macro", zero_division=0))
    assert found.f1_weighted == pytest.approx(sk.f1_score(truth, predicted, average="weighted", zero_division=0))
    assert summary(table(truth, predicted), C)["confusion"] == confusion.tolist()


def test_parts_have_all_figures_and_are_cut_from_the_same_rows(published):
    found = summary(published)
    for name, rows in published.groupby("dataset"):
        part, truth, predicted = found["parts"][name], rows["truth"], rows["predicted"]
        assert part["confusion"] == sk.confusion_matrix(truth, predicted).tolist()
        for average in ("micro", "macro", "weighted"):
            assert part[f"f1_{average}"] == pytest.approx(sk.f1_score(truth, predicted, average=average), abs=1e-6)
        each = [part["per_class"][c]["recall"] for c in C]
        assert each == pytest.approx(list(sk.recall_score(truth, predicted, average=None)), abs=1e-6)
    parts = [found["parts"][name]["confusion"] for name in DATASETS.values()]
    assert np.array_equal(np.sum(parts, axis=0), found["confusion"])


def test_figures_averaged_over_folds_are_not_these(published):
    """The two ways in use to average F1 over subjects, on the same predictions: far from .7209 and from each other."""
    people = published.groupby("subject")
    folds = [scores(sk.confusion_matrix(p["truth"], p["predicted"], labels=[0, 1, 2])) for _, p in people]
    each = np.array([fold.f1 for fold in folds])
    assert np.nan_to_num(each).mean() == pytest.approx(0.422, abs=0.001)
    assert np.mean([fold.uf1 for fold in folds]) == pytest.approx(0.701, abs=0.001)


def test_names_and_official_numbers_score_alike():
    named = random_table(0)
    numbered = named.assign(**{c: named[c].map(C.index) for c in ("truth", "predicted")})
    assert summary(numbered) == summary(named)
    assert summary(numbered.astype({"truth": float, "predicted": str})) == summary(named)


def test_a_class_that_never_occurs_is_left_out_of_the_means():
    found = summary(table(["negative"] * 3 + ["positive"], ["negative", "negative", "surprise", "positive"]))
    assert found["uar"] == pytest.approx((2 / 3 + 1) / 2, abs=1e-6)
    assert found["uf1"] == pytest.approx((0.8 + 1) / 2, abs=1e-6)
    assert found["f1_macro"] == pytest.approx((0.8 + 1 + 0) / 3, abs=1e-6)
    assert found["per_class"]["surprise"] == {"precision": 0.0, "recall": None, "f1": 0.0, "support": 0}


def test_a_class_that_is_never_predicted_counts_as_zero():
    found = summary(table(["negative", "positive"], ["negative", "negative"]))
    assert found["per_class"]["positive"] == {"precision": None, "recall": 0.0, "f1": 0.0, "support": 1}
    assert found["uar"] == 0.5


def test_seeds_are_averaged_after_scoring():
    both = random_table(3, seeds=2)
    found, alone = summary(both), [summary(rows) for _, rows in both.groupby("seed")]
    values = [one["uf1"] for one in alone]
    assert found["uf1"] == pytest.approx(np.mean(values), abs=2e-6)
    assert found["seeds"]["mean"]["uf1"] == found["uf1"]
    assert found["seeds"]["std"]["uf1"] == pytest.approx(np.std(values, ddof=1), abs=2e-6)
    assert [found["seeds"]["each"][s]["uf1"] for s in ("0", "1")] == values
    assert alone[0]["seeds"]["std"] == {"uf1": None, "uar": None}
    assert np.array_equal(found["confusion"], np.add(*(one["confusion"] for one in alone)))
    assert found["clips"] == 120
    assert found["per_class"]["negative"]["support"] == alone[0]["per_class"]["negative"]["support"]


def test_views_stand_beside_the_original_not_in_it():
    original = random_table(4).assign(yaw=0)
    left, right = (original.assign(yaw=yaw, predicted=random_table(s)["predicted"]) for yaw, s in ((-45, 5), (45, 6)))
    views = pd.concat([original, left, right])
    found, alone = summary(views), summary(original)
    assert {name: found[name] for name in found if name != "by_yaw"} == {n: alone[n] for n in alone if n != "by_yaw"}
    assert list(found["by_yaw"]) == ["-45", "0", "45"]
    assert found["by_yaw"]["45"]["uf1"] == summary(right)["uf1"]
    assert alone["by_yaw"] == {}
    only = summary(views[views["yaw"] != 0])
    assert only["clips"] == 120 and only["accuracy"] != alone["accuracy"]


def test_subjects_of_two_data_sets_with_one_number_are_two():
    same = random_table(7).assign(dataset=["a", "b"] * 60, subject="1").drop(columns="clip")
    assert summary(same)["subjects"] == 2


def test_clips_of_two_subjects_with_one_name_are_two():
    rows = random_table(7)
    short = rows.assign(clip=[f"c{i}" for i in rows.groupby("subject").cumcount()])
    assert short["clip"].nunique() < 120 and summary(short) == summary(rows)


def test_rows_without_a_data_set_are_of_no_part():
    rows = random_table(7)
    assert summary(rows.assign(dataset=None)) == summary(rows.assign(dataset=""))


def test_bootstrap_is_resampling_of_subjects():
    rows = random_table(8, subjects=5)
    counts = np.stack(
        [sk.confusion_matrix(part["truth"], part["predicted"], labels=C) for _, part in rows.groupby("subject")]
    )
    drawn = statistics.resample(counts, 20, seed=1)
    groups = [part for _, part in rows.groupby("subject")]
    weights = np.random.default_rng(1).multinomial(5, [0.2] * 5, size=20)
    for sample, weight in zip(drawn, weights, strict=True):
        chosen = pd.concat([part for part, times in zip(groups, weight, strict=True) for _ in range(times)])
        expected = sk.balanced_accuracy_score(chosen["truth"], chosen["predicted"])
        assert scores(sample).uar == pytest.approx(expected)


def test_interval_of_identical_subjects_has_no_width():
    one = random_table(9, rows=30).drop(columns=["subject", "clip"])
    found = summary(pd.concat([one.assign(subject=f"s{i}") for i in range(6)]))
    assert found["intervals"]["uf1"] == [found["uf1"], found["uf1"]]


def test_interval_covers_what_it_should():
    """80 of 100 experiments' 80% intervals should hold the true accuracy of a balanced guesser (UAR one third)."""
    rng = np.random.default_rng(0)
    truth = np.tile([0, 1, 2], 40)
    subjects = np.repeat(np.arange(30), 4)
    held = 0
    for _ in range(100):
        guess = rng.integers(0, 3, 120)
        low, high = summary(table(truth, guess, subject=subjects), confidence=0.8)["intervals"]["uar"]
        held += low <= 1 / 3 <= high
    assert 70 <= held <= 90


@pytest.mark.parametrize("columns", [{}, {"subject": "only"}])
def test_no_interval_without_several_subjects(columns):
    found = summary(table(["negative", "positive"], ["negative", "negative"], **columns))
    assert found["intervals"] == {"uf1": None, "uar": None}
    assert found["subjects"] == (1 if columns else None)


def test_order_of_rows_changes_nothing_and_the_file_is_json():
    rows = random_table(10, seeds=2).assign(dataset="d")
    shuffled = rows.sample(frac=1, random_state=0)
    assert json.dumps(summary(rows), allow_nan=False) == json.dumps(summary(shuffled), allow_nan=False)


def test_a_subject_of_whom_nothing_was_scored_is_in_no_figure():
    rows = random_table(12, subjects=6)
    without = rows[rows["subject"] != "d/s0"]
    blank = rows[rows["subject"] == "d/s0"].assign(truth="")
    with problems.collect():
        assert summary(pd.concat([without, blank])) == summary(without)
    assert summary(without)["subjects"] == 5


def test_equal_probabilities_leave_the_answer_that_was_given():
    even = {f"p_{name}": 1 / 3 for name in C}
    found = summary(table(["negative", "positive"], ["surprise", "positive"], **even))
    assert found["accuracy"] == 0.5 and found["confusion"][0] == [0, 0, 1]


def test_rows_without_truth_are_told_and_not_scored():
    rows = random_table(11)
    with problems.collect() as found:
        scored = summary(pd.concat([rows, rows.head(5).assign(truth="", clip=[f"x{i}" for i in range(5)])]))
    assert scored == summary(rows)
    assert "5 of 125 rows have no truth" in found[0].what


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (table(["negative"], ["negative"]).rename(columns={"truth": "thruth"}), "did you mean 'thruth'"),
        (table(["negative"], ["negativ"]), "did you mean 'negative'"),
        (table(["negative", "positive"], ["negative", None]), "1 rows have no predicted class"),
        (table(["negative", "positive"], ["negative", ""]), "1 rows have no predicted class"),
        (table([0, 1], [0, 3]), "holds '3', which is no class"),
        (table(["", None], ["negative", "negative"]), "nothing to score"),
        (table(["negative"] * 2, ["negative"] * 2, clip="a/b/c", seed=0), "clip a/b/c: 1 predictions repeat"),
        (
            table(["negative"] * 2, ["negative"] * 2, clip="a/b/c", fold=["a/b", "a/c"]),
            "clip a/b/c: 1 predictions repeat",
        ),
        (
            table([0, 0, 1], [0, 0, 1], clip=["a", "a", "b"], seed=[0, 1, 1]),
            "clip b: 1 clips or views lack the prediction",
        ),
        (table([0, 1], [0, 1], yaw=["0", ""]), "yaw holds '', which is no number"),
        (table([0, 1], [0, 0], clip="a/b/c", seed=[0, 1]), "clip a/b/c: 1 clips have one truth in one row and another"),
        (table([0, 1, 2], [0, 1, 2], subject=["a", "", None]), "2 rows have no subject"),
        (table([0, 1], [0, 1], clip=["a", "b"], yaw=[0, 15]), "1 clips lack the original view"),
        (table(["negative", 1], ["negative", 1]), "holds '1', which is no class"),
    ],
)
def test_bad_tables_are_refused_in_one_line(rows, message):
    with pytest.raises(BadInput, match=message.replace("(", r"\(")) as error:
        summary(rows, C)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("rows", "classes"),
    [
        (table(["surprise"], ["positive"]), C),
        (table([0, 2], [1, 0]), C),
        (table(["b", "a"], ["c", "a"]), ("a", "b", "c")),
        (table([4, 0], [1, 0]), ("0", "1", "2", "3", "4")),
        (table(["b"], ["a"], p_b=0.1, p_a=0.9), ("b", "a")),
        (table(["0.0", "2.0", ""], ["1", "0", "1"]), C),
        (table(["02", "01"], ["01", "01"]), ("01", "02")),
    ],
)
def test_classes_are_taken_from_the_table(rows, classes):
    assert infer_classes(rows) == classes


def test_class_names_that_look_like_numbers_are_names():
    names = ("1", "2", "0")
    assert summary(table(["1", "2", "0"], ["1", "2", "2"]), names)["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]


def test_a_file_is_read_without_guessing(tmp_path):
    rows = table(["01", "1e3", "true"], ["NA", "null", "01"], clip=["1", "2", "3"], subject="006", seed=0, p_01=0.5)
    rows.to_csv(tmp_path / "a.csv", index=False)
    found = read(tmp_path / "a.csv")
    text = ["truth", "predicted", "clip", "subject"]
    assert found[text].to_dict("list") == rows[text].to_dict("list")
    assert found["seed"].dtype == np.int64 and found["p_01"].dtype == float


def test_the_workflow_scores_names_that_look_like_numbers(tmp_path, repository, monkeypatch):
    """Classes 01, 02, 03 read as numbers would be taken for positions, each clip for its neighbour."""
    job = ModuleType("_job")
    job.job = lambda snakemake: nullcontext()
    monkeypatch.setitem(sys.modules, "_job", job)
    names = ["01", "02", "03"]
    table(["01", "02", "01"], ["01", "02", "02"]).to_csv(tmp_path / "in.csv", index=False)
    given = SimpleNamespace(classes=names, evaluation={"resamples": 100})
    files = {"input": [tmp_path / "in.csv"], "output": [tmp_path / "out.json"]}
    script = repository / "workflow/scripts/metrics.py"
    runpy.run_path(str(script), {"snakemake": SimpleNamespace(params=given, **files)})
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["classes"] == names and found["confusion"] == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_labelled_clips_that_training_lost_are_told():
    clips = pd.DataFrame({"clip": list("abcde"), "label": ["x", "x", "x", "", "x"]})
    lost = pd.DataFrame([problems.Problem("no face", "-", "a", severity="skipped").row()])
    tested = {("loso", "one"): pd.DataFrame({"clip": list("bbc")}), ("loso", "two"): pd.DataFrame({"clip": ["b"]})}
    found = unscored(clips, lost, tested)
    assert found[["clip", "what"]].to_dict("split")["data"] == [
        ["c", "not in the predictions of two (loso)"],
        ["e", "not in the predictions of one (loso), two (loso)"],
    ]
    assert tuple(found) == problems.COLUMNS and set(found["severity"]) == {"skipped"}
    assert unscored(clips, lost, {}).empty
    assert unscored(clips, lost, {("clip_split_80_20", "one"): tested["loso", "two"]}).empty, "it tests a part alone"
