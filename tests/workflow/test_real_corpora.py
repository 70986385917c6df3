"""Data sets as they lie on a lab's disk, through the whole DAG: generated layouts, acted by a rendered face."""

import sys

import pandas as pd
import pytest
from running import TRACEBACK, count

from mer_lib.clips import OFFICIAL_CLASSES
from mer_lib.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # on a machine with other work
SMALL = {"faces": {"size": 64}, "folds_per_job": 8, "seeds": [0], "train": {"epochs": 4}}


@pytest.fixture(scope="module")
def layouts(repository):
    sys.path.insert(0, str(repository / "tests"))
    import layouts.megc2019
    import layouts.megc2019_features

    yield layouts
    sys.path.remove(str(repository / "tests"))


@pytest.fixture(scope="module")
def sets(fresh, layouts):
    """CASME II, SMIC and SAMM side by side, two subjects of each; all three corpora of them, up to the report."""
    project = fresh(**SMALL, corpora=["casme2", "smic", "megc2019"], experiments="ststnet")
    layouts.megc2019.write(project.root / "data", subjects=2, clips=3, size=112)
    done = project.snakemake("all")
    assert done.rc == 0 and TRACEBACK not in done.output, done.output
    return project


def read(project, corpus: str, name: str) -> pd.DataFrame:
    return pd.read_csv(project.root / f"results/{corpus}/{name}", keep_default_na=False)


@pytest.mark.parametrize("corpus", ["casme2", "smic", "megc2019"])
def test_every_clip_with_a_label_is_predicted(sets, corpus):
    table, problems = read(sets, corpus, "clips.csv"), read(sets, corpus, "problems.csv")
    labelled = table[table["label"] != ""]
    assert len(labelled) >= 6 and labelled["subject"].nunique() >= 2
    lost = problems[(problems["severity"] == "skipped") & problems["clip"].isin(table["clip"])]
    assert lost.empty, lost.to_string()
    for experiment in ("ststnet", "baseline_linear", "baseline_rbf"):
        predicted = read(sets, corpus, f"predictions/loso/{experiment}.csv")
        assert set(predicted["clip"]) == set(labelled["clip"])
        assert (predicted["fold"] == predicted["subject"]).all()
    page = (sets.root / f"results/{corpus}/report/index.html").read_text(encoding="utf-8")
    assert not read(sets, corpus, "leaderboard.csv")["synthetic"].any()
    assert "ststnet" in page and "rendered" not in page


def test_the_composite_carries_its_data_sets(sets):
    """Ids, parts and the frames themselves: a clip of the composite is cropped from its own set's folder."""
    table = read(sets, "megc2019", "clips.csv")
    assert set(table["dataset"]) == {"casme2", "smic", "samm"}
    assert all(clip.startswith(f"{dataset}/") for clip, dataset in zip(table["clip"], table["dataset"], strict=True))
    board = read(sets, "megc2019", "leaderboard.csv")
    assert set(board.loc[board["experiment"] == "ststnet", "part"]) == {"full", "casme2", "smic", "samm"}
    shared = set(table["clip"]) & set(read(sets, "casme2", "clips.csv")["clip"])
    assert shared
    frames = {}
    for corpus in ("casme2", "megc2019"):
        for path in (sets.root / f"results/{corpus}/faces").glob("*.h5"):
            with Store(path) as store:
                frames |= {(corpus, clip): store.read(clip, "frames").tobytes() for clip in shared & set(store.clips)}
    for clip in shared:
        assert frames["casme2", clip] == frames["megc2019", clip]


def test_a_missing_apex_is_spotted(sets):
    """SMIC's folders name none; its clips begin and end with the expression."""
    table, spotted = read(sets, "smic", "clips.csv").set_index("clip"), read(sets, "smic", "apex.csv").set_index("clip")
    assert set(spotted.index) == set(table.index)
    assert (spotted["apex"] > 0).all() and (spotted["apex"] < table.loc[spotted.index, "frames"].astype(int)).all()


def test_a_second_run_has_nothing_to_do(sets):
    assert sets.planned("all") == []


def test_published_features_need_no_video(fresh, layouts):
    """The flat form of the archive, cut to four subjects; all others are told, and a Bi-WOOF has nothing to read."""
    project = fresh(**SMALL, corpora=["megc2019-features"])
    root = layouts.megc2019_features.write_flat(project.root / "data/megc2019-features")
    kept = ("sub17_", "sub05_", "s03_", "006_")
    for path in root.glob("*.png"):
        if not path.name.startswith(kept):
            path.unlink()
    jobs = count(project.planned("all"))
    assert not {"faces_shard", "register_shard", "motion_shard", "features_shard"} & set(jobs)
    done = project.snakemake("all")
    assert done.rc == 0 and TRACEBACK not in done.output, done.output
    table = read(project, "megc2019-features", "clips.csv")
    assert set(table["kind"]) == {"features"} and set(table["label"]) <= set(OFFICIAL_CLASSES)
    board = read(project, "megc2019-features", "leaderboard.csv")
    assert set(board["experiment"]) == {"ststnet", "baseline_linear", "baseline_rbf"}
    assert (board.loc[board["part"] == "full", "clips"] == len(table)).all() and len(table) > 20
    assert "experiment bi_woof is left out: corpus megc2019-features has 'flow28' only" in done.output
