"""One small run from an empty checkout to the report: the contract's files, and what reruns when something changes."""

import json
import re
from contextlib import ExitStack
from html.parser import HTMLParser

import pandas as pd
import pytest
from running import MINI, count

from mer_lib import clips, problems, weights
from mer_lib.evaluation import leaderboard
from mer_lib.learning import curves
from mer_lib.report import costs
from mer_lib.store import Store

EXPERIMENTS = ("baseline_linear", "baseline_rbf", "bi_woof", "ststnet")
CLASSES = ("negative", "positive", "surprise")
# docs/contract.md and ../shared/contract.md, written out so that a change of the code cannot change the test with it.
CLIPS = (
    "clip", "dataset", "subject", "name", "source", "kind", "type", "fps", "frames", "onset", "apex", "offset",
    "emotion", "label", "action_units", "flags",
)  # fmt: skip
PREDICTIONS = (
    "clip", "dataset", "subject", "yaw", "fold", "seed", "truth", "predicted",
    "p_negative", "p_positive", "p_surprise",
)  # fmt: skip
CURVES = ("fold", "seed", "epoch", "split", "loss", "accuracy", "uf1")
LEADERBOARD = (
    "experiment", "method", "protocol", "part", "clips", "subjects", "seeds", "uf1", "uf1_low", "uf1_high",
    "uar", "uar_low", "uar_high", "accuracy", "selection", "subject_disjoint", "ranked", "parameters", "synthetic",
)  # fmt: skip
METRICS = {
    "classes", "uf1", "uar", "accuracy", "f1_macro", "f1_weighted", "per_class", "confusion", "parts", "by_yaw",
    "seeds", "intervals",
}  # fmt: skip
APEX = ["clip", "apex", "how", "score"]
COSTS = ("stage", "experiment", "jobs", "seconds", "cpu_seconds", "peak_mb")


def read(mini, path: str) -> pd.DataFrame:
    return pd.read_csv(mini.root / "results/synthetic" / path, keep_default_na=False)


@pytest.fixture(params=EXPERIMENTS)
def experiment(request):
    return request.param


def test_the_clip_table(mini):
    table = read(mini, "clips.csv")
    assert tuple(table) == CLIPS == clips.COLUMNS
    assert len(table) == MINI["synthetic"]["subjects"] * MINI["synthetic"]["clips"]
    assert table["clip"].is_unique
    for row in table.itertuples():
        assert row.clip == f"{row.subject}/{row.name}" and row.subject.startswith("synthetic/")
        assert 0 <= row.onset < row.apex < row.offset < row.frames
    assert set(table["kind"]) == {"video"} and set(table["type"]) == {"micro"} and set(table["label"]) <= set(CLASSES)
    assert (table["fps"] == MINI["synthetic"]["fps"]).all()
    assert all((mini.root / "data/synthetic" / source).is_file() for source in table["source"])


def test_every_clip_is_predicted_once_a_seed(mini, experiment):
    table, found = read(mini, "clips.csv"), read(mini, f"predictions/loso/{experiment}.csv")
    assert tuple(found) == PREDICTIONS
    seeds = MINI["seeds"] if experiment == "ststnet" else [0]  # a linear SVM draws nothing
    for seed in seeds:
        assert sorted(found.loc[found["seed"] == seed, "clip"]) == sorted(table["clip"])
    assert set(found["seed"]) == set(seeds) and (found["yaw"] == 0).all()
    assert (found["fold"] == found["subject"]).all()
    truth = table.set_index("clip")["label"]
    assert (found["truth"] == truth[found["clip"]].to_numpy()).all()


def test_probabilities(mini, experiment):
    found = read(mini, f"predictions/loso/{experiment}.csv")
    shares = found[[f"p_{name}" for name in CLASSES]].to_numpy(float)
    assert ((shares >= 0) & (shares <= 1)).all()
    assert abs(shares.sum(1) - 1).max() < 1e-5
    assert (found["predicted"] == [CLASSES[i] for i in shares.argmax(1)]).all()


def test_the_curves(mini):
    found = read(mini, "curves/loso/ststnet.csv")
    assert tuple(found) == CURVES == curves.COLUMNS
    assert set(found["split"]) == {"train", "test"}
    last = found.groupby(["fold", "seed", "split"])["epoch"]
    assert (last.max() == MINI["train"]["epochs"]).all() and (last.count() >= 10).all()
    assert (found[["accuracy", "uf1"]].to_numpy() <= 1).all() and (found["loss"] > 0).all()
    assert tuple(read(mini, "curves/loso/bi_woof.csv")) == CURVES


def test_the_metrics_are_those_of_the_predictions(mini, experiment):
    found = json.loads((mini.root / f"results/synthetic/metrics/loso/{experiment}.json").read_text())
    assert set(found) >= METRICS
    assert found["classes"] == list(CLASSES)
    predictions = read(mini, f"predictions/loso/{experiment}.csv")
    assert sum(map(sum, found["confusion"])) == len(predictions)
    right = [(row.truth == row.predicted) for row in predictions.itertuples()]
    assert found["accuracy"] == pytest.approx(sum(right) / len(right), abs=1e-5)
    low, high = found["intervals"]["uf1"]
    assert 0 <= low <= high <= 1
    done = mini.run("mer", "metrics", f"results/synthetic/predictions/loso/{experiment}.csv", "--json")
    assert done.rc == 0, done.output
    assert json.loads(done.output)["uf1"] == found["uf1"]


