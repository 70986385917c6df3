"""Nothing stale, ever: after each of these, what must be made anew is made anew, and nothing else is.

Each test works on a clone with what was pulled, so that file times and Snakemake's own memory say nothing, as on
another machine.
"""

import hashlib
import json
from contextlib import ExitStack

import pandas as pd
import pytest
from recordings import HEADER, take
from running import Project, clone, ran

from mer_lib.ingest.writer import write_video
from mer_lib.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # on a machine with other work

METRICS = "results/synthetic/metrics/loso/bi_woof.json"
EVALUATED = ("results/synthetic/metrics/", "results/synthetic/leaderboard.csv", "results/synthetic/comparisons.csv")
NARROW = {"evaluation": {"confidence": 0.5}}  # narrower intervals; no other figure moves
UP_TO_DATE = "Data and pipelines are up to date."


@pytest.fixture
def cloned(published, tmp_path) -> Project:
    return clone(published, tmp_path / "clone")


def figures(project: Project) -> dict:
    return json.loads((project.root / METRICS).read_text(encoding="utf-8"))


def width(project: Project) -> float:
    low, high = figures(project)["intervals"]["uar"]
    return high - low


def changed(project: Project, before: dict[str, str]) -> set[str]:
    after = project.promised()
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def touched(project: Project) -> Project:
    """As docs/dvc.md says after a pull: Snakemake takes what is there for up to date."""
    done = project.snakemake("all", "--touch", "--forceall", cores=1)
    assert done.rc == 0, done.output
    return project


def cache_is_whole(project: Project) -> bool:
    """Whether every object of DVC's cache still has the bytes that it is named by."""
    objects = [path for path in (project.root / ".dvc/cache/files/md5").rglob("*") if path.is_file()]
    assert len(objects) > 20
    return all(
        hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == path.parent.name + path.stem
        for path in objects
    )


def test_stale_a_parameter_changed_after_a_pull(cloned):
    """Gone back to and changed again: the run cache has what was made before, and nothing is computed."""
    before, wide = cloned.promised(), width(cloned)
    assert ran(cloned.dvc("repro").output) == []
    cloned.settings(**NARROW)
    assert ran(cloned.dvc("repro").output) == ["evaluate", "report"]
    assert width(cloned) < wide
    now = changed(cloned, before)
    assert METRICS in now and all(name.startswith(EVALUATED) for name in now)
    assert UP_TO_DATE in cloned.dvc("repro").output
    narrow = cloned.promised()
    cloned.git("checkout", "--", ".")
    cloned.dvc("checkout")
    assert changed(cloned, before) == set() and ran(cloned.dvc("repro").output) == []
    cloned.settings(**NARROW)
    done = cloned.dvc("repro")
    assert ran(done.output) == []
    assert "Stage 'evaluate@synthetic' is cached - skipping run" in done.output
    assert changed(cloned, narrow) == set()


def test_stale_library_code_changed(cloned):
    """Code that shapes a stage's results reruns it; code that no stage runs does not."""
    added = (
        "\n_before = summary\n\n\ndef summary(*given, **named):\n    return {**_before(*given, **named), 'new': 1}\n"
    )
    with cloned.edited("mer_lib/commands/doctor.py"):
        assert UP_TO_DATE in cloned.dvc("repro").output
    before = cloned.promised()
    asked = ("repro", "--single-item", "evaluate@synthetic")
    with cloned.edited("mer_lib/evaluation/metrics.py", added):
        named = {line.split("@")[0].removesuffix(":") for line in cloned.dvc("status").lines if line[:1].strip()}
        assert named == {"depth", "attention", "evaluate", "report"}, "those that list mer_lib/evaluation"
        assert ran(cloned.dvc(*asked).output) == ["evaluate"]
        assert figures(cloned)["new"] == 1
        assert all(name.startswith(EVALUATED) for name in changed(cloned, before))
    assert ran(cloned.dvc(*asked).output) == ["evaluate"], "its outputs are in git, so a pull brings none to go back to"
    assert changed(cloned, before) == set()


def test_stale_a_script_changed(cloned):
    added = '    write_text(json.dumps({**found, "new": 1}), snakemake.output[0])\n'
    before = cloned.promised()
    with cloned.edited("workflow/scripts/metrics.py", added):
        assert ran(cloned.dvc("repro", "evaluate@synthetic").output) == ["evaluate"]
        assert figures(cloned)["new"] == 1
        assert all(name.startswith(EVALUATED) for name in changed(cloned, before))


