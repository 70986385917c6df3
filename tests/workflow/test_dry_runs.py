"""Plans of many configurations, made and not run (after hippunfold's dry runs): every job is known beforehand."""

import re
import time
from graphlib import TopologicalSorter

import cv2
import numpy as np
import pytest
import yaml
from running import TRACEBACK, count, jobs

from mer_lib import registry

OWN = [{"name": "mine", "adapter": "folder"}]


def write_video(path, frames: int = 12) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (32, 32))
    for shade in np.linspace(0, 255, frames).astype(np.uint8):
        writer.write(np.full((32, 32, 3), shade, np.uint8))
    writer.release()


def own_corpus(project, name: str, rows: list[str]) -> None:
    folder = project.root / "data" / name
    for subject in ("anna", "ben"):
        write_video(folder / f"{subject}.avi")
    (folder / "clips.csv").write_text("name,subject,onset,apex,offset,label\n" + "\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def lab(fresh):
    """A copy with two own corpora, nothing run."""
    project = fresh()
    own_corpus(project, "mine", ["anna,anna,0,5,10,positive", "ben,ben,0,,10,negative", "ben,ben,2,4,9,surprise"])
    own_corpus(project, "silent", ["anna,anna,,,,", "ben,ben,1,5,8,"])
    return project


def test_the_default(planner):
    found = count(planner.planned())
    assert found == {
        "index": 1, "apex": 1, "render_subject": 3, "faces_shard": 2, "register_shard": 2, "motion_shard": 2,
        "features_shard": 4, "join_features": 2, "problems": 1, "train_folds": 8, "join_predictions": 4,
        "join_curves": 4, "final_model": 4, "metrics": 4, "leaderboard": 1, "comparisons": 1, "costs": 1,
        "report_page": 1, "summary": 1, "shots_shard": 1, "depth_model": 1, "depth_shard": 2, "views_shard": 2,
    }  # fmt: skip


VIEWS = {"views_shard", "register_views", "motion_of_views", "features_of_views", "join_features_of_views"}


def test_views_are_made_where_they_are_read(planner):
    """By an experiment whose protocol reads views, and for a few clips of the report."""
    found = planner.planned(experiments={"turned": {"method": "bi_woof", "protocol": "loso_to_views"}})
    assert count(found)["depth_shard"] == 2 and {rule for rule in VIEWS if count(found)[rule]} == VIEWS
    assert not any("views/frames" in path for job in found for path in job.output), "of two frames, not of all"
    trained = [job for job in found if job.rule == "train_folds" and "loso_to_views/turned" in job.output[0]]
    assert trained and all("results/synthetic/multiview/features/bi_woof.h5" in job.input for job in trained)
    (model,) = (job for job in found if job.rule == "final_model" and "turned" in job.output[0])
    assert not any("multiview" in path for path in model.input), "it trains on recordings"
    without = planner.planned(report={"views": 0})
    assert not any("depth" in job.rule or job.rule in VIEWS for job in without)


def test_all_views_are_made_by_their_own_target(planner):
    found = planner.planned("multiview")
    assert count(found)["views_shard"] == 2 and count(found)["attention_folds"] == 2
    refined = [job for job in found if job.rule == "train_folds" and "loso_views_refined" in job.output[0]]
    assert refined and all(any("attention/loso_views_refined" in path for path in job.input) for job in refined)
    rest = [job for job in found if job.rule == "train_folds" and "loso_views_refined" not in job.output[0]]
    assert rest and not any("attention" in path for job in rest for path in job.input)
    curves = {path.split("/")[3] for job in found if job.rule == "yaw_curve" for path in job.output}
    assert curves == {"loso_to_views", "loso_views", "loso_views_refined"}


def test_stages_of_dvc_make_what_attention_reads(planner):
    """DVC runs motion, views and features each by its own target, and training makes nothing of theirs any more."""
    refined = {"refined": {"method": "micro_exp_stcnn", "protocol": "loso_views_refined"}}  # it reads no flow itself
    given = {"experiments": refined, "baselines": {}, "report": {"views": 0}}
    own = {"motion": "motion", "views": "views|register|of_views", "features": "^(features_shard|join_features)$"}
    made = {
        path
        for target, rules in own.items()
        for job in planner.planned(target, **given)
        if re.search(rules, job.rule)
        for path in job.output
    }
    learning = {"train_folds", "attention_folds", "join_attention"}
    read = {path for job in planner.planned("train", **given) if job.rule in learning for path in job.input}
    folders = ("results/synthetic/features", "results/synthetic/multiview")
    needed = {path for path in read if path.startswith(folders)}
    assert {"results/synthetic/features/change.h5", "results/synthetic/multiview/views/onset_apex/0000.h5"} <= needed
    assert needed <= made
    assert "results/synthetic/motion/onset_apex/0000.h5" in made, "what the change is read with"


def test_a_paper_is_its_own_target(planner):
    found = planner.planned("paper_C")
    made = {path for job in found for path in job.output}
    assert "results/synthetic/paper_C/index.html" in made and "results/synthetic/leaderboard.csv" not in made
    assert {job.output[0].split("/")[4] for job in found if job.rule == "train_folds"} >= {"c_mjfn", "c_alexnet"}
    assert count(found)["problems"] == 0 and count(found)["set_page"] == 1


def test_the_zoo_is_every_network_and_asks_for_their_memory(planner):
    found = planner.planned("zoo")
    trained = {job.output[0].split("/")[4] for job in found if job.rule == "train_folds"}
    assert trained == {f"quick_{model}" for model in registry.entries("model")}
    assert count(found)["set_page"] == 1 and count(found)["leaderboard"] == 0


def test_one_experiment_computes_what_it_reads(planner):
    found = planner.planned(experiments="ststnet")
    assert count(found)["features_shard"] == 2 and count(found)["train_folds"] == 3 * 2, "it and the two baselines"
    assert not any("bi_woof" in path for job in found for path in job.output)


def test_an_oracle_is_made_where_there_are_epochs(planner):
    found = planner.planned(train={"oracle": True})
    oracles = sorted(path for job in found for path in job.output if "@oracle" in path)
    assert oracles == [f"results/synthetic/{path}" for path in (
        "metrics/loso/ststnet@oracle.json", "predictions/loso/ststnet@oracle.csv"
    )]  # fmt: skip


def test_frame_to_frame_motion_is_made_on_demand(planner):
    assert not any("motion/frames" in path for job in planner.planned() for path in job.output)
    found = planner.planned("results/synthetic/motion/frames/0001.h5")
    assert count(found)["motion_shard"] == 1 and count(found)["faces_shard"] == 1


def test_own_recordings(lab):
    found = lab.planned(corpora=OWN)
    assert count(found)["render_subject"] == 0
    assert {path.split("/")[1] for job in found for path in job.output} == {"mine", "depth"}
    assert count(found)["spot_shard"] == 1  # ben's first clip lacks its apex
    assert count(found)["apex"] == 1, "results/mine/apex.csv is part of the contract"
    assert count(found)["train_folds"] == 4  # two subjects, two folds in one job; two experiments and two baselines


def test_names_that_snakemake_would_read_as_its_own(lab):
    """Wildcards, commands and patterns in the names of media."""
    names = ["{shard}", "{x.y}", "{}", "$(touch harmed)", "a; touch harmed", "*", "two  blanks", "%d"]
    folder = lab.root / "data/odd"
    for name in names:
        write_video(folder / "film.avi")
        (folder / "film.avi").rename(folder / f"{name}.avi")
    sheet = "".join(f"{name},anna,0,5,10,\n" for name in names)
    (folder / "clips.csv").write_text(f"name,subject,onset,apex,offset,label\n{sheet}")
    corpora = [{"name": "odd", "adapter": "folder"}]
    planned = [job for job in lab.planned("faces", corpora=corpora) if job.rule == "faces_shard"]  # in any order
    inputs = {path for job in planned for path in job.input}
    assert "data/odd/$(touch harmed).avi" in inputs and not any("{" in path for path in inputs)
    assert not list(lab.root.rglob("harmed*"))


def test_own_recordings_without_labels(lab):
    found = lab.planned(corpora=[{"name": "silent", "adapter": "folder"}])
    assert count(found)["train_folds"] == count(found)["final_model"] == count(found)["metrics"] == 0
    assert count(found)["features_shard"] == 2 and count(found)["report_page"] == 1


def test_two_corpora_side_by_side(lab):
    found = lab.planned(corpora=["synthetic", *OWN])
    made = [path for job in found for path in job.output]
    assert count(found)["render_subject"] == 3 and count(found)["report_page"] == 2
    assert {path.split("/")[1] for path in made} == {"synthetic", "mine", "depth"}
    assert len(made) == len(set(made))


def test_a_labs_own_auxiliary_corpus(lab):
    """It is another corpus than the file's, of which nothing is left."""
    found = lab.planned("paper_D", auxiliary=OWN[0], papers={"D": {"d_part": {"method": "part_based"}}})
    read = {path.split("/")[1] for job in found if job.rule == "train_folds" for path in job.input}
    assert read == {"synthetic", "mine"}
    (problems,) = [job for job in found if job.rule == "set_problems"]
    assert "results/mine/index_problems.csv" in problems.input and "results/mine/faces/0000.h5" in problems.input


def test_two_corpora_of_one_adapter(planner):
    young = {"name": "young", "adapter": "synthetic", "subjects": 2}
    old = {"name": "old", "adapter": "synthetic", "seed": 7}
    found = planner.planned(corpora=[young, old])
    rendered = sorted(path for job in found if job.rule == "render_subject" for path in job.output)
    assert rendered == ["data/old/s01", "data/old/s02", "data/old/s03", "data/young/s01", "data/young/s02"]


def test_five_hundred_clips_are_a_few_hundred_jobs(lab):
    folder = lab.root / "data/large"
    rows = []
    for subject in range(25):
        write_video(folder / f"p{subject}.avi", frames=40)
        rows += [f"p{subject},p{subject},{i},{i + 5},{i + 9},{'positive' if i % 2 else 'negative'}" for i in range(20)]
    (folder / "clips.csv").write_text("name,subject,onset,apex,offset,label\n" + "\n".join(rows) + "\n")
    started = time.monotonic()
    found = lab.planned(corpora=[{"name": "large", "adapter": "folder"}], shards={"size": 16}, folds_per_job=4)
    assert time.monotonic() - started < 60
    assert count(found)["faces_shard"] == 32 and count(found)["train_folds"] == 4 * 7
    assert len(found) < 300


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"faces": {"sise": 3}}, "unknown key 'faces.sise'; did you mean 'size'?"),
        ({"corpora": "syntetic"}, "did you mean 'synthetic'?"),
        ({"corpora": [{"name": "gone", "adapter": "folder"}]}, "data/gone: no such folder"),
        ({"corpora": "facescape"}, "facescape holds 3-D faces and no clips; `mer index facescape` lists its meshes"),
    ],
    ids=["key", "adapter", "folder", "meshes"],
)
def test_a_mistake_is_one_line(planner, config, told):
    done = planner.snakemake("all", "-n", **config)
    assert done.rc != 0
    assert TRACEBACK not in done.output
    assert sum(told in line for line in done.lines) == 1, done.output