def test_the_leaderboard(mini):
    table = read(mini, "leaderboard.csv")
    assert tuple(table) == LEADERBOARD == leaderboard.COLUMNS
    assert sorted(table["experiment"]) == list(EXPERIMENTS)
    assert table["synthetic"].all() and table["ranked"].all() and table["subject_disjoint"].all()
    assert set(table["part"]) == {"full"} and set(table["selection"]) == {"fixed"}
    assert list(table["experiment"][:2].str.startswith("baseline_")) == [True, True], "they stand on top"
    seeds = dict(zip(table["experiment"], table["seeds"].astype(int), strict=True))
    assert seeds == {"baseline_linear": 1, "baseline_rbf": 1, "bi_woof": 1, "ststnet": 2}
    parameters = dict(zip(table["experiment"], table["parameters"], strict=True))
    assert parameters["bi_woof"] == "" and int(float(parameters["ststnet"])) == 1651  # methods.md, Liong et al. 2019


def test_what_it_cost(mini):
    table = read(mini, "costs.csv")
    assert tuple(table) == COSTS == costs.COLUMNS
    jobs = {(row.stage, row.experiment): row.jobs for row in table.itertuples()}
    assert jobs["render", ""] == 3 and jobs["faces", ""] == 2 and jobs["features", ""] == 4 + 2
    assert jobs["train", "ststnet"] == 2
    assert (table["seconds"] > 0).all()
    # The figure the project promises for its largest job, which shows here if anything holds more than a clip.
    assert pd.to_numeric(table["peak_mb"]).max() < 2000


def test_nothing_was_lost_or_spotted(mini):
    found = read(mini, "problems.csv")
    assert tuple(found) == problems.COLUMNS
    assert not (found["severity"] == "skipped").any(), found.to_string()
    assert list(read(mini, "apex.csv")) == APEX and read(mini, "apex.csv").empty  # every apex is annotated
    assert (mini.root / "results/synthetic/summary.txt").read_text().startswith("6 clips: 6 went through, 0 lost")


def test_stores_hold_every_clip(mini):
    ids = list(read(mini, "clips.csv")["clip"])
    for stage, names in {
        "faces": ["first", "frames", "geometry", "landmarks", "probability"],
        "registered": ["first", "frames", "homography", "how", "landmarks", "parallax", "residual"],
        "depth": ["depth", "doubt", "hidden", "outside"],
        "multiview/views/onset_apex": ["first", "frames", "landmarks", "visible", "yaw"],
        "motion/onset_apex": ["flow", "pair", "strain"],
        "features/bi_woof": ["x"],
        "features/flow28": ["x"],
    }.items():
        held = []
        for path in sorted((mini.root / "results/synthetic" / stage).glob("*.h5")):
            with Store(path) as store:
                assert store.names() == names
                held += store.clips
        assert held == ids, stage
    assert not (mini.root / "results/synthetic/motion/frames").exists()  # nobody reads it


def test_models_carry_their_card(mini, experiment):
    _, card = weights.load(mini.root / f"results/synthetic/models/{experiment}.safetensors")
    assert card["synthetic"] is True and card["clips"] == 6 and card["subjects"] == 3
    costs = (1651, 679776) if experiment == "ststnet" else (None, None)  # a classifier's are not counted
    assert (card["parameters"], card["flops"]) == costs
    assert set(card["pipeline"]) >= {"faces", "registered", "motion", "features", "apex", "descriptor"}


class Links(HTMLParser):
    """What a page would fetch."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        fetched = ("src", "data", "poster", "srcset") if tag != "link" else ("href",)
        self.found += [given[name] for name in fetched if given.get(name)]


def test_the_report_is_one_file(mini):
    folder = mini.root / "results/synthetic/report"
    assert [f.name for f in folder.iterdir() if not f.name.startswith(".")] == ["index.html"]
    text = (folder / "index.html").read_text(encoding="utf-8")
    page = Links()
    page.feed(text)
    assert all(address.startswith("data:") for address in page.found)
    assert not re.search(r"@import|url\((?!['\"]?(data:|#))", text)
    assert "synthetic" in text.split("</header>")[0].lower()
    assert "rendered" in text.lower()
    for experiment in EXPERIMENTS:
        assert experiment in text


def test_the_run_ends_with_its_summary(mini):
    output = (mini.root / "mini-run.txt").read_text(encoding="utf-8")
    assert "6 clips: 6 went through, 0 lost" in output
    assert "Warning" not in output, [line for line in output.splitlines() if "Warning" in line]


def test_a_second_run_does_nothing(mini):
    before = mini.digests("results", "data")
    done = mini.snakemake("all")
    assert done.rc == 0 and "Nothing to be done" in done.output
    assert mini.digests("results", "data") == before
    assert mini.planned() == []


EVALUATE = {"metrics", "leaderboard", "comparisons"}
REPORT = {"costs", "report_page", "summary"}
LEARN = {"train_folds", "final_model", "join_predictions", "join_curves"} | EVALUATE | REPORT
FEATURES = {"features_shard", "join_features", "problems"} | LEARN
MOTION = {"motion_shard"} | FEATURES
REGISTER = {"register_shard"} | MOTION
FACES = {"faces_shard", "depth_shard", "views_shard"} | REGISTER
CROP = {"shots_shard", "depth_model"} | FACES  # the depth network learns from crops of the same kind
RENDER = {"index", "render_subject"} | FACES


def of(found, *rules: str) -> set[str]:
    """The experiments or descriptors whose files these rules' jobs would write."""
    written = [path for job in found if job.rule in rules for path in job.output]
    return {name for name in ("bi_woof", "ststnet", "flow28") for path in written if name in path}


