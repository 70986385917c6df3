"""Folds and seeds of an experiment: the same in any job, blind to the test side, at chance with shuffled labels."""

import runpy
import sys
from contextlib import nullcontext
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from learning_toys import CLASSES, samples
from safetensors.numpy import load, save

from mer_lib import weights
from mer_lib.learning import fit
from mer_lib.learning.fit import fit_all, join, run_folds
from mer_lib.learning.folds import TEST
from mer_lib.learning.learner import Fitted, Recipe
from mer_lib.learning.network import Network
from mer_lib.learning.protocols import everything, make_folds
from mer_lib.learning.samples import Samples, finite
from mer_lib.models.ststnet import ststnet
from mer_lib.problems import BadInput, collect

NET = {"kind": "model", "name": "ststnet", "classes": CLASSES, "train": {"epochs": 3, "lr": 1e-3}}
SVM = {"kind": "classifier", "name": "svm_linear", "classes": CLASSES}


@pytest.fixture(scope="module")
def data():
    return samples()


@pytest.fixture(scope="module")
def folds(data):
    return make_folds("loso", data.table)


def same(one, other):
    assert one.predictions.to_csv(index=False) == other.predictions.to_csv(index=False)
    assert one.oracle.to_csv(index=False) == other.oracle.to_csv(index=False)
    assert one.curves.to_csv(index=False) == other.curves.to_csv(index=False)
    assert save(one.tensors) == save(other.tensors)


@pytest.mark.parametrize("method", [NET, SVM], ids=["network", "svm"])
def test_a_fold_gives_the_same_bytes_whichever_folds_share_its_job(data, folds, method):
    together = run_folds(data, folds, seeds=(0, 1), **method)
    alone = [run_folds(data, [fold], seeds=(0, 1), **method) for fold in folds]
    same(together, join(alone, CLASSES))
    same(together, run_folds(data, folds, seeds=(0, 1), **method))


def test_predictions_are_the_contracts_table(data, folds):
    given = run_folds(data, folds, seeds=(0, 5), **NET).predictions
    head = ["clip", "dataset", "subject", "yaw", "fold", "seed", "truth", "predicted"]
    assert list(given) == [*head, "p_negative", "p_positive", "p_surprise"]
    assert len(given) == 2 * len(data)
    assert (given["fold"] == given["subject"]).all()
    truth = data.table.set_index("clip")["label"]
    assert (given["truth"] == truth[given["clip"]].to_numpy()).all()
    p = given[["p_negative", "p_positive", "p_surprise"]].to_numpy()
    assert (given["predicted"] == np.array(CLASSES)[p.argmax(1)]).all()
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)


def test_views_of_a_clip_are_tested_with_it(data, folds):
    both = Samples(np.concatenate([data.x, data.x * 0.9]), pd.concat([data.table, data.table.assign(yaw=-15.0)]))
    given = run_folds(both, [replace(fold, tests_on="all") for fold in folds], **SVM).predictions
    assert given.groupby(["clip", "yaw"]).size().eq(1).all() and len(given) == 2 * len(data)


@pytest.mark.parametrize("selection", ["fixed", "inner"])
def test_the_test_side_cannot_be_felt_by_the_model(data, folds, selection):
    """Test clips are replaced by noise under other labels: curves of the test side change, the weights by no bit."""
    fold = folds[0]
    spoilt, table = data.x.copy(), data.table.copy()
    test = table["clip"].isin(fold.test).to_numpy()
    spoilt[test] = 50 * np.random.default_rng(0).normal(size=spoilt[test].shape)
    table.loc[test, "label"] = "negative"
    method = NET | {"train": {"epochs": 12, "lr": 1e-3, "selection": selection}}
    one, other = run_folds(data, [fold], **method), run_folds(Samples(spoilt, table), [fold], **method)
    assert save(one.tensors) == save(other.tensors)
    blind = [run.curves[run.curves["split"] != "test"].to_csv() for run in (one, other)]
    assert blind[0] == blind[1]
    assert not one.curves.equals(other.curves)