def test_values_on_the_command_line_have_their_types(planner):
    """As docs/contract.md writes them: YAML inside quotes, which Snakemake itself would leave text."""
    written = ["train={lr: 5e-5, epochs: 100, class_weights: balanced}", "seeds=[3]", "problems={strict: true}"]
    done = planner.run("snakemake", "all", "-n", "--cores", "1", "--config", *written)
    assert done.rc == 0, done.output
    assert count(jobs(done.output))["train_folds"] == 8


@pytest.mark.parametrize("profile", ["slurm", "cluster-generic"])
def test_a_cluster_runs_the_same_jobs(planner, profile):
    alone = planner.snakemake("all", "-n")
    done = planner.run("snakemake", "all", "-n", "--workflow-profile", f"profiles/{profile}")
    assert done.rc == 0, done.output
    first, second = (re.findall(r"^\w+ +\d+$", plan.output, flags=re.M) for plan in (alone, done))
    assert first == second and len(first) > 20


def submitted(found, profile) -> dict:
    """Job -> the name of what it is submitted in: itself, or the group of connected jobs that a profile puts it in.
    Groups of which several are submitted as one are all taken together, which is the worst they can be."""
    maker = {path: job for job in found for path in job.output}
    label = {job: profile["groups"].get(job.rule, job.output[0]) for job in found}
    name = {job: label[job] if label[job] in profile["group-components"] else job.output[0] for job in found}
    for job in found:
        for above in {maker[path] for path in job.input if path in maker}:
            if label[job] == label[above]:
                old, new = name[above], name[job]
                name = {each: new if was == old else was for each, was in name.items()}
    return name


def test_no_group_of_a_cluster_waits_for_itself(lab):
    """Neither by views, made from an apex that was spotted in the same shard, nor by tables that read tables."""
    profile = yaml.safe_load((lab.root / "profiles/slurm/config.yaml").read_text(encoding="utf-8"))
    found = lab.planned("all", "multiview", "controls", "paper_C", corpora=OWN)
    assert {"spot_shard", "register_views", "yaw_curve", "controls_table", "set_table"} <= set(count(found))
    name = submitted(found, profile)
    assert len(set(name.values())) < len(found) / 2
    maker = {path: job for job in found for path in job.output}
    waits = {each: set() for each in name.values()}
    for job in found:
        waits[name[job]] |= {name[maker[path]] for path in job.input if path in maker} - {name[job]}
    TopologicalSorter(waits).prepare()  # raises CycleError