BOTH = {"bi_woof", "ststnet", "flow28"}
NETWORK, CLASSIFIER = {"ststnet"}, {"bi_woof"}
slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("config", "expected", "touched"),
    [
        pytest.param({"synthetic": {"strength": [1.0, 2.0]}}, RENDER, BOTH, id="synthetic.strength", marks=slow),
        pytest.param({"faces": {"size": 160}}, CROP, BOTH, id="faces.size"),
        pytest.param({"registration": {"ransac_px": 0.5}}, REGISTER, BOTH, id="registration.ransac_px", marks=slow),
        pytest.param({"motion": {"onset_apex": "dis"}}, MOTION, BOTH, id="motion.onset_apex", marks=slow),
        pytest.param({"descriptors": {"bi_woof": {"blocks": 6}}}, FEATURES, CLASSIFIER, id="descriptors.blocks"),
        # A network's recipe is no business of a classifier, nor the other way round.
        pytest.param({"train": {"lr": 0.001}}, LEARN, NETWORK, id="train.lr"),
        pytest.param({"classifier": {"options": {"c": 2.0}}}, LEARN, CLASSIFIER, id="classifier.options", marks=slow),
        # `mer predict` spots by it, so it stands on the models' cards; nothing was spotted here.
        pytest.param({"motion": {"frames": "farneback"}}, {"final_model", "leaderboard"} | REPORT, CLASSIFIER | NETWORK,
                     id="motion.frames", marks=slow),
        pytest.param({"evaluation": {"resamples": 200}}, EVALUATE | REPORT, set(), id="evaluation.resamples"),
        pytest.param({"report": {"examples": 1}}, {"report_page", "summary"}, set(), id="report.examples"),
        # The page shows the settings.
        pytest.param({"problems": {"strict": True}}, {"report_page", "summary"}, set(), id="strict", marks=slow),
    ],
)  # fmt: skip
def test_a_parameter_reruns_what_stands_on_it(mini, config, expected, touched):
    found = mini.planned(**config)
    assert set(count(found)) == expected
    assert of(found, "features_shard", "train_folds", "final_model") == touched


@pytest.mark.parametrize(
    ("files", "expected", "touched"),
    [
        pytest.param(["descriptors/bi_woof.py"], FEATURES, CLASSIFIER, id="descriptor"),
        pytest.param(["models/ststnet.py"], LEARN, NETWORK, id="network", marks=slow),
        pytest.param(["evaluation/metrics.py"], EVALUATE | REPORT, set(), id="metrics", marks=slow),
        pytest.param(["report/sections/curves.py"], {"report_page", "summary"}, set(), id="report", marks=slow),
        pytest.param(["synth/HEAD.md", "commands/doctor.py"], set(), set(), id="unused"),
    ],
)
def test_an_edited_library_file_reruns_what_uses_it(mini, files, expected, touched):
    with ExitStack() as edits:
        for file in files:
            edits.enter_context(mini.edited(f"mer_lib/{file}"))
        found = mini.planned()
    assert set(count(found)) == expected
    assert of(found, "features_shard", "train_folds") == touched


@pytest.mark.slow
def test_knobs_of_execution_change_no_byte(mini, fresh):
    other = fresh()
    profile = other.root / "profiles/other"
    profile.mkdir()
    (profile / "config.yaml").write_text("keep-going: false\nmax-threads: 1\n")
    done = other.snakemake("all", "--profile", "profiles/other", cores=1)
    assert done.rc == 0, done.output
    folders = ("data", *(f"results/synthetic/{name}" for name in (
        "clips.csv", "faces", "registered", "motion", "features", "folds", "predictions", "curves", "models", "metrics"
    )))  # fmt: skip
    promised = mini.digests(*folders)
    assert len(promised) > 30
    assert other.digests(*folders) == promised
    for table in ("clips.csv", "problems.csv", "leaderboard.csv"):
        path = f"results/synthetic/{table}"
        assert (other.root / path).read_bytes() == (mini.root / path).read_bytes()