def test_inner_selection_retrains_for_the_epochs_that_served_best_inside(folds):
    data = samples(signal=0.1)
    train = {"epochs": 30, "lr": 1e-3}
    run = run_folds(data, folds[:1], **NET | {"train": train | {"selection": "inner"}})
    inside = run.curves[run.curves["split"] == "validation"]
    best = inside.sort_values(["uf1", "loss", "epoch"], ascending=[False, True, True])["epoch"].iloc[0]
    plain = run_folds(data, folds[:1], **NET | {"train": train | {"epochs": int(best)}})
    assert save(run.tensors) == save(plain.tensors)
    assert run.curves.loc[run.curves["split"] == "test", "epoch"].max() == best < 30


@pytest.mark.parametrize(
    "method", [NET | {"train": {"epochs": 12, "lr": 1e-3, "oracle": True}}, SVM], ids=["net", "svm"]
)
def test_a_killed_run_takes_up_where_it_stopped(data, folds, method, tmp_path, monkeypatch):
    whole = run_folds(data, folds, seeds=(0, 1), **method)
    fitted, fit_each = [], fit.fit_each

    def killed_at_the_third(fits, *rest):
        fitted.append({one.fold for one in fits})
        if len(fitted) == 3:
            raise KeyboardInterrupt
        return fit_each(fits, *rest)

    monkeypatch.setattr(fit, "fit_each", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run_folds(data, folds, seeds=(0, 1), keep=tmp_path, **method)
    assert len(list(tmp_path.iterdir())) == 2
    resumed = run_folds(data, folds, seeds=(0, 1), keep=tmp_path, **method)
    assert fitted[3:] == [*fitted[2:3], {"toy/s03"}]
    same(resumed, whole)
    assert resumed.predictions.dtypes.equals(whole.predictions.dtypes)
    assert resumed.curves.dtypes.equals(whole.curves.dtypes)
    assert [model.meta for model in resumed.models.values()] == [model.meta for model in whole.models.values()]


@pytest.mark.parametrize(
    "other",
    [
        {"train": {"epochs": 4, "lr": 1e-3}},
        {"seeds": (1,)},
        {"options": {"dropout": 0.1}},
        {"data": True},
        {"sides": True},
    ],
    ids=str,
)
def test_a_part_of_another_run_is_never_taken(data, folds, other, tmp_path):
    run_folds(data, folds[:1], keep=tmp_path, **NET)
    changed = Samples(data.x + 1, data.table) if other.pop("data", False) else data
    fold = folds[0]
    if other.pop("sides", False):
        fold = replace(fold, side=np.where(np.arange(len(fold.side)) > 8, 1, fold.side).astype(np.uint8))
    expected = run_folds(changed, [fold], **NET | other)
    same(run_folds(changed, [fold], keep=tmp_path, **NET | other), expected)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("broken", [b"", bytes(500), "half"], ids=["empty", "zeros", "half"])
def test_a_part_that_the_disk_lost_is_made_anew(data, folds, broken, tmp_path):
    """A power cut can leave a named file without its content."""
    expected = run_folds(data, folds[:1], keep=tmp_path, **NET)
    (part,) = tmp_path.iterdir()
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2] if broken == "half" else broken)
    same(run_folds(data, folds[:1], keep=tmp_path, **NET), expected)
    assert part.read_bytes() == whole


def test_folds_computed_at_once_are_one_part_and_the_same_folds(data, folds, tmp_path, monkeypatch):
    method = NET | {"train": {"epochs": 12, "lr": 1e-3, "selection": "inner", "oracle": True}}
    plain = run_folds(data, folds, seeds=(0, 1), **method)

    def at_once(kind, name, classes, options, recipe, device):
        return Network(lambda: ststnet(classes, **options), recipe, classes, device, at_once=True)

    monkeypatch.setattr(fit, "make", at_once)
    stacked = run_folds(data, folds, seeds=(0, 1), keep=tmp_path, **method)
    assert len(list(tmp_path.iterdir())) == 1
    same(run_folds(data, folds, seeds=(0, 1), keep=tmp_path, **method), stacked)
    for name in ("predictions", "oracle", "curves"):
        one, other = getattr(stacked, name), getattr(plain, name)
        pd.testing.assert_frame_equal(one, other, atol=1e-3, rtol=1e-3)
    assert stacked.mixed_subjects == plain.mixed_subjects and stacked.meta == plain.meta