def held(project: Project, stage: str) -> set[str]:
    """The clips in the stores of a stage of the corpus `lab`."""
    found = set()
    for path in (project.root / "results/lab" / stage).glob("*.h5"):
        with Store(path) as store:
            found |= set(store.clips)
    return found


def test_stale_a_sample_dropped_and_restored(cloned):
    """Own recordings, versioned as docs/dvc.md says: `dvc add`, then the stages of that corpus."""
    folder = cloned.root / "data/lab"
    for subject in range(4):
        write_video(folder / f"s{subject}.avi", take(subject, 8), 25)
    rows = [f"s{subject},s{subject},0,4,7,negative" for subject in range(4)]
    (folder / "clips.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    cloned.settings(corpora=["synthetic", {"name": "lab", "adapter": "folder"}], faces={"size": 64, "every": 4})
    listed = (cloned.root / "dvc.yaml").read_text(encoding="utf-8")
    named = listed.replace("corpora_in_dvc: [synthetic]", "corpora_in_dvc: [synthetic, lab]")
    assert named != listed
    (cloned.root / "dvc.yaml").write_text(named, encoding="utf-8")
    cloned.dvc("add", "data/lab")
    cloned.git("add", "data/lab.dvc")
    cloned.git("commit", "--quiet", "--all", "-m", "own recordings")

    results = ("results/lab/clips.csv", "results/lab/faces", "results/lab/registered")
    assert ran(cloned.dvc("repro", "registered@lab").output) == ["faces", "registered"]
    whole = cloned.digests(*results)
    everyone = held(cloned, "registered")
    assert len(everyone) == 4

    (folder / "s3.avi").unlink()
    (folder / "clips.csv").write_text("\n".join([HEADER, *rows[:-1]]) + "\n", encoding="utf-8")
    cloned.dvc("add", "data/lab")
    assert ran(cloned.dvc("repro", "registered@lab").output) == ["faces", "registered"]
    assert held(cloned, "faces") == held(cloned, "registered") == everyone - {"lab/s3/s3"}
    assert len(pd.read_csv(cloned.root / "results/lab/clips.csv")) == 3

    cloned.git("checkout", "--", "data/lab.dvc")
    cloned.dvc("checkout", "data/lab.dvc")
    assert ran(cloned.dvc("repro", "registered@lab").output) == [], "the run cache has them"
    assert cloned.digests(*results) == whole


def test_stale_a_branch_switched(cloned):
    """By DVC all is as it was on the branch; Snakemake, whose memory is of the other, knows that it does not know."""
    touched(cloned)
    before, wide = cloned.promised(), width(cloned)
    cloned.git("checkout", "--quiet", "-b", "narrow")
    cloned.settings(**NARROW)
    cloned.dvc("repro", "evaluate@synthetic")
    narrow = cloned.promised()
    cloned.git("commit", "--quiet", "--all", "-m", "narrow intervals")
    cloned.git("checkout", "--quiet", "-")
    cloned.dvc("checkout")
    assert changed(cloned, before) == set() and width(cloned) == wide
    assert ran(cloned.dvc("repro").output) == []
    assert {job.rule for job in cloned.planned()} >= {"metrics", "leaderboard", "comparisons"}
    done = cloned.snakemake("all")
    assert done.rc == 0, done.output
    assert changed(cloned, before) == set()
    cloned.git("checkout", "--quiet", "narrow")
    cloned.dvc("checkout", "evaluate@synthetic")
    assert ran(cloned.dvc("repro", "evaluate@synthetic").output) == [] and changed(cloned, narrow) == set()


@pytest.mark.parametrize("links", ["hardlink", "symlink"])
def test_stale_a_cache_of_links(published, tmp_path, links):
    """Results that are links into the cache are replaced and never written through."""
    cloned = clone(published, tmp_path / "clone", links=links)
    before = cloned.promised()
    store = cloned.root / "results/synthetic/registered/0000.h5"
    assert store.is_symlink() or store.stat().st_nlink > 1
    assert before == published.promised()
    assert ran(cloned.dvc("repro").output) == []
    cloned.settings(registration={"ransac_px": 0.5})
    assert ran(cloned.dvc("repro", "registered@synthetic").output) == ["registered"]
    for path in store.parent.glob("*.h5"):
        with Store(path) as made:
            assert made.header.params["options"]["ransac_px"] == 0.5
    done = cloned.snakemake(
        "registered", "--forcerun", "register_shard", "--allowed-rules", "register_shard", "registered"
    )
    assert done.rc == 0, done.output
    assert {name for name in changed(cloned, before) if "/registered/" not in name} == set()
    assert cache_is_whole(cloned)
    cloned.git("checkout", "--", "params.yaml")
    assert ran(cloned.dvc("repro", "registered@synthetic").output) == []
    assert changed(cloned, before) == set()


def test_stale_memory_of_another_revision(cloned):
    """Snakemake's memory says that all was made under the new parameter, and it was not: DVC forces its hand."""
    wide = width(cloned)
    cloned.settings(**NARROW)
    assert touched(cloned).planned() == [], "Snakemake alone is deceived"
    assert ran(cloned.dvc("repro", "evaluate@synthetic").output) == ["evaluate"]
    assert width(cloned) < wide


def test_stale_snakemake_and_then_dvc_commit(cloned, tmp_path):
    """What Snakemake has made under a new parameter is what DVC keeps, and what the next clone gets."""
    wide = width(touched(cloned))
    cloned.settings(**NARROW)
    done = cloned.snakemake("all")
    assert done.rc == 0, done.output
    assert width(cloned) < wide
    cloned.dvc("commit", "--force")
    assert UP_TO_DATE in cloned.dvc("repro").output
    assert cloned.planned() == []
    cloned.git("commit", "--quiet", "--all", "-m", "narrow intervals")
    cloned.dvc("push", "--run-cache")
    another = clone(cloned, tmp_path / "another")
    assert another.promised() == cloned.promised() and width(another) < wide
    assert ran(another.dvc("repro").output) == []


def test_stale_nothing_to_do_after_a_repro(published):
    """Neither for DVC nor for Snakemake."""
    assert UP_TO_DATE in published.dvc("repro").output
    assert published.planned() == []


def test_stale_knobs_of_execution_rerun_nothing(cloned):
    touched(cloned)
    before = cloned.promised()
    knobs = "keep-going: false\nmax-threads: 1\nset-resources:\n  faces_shard:\n    mem_mb: 4000\n"
    with cloned.edited("profiles/default/config.yaml", "latency-wait: 30\n"), ExitStack() as other:
        profile = cloned.root / "profiles/other"
        profile.mkdir()
        (profile / "config.yaml").write_text(knobs, encoding="utf-8")
        other.callback((profile / "config.yaml").unlink)
        assert UP_TO_DATE in cloned.dvc("repro").output
        assert cloned.planned() == []
        assert cloned.planned("all", "--profile", "profiles/other", "--jobs", "7") == []
    assert changed(cloned, before) == set()


def test_stale_a_store_of_other_parameters_is_refused(cloned):
    """Whoever forces a reader on a store that other parameters have made is told so by the store."""
    asked = ("--allowed-rules", "motion_shard", "motion", "--forcerun", "motion_shard")
    done = touched(cloned).snakemake("motion", *asked, registration={"ransac_px": 0.5})
    assert done.rc != 0
    told = {line.strip() for line in done.lines if line.strip().startswith("error: ")}
    assert len(told) == 2, told
    for line in told:
        assert "results/synthetic/registered/" in line and "was made by other parameters or code" in line
    done = cloned.snakemake("motion", *asked)
    assert done.rc == 0, done.output


CHAIN = [
    "metrics", "join_predictions", "train_folds", "index", "join_features", "features_shard", "motion_shard",
    "register_shard", "faces_shard", "render_subject",
]  # fmt: skip


def chain(project: Project, path: str) -> list[dict]:
    done = project.run("mer", "provenance", path, "--json")
    assert done.rc == 0, done.output
    return json.loads(done.output)


def test_stale_or_not_is_told_by_the_chain(published, cloned):
    """`mer provenance` follows a figure down to its sources: inputs, params, code, versions; by DVC in a clone."""
    found = chain(published, METRICS)
    assert list(dict.fromkeys(origin["rule"] for origin in found)) == CHAIN
    assert {origin["told"] for origin in found} == {"ledger"} and not any(origin["changed"] for origin in found)
    assert all(origin["versions"].keys() >= {"torch", "numpy", "h5py"} for origin in found)
    by_rule = {origin["rule"]: origin["params"] for origin in found}
    assert by_rule["metrics"]["evaluation"] == {"resamples": 100, "confidence": 0.95}
    assert all(len(by_rule[rule]["made"]["code"]) == 16 for rule in CHAIN if rule.endswith(("_folds", "_shard")))
    assert by_rule["faces_shard"]["made"]["options"]["size"] == 128
    found = chain(cloned, METRICS)
    assert {origin["told"] for origin in found} == {"dvc", "card"}  # the card is the depth network's
    stages = {origin["rule"].split("@")[0] for origin in found}
    assert stages >= {"evaluate", "train", "features", "motion", "registered", "faces", "render"}