def test_the_oracle_is_the_best_epoch_on_the_test_rows_and_changes_nothing(folds):
    data = samples(signal=0.1)
    train = {"epochs": 30, "lr": 1e-3}
    honest = run_folds(data, folds, seeds=(0, 1), **NET | {"train": train})
    run = run_folds(data, folds, seeds=(0, 1), **NET | {"train": train | {"oracle": True}})
    assert len(honest.oracle) == 0 and list(honest.oracle) == list(honest.predictions)
    assert save(run.tensors) == save(honest.tensors)
    pd.testing.assert_frame_equal(run.predictions, honest.predictions)
    assert list(run.oracle) == list(run.predictions) and len(run.oracle) == len(run.predictions)
    test = run.curves[run.curves["split"] == "test"]
    best = (
        test.sort_values(["accuracy", "loss", "epoch"], ascending=[False, True, False])
        .groupby(["fold", "seed"])
        .first()
    )
    for key, rows in run.oracle.groupby(["fold", "seed"]):
        assert (rows["truth"] == rows["predicted"]).mean() == best.loc[key, "accuracy"]
        own = np.choose(rows["truth"].map(CLASSES.index), rows[[f"p_{c}" for c in CLASSES]].to_numpy().T)
        np.testing.assert_allclose(-np.log(own).mean(), best.loc[key, "loss"], rtol=1e-5)
    right = [(t["truth"] == t["predicted"]).mean() for t in (run.oracle, run.predictions)]
    assert right[0] > right[1]


def test_a_classifier_has_no_oracle(data, folds):
    assert len(run_folds(data, folds, **SVM, train={"oracle": True}).oracle) == 0


def test_balanced_sampling_lets_a_rare_class_be_learnt():
    data = samples(subjects=6, clips=9, signal=0.15)
    table = data.table
    keep = (table["label"] != "surprise") | table["clip"].str.endswith(("c0", "c1", "c2"))
    rare = Samples(data.x[keep], table[keep])
    folds, found = make_folds("loso", rare.table), {}
    for sampling in ("shuffled", "balanced"):
        train = {"epochs": 30, "lr": 2e-3, "sampling": sampling}
        given = run_folds(rare, folds, seeds=(0, 1), **NET | {"train": train}).predictions
        found[sampling] = given["p_surprise"].mean()
    assert found["balanced"] > found["shuffled"]


def test_mixed_precision_on_a_cpu_is_said_to_be_float32(data, folds):
    with collect() as found:
        mixed = run_folds(data, folds[:1], **NET | {"train": NET["train"] | {"precision": "mixed"}})
    assert [p.what for p in found] == ["mixed precision is for a GPU; this is trained in float32"]
    assert save(mixed.tensors) == save(run_folds(data, folds[:1], **NET).tensors)


def test_a_classifier_has_no_epoch_to_choose(data, folds):
    with pytest.raises(BadInput, match=r"no epochs.*fixed"):
        run_folds(data, folds, **SVM, train={"selection": "inner"})


def test_shuffled_labels_land_at_chance():
    data = samples(subjects=12, clips=6, shape=(12,), signal=1.5)
    folds = make_folds("loso", data.table)
    uar = {}
    for control in ("none", "permuted"):
        given = run_folds(data, folds, seeds=range(20), **SVM, train={"control": control}).predictions
        right = given["truth"] == given["predicted"]
        uar[control] = right.groupby([given["seed"], given["truth"]]).mean().groupby("seed").mean()
    assert uar["none"].mean() > 0.9
    assert abs(uar["permuted"].mean() - 1 / 3) < 0.03
    assert uar["permuted"].nunique() > 5  # every seed shuffles anew


def test_a_fold_without_test_samples_is_noted_and_the_others_go_on(data, folds):
    keep = (data.table["subject"] != "toy/s01").to_numpy()
    with collect() as found:
        given = run_folds(Samples(data.x[keep], data.table[keep]), folds, **SVM).predictions
    assert set(given["fold"]) == {"toy/s00", "toy/s02", "toy/s03"}
    assert [p.what for p in found] == ["fold toy/s01 has lost all its 3 test clips and is left out"]
    assert [p.remedy for p in found] == ["the report names its clips under 'What went wrong'"]


def test_nothing_left_to_test_gives_empty_tables_of_the_same_columns(data, folds):
    with collect():
        run = run_folds(Samples(data.x[3:], data.table[3:]), folds[:1], **NET)
    assert list(run.predictions)[-1] == "p_surprise" and len(run.predictions) == 0
    assert list(run.curves) == ["fold", "seed", "epoch", "split", "loss", "accuracy", "uf1"]


def test_a_fold_that_trains_on_nothing_is_noted_and_left_out(data, folds):
    with collect() as found:
        run = run_folds(Samples(data.x[:3], data.table[:3]), folds[:1], **SVM)
    assert len(run.predictions) == 0
    assert [p.what for p in found] == ["fold toy/s00 has lost all its training clips and is left out"]


@pytest.mark.parametrize("method", [NET, SVM], ids=["network", "svm"])
def test_a_class_absent_in_training_is_noted_and_hardly_predicted(data, method):
    table = data.table.copy()
    elsewhere = (table["label"] == "surprise") & (table["subject"] != "toy/s00")
    table.loc[elsewhere, "label"] = "negative"
    train = {"epochs": 40, "lr": 1e-2, "class_weights": "balanced"}
    with collect() as found:
        run = run_folds(Samples(data.x, table), make_folds("loso", table)[:1], **method | {"train": train})
    given = run.predictions
    assert [p.what for p in found] == ["fold toy/s00 trains on no clip of class surprise"]
    assert (given["p_surprise"] < 0.34).all()
    assert "surprise" in set(given["truth"])


def test_a_diverging_loss_names_fold_seed_and_remedy(data, folds):
    train = {"optimizer": "sgd", "lr": 1e30, "epochs": 5}
    with pytest.raises(BadInput, match=r"epoch \d of fold toy/s00, seed 4; lower train.lr"):
        run_folds(data, folds, seeds=(4,), **NET | {"train": train})


def test_a_label_outside_the_classes_is_refused(data):
    table = data.table.replace({"label": {"surprise": "surprized"}})
    with pytest.raises(BadInput, match="did you mean 'surprise'"):
        run_folds(Samples(data.x, table), make_folds("loso", table), **SVM)


@pytest.mark.parametrize(("key", "wrong"), [("name", "svm_liner"), ("options", {"cc": 2})])
def test_unknown_methods_and_options_are_refused(data, folds, key, wrong):
    with pytest.raises(BadInput, match="svm_linear"):
        run_folds(data, folds, **SVM | {key: wrong})


@pytest.mark.parametrize("method", [NET, SVM], ids=["network", "svm"])
def test_models_come_back_from_their_file(data, folds, method):
    run = run_folds(data, folds, seeds=(0, 2), **method)
    tensors = load(save(run.tensors, run.meta))
    assert set(run.models) == {(fold.name, seed) for fold in folds for seed in (0, 2)}
    for (fold, seed), fitted in run.models.items():
        state = {name: tensors[f"{fold}@{seed}|{name}"] for name in fitted.state}
        model = Fitted.from_state(state, run.meta)
        given = run.predictions[(run.predictions["fold"] == fold) & (run.predictions["seed"] == seed)]
        x = data.x[data.table["clip"].isin(given["clip"]).to_numpy()]
        columns = given[[f"p_{c}" for c in model.classes]].to_numpy()
        np.testing.assert_array_equal(model.probabilities(x), columns)


@pytest.mark.parametrize("method", [NET, SVM], ids=["network", "svm"])
def test_a_model_of_all_clips_is_a_fold_without_a_test_side(data, method):
    table = data.table.copy()
    table.loc[0, "label"] = ""  # unlabelled: neither trains nor is missed
    model = fit_all(Samples(data.x, table), seed=3, **method)
    again = Fitted.from_state(load(save(model.state)), model.meta)
    np.testing.assert_array_equal(model.probabilities(data.x), again.probabilities(data.x))
    without = fit_all(Samples(data.x[1:], table[1:]), seed=3, **method)
    assert save(model.state) == save(without.state)
    assert TEST not in everything(table).side


@pytest.mark.parametrize("method", [NET, SVM], ids=["network", "svm"])
def test_a_card_counts_the_clips_that_were_learnt_from(data, method, tmp_path, repository, monkeypatch):
    """Unlabelled clips are in the features and teach nothing."""
    keep = data.table["subject"] != "toy/s01"
    given = Samples(data.x, data.table.assign(label=data.table["label"].where(keep, "")))
    job = ModuleType("_job")
    job.job, job.device, job.samples = (lambda _: nullcontext()), (lambda _: "cpu"), (lambda _: given)
    job.auxiliary = lambda _: None
    monkeypatch.setitem(sys.modules, "_job", job)
    named = {"learner": method["kind"], "learner_name": method["name"], "classes": CLASSES, "seeds": [0]}
    options = {**named, "options": {}, "train": {"epochs": 1, "control": "permuted"}}
    params = SimpleNamespace(made={"options": options, "corpus": "toy"}, pipeline={}, synthetic=False)
    wildcards, output = SimpleNamespace(experiment="one"), [tmp_path / "model.safetensors"]
    script = repository / "workflow/scripts/final_model.py"
    runpy.run_path(str(script), {"snakemake": SimpleNamespace(params=params, wildcards=wildcards, output=output)})
    card = weights.load(output[0])[1]
    assert (card["clips"], card["subjects"]) == (9, 3)
    assert card["made"]["options"]["train"]["control"] == "permuted"


def test_a_model_of_no_clips_is_refused(data):
    with pytest.raises(BadInput, match="no clip with a label"):
        fit_all(Samples(data.x, data.table.assign(label="")), **SVM)


def test_samples_without_numbers_are_left_out_by_name(data):
    x = data.x.copy()
    x[4, 0, 0, 0] = np.nan
    with pytest.raises(BadInput, match="clip toy/s01/c1"):
        Samples(x, data.table)
    with collect() as found:
        assert len(finite(x, data.table)) == len(data) - 1
    assert [p.clip for p in found] == ["toy/s01/c1"]


def test_views_of_a_lost_recording_are_left_out(data):
    """They would be trained on though the clip is told to be lost, and tested without their original."""
    x, table = np.concatenate([data.x, data.x]), pd.concat([data.table, data.table.assign(yaw=25.0)])
    x[0] = np.nan
    with collect() as notes:
        left = finite(x, table)
    lost = data.table["clip"][0]
    assert lost not in set(left.table["clip"]) and len(left) == 2 * (len(data) - 1)
    assert [n.clip for n in notes] == [lost, lost] and "its recording is lost" in notes[1].what


@pytest.mark.parametrize(("steps", "passes"), [(None, 9), (1, 1), (5, 1), (6, 2), (100, 9)])
def test_a_limit_of_steps_leaves_whole_passes_out(data, folds, steps, passes):
    """9 training clips in batches of 4 are 3 steps a pass."""
    train = {"epochs": 9, "batch": 4, "max_steps": steps}
    curves = run_folds(data, folds[:1], **{**NET, "train": train}).curves
    assert curves["epoch"].max() == passes


def test_a_model_is_started_warm_for_training_only():
    calls = []

    def build():
        model = ststnet(3)
        model.warm_start = lambda: calls.append(1)
        return model

    learner, x = Network(build, Recipe(epochs=1), 3), np.zeros((3, 28, 28, 3), np.float32)
    state = learner.fit(x, np.arange(3), seed=0)
    learner.probabilities(state, x)
    assert calls == [1]
