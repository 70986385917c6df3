"""A paragraph for the paper's methods section, written from the settings that were in force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import yaml
from markupsafe import Markup

from mer_lib import registry
from mer_lib.evaluation.leaderboard import FULL
from mer_lib.params import Experiment, Train
from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import ReportData

HOLM = "Holm: A simple sequentially rejective multiple test procedure (1979), Scandinavian Journal of Statistics 6"
OPTIMIZERS = {"adam": "Adam", "sgd": "SGD"}
MORE = (  # what is said of a network's recipe where it is not the usual
    ("class_weights", "balanced", ", the loss weighted by inverse class frequency"),
    ("sampling", "balanced", ", with all classes drawn equally often"),
    ("control", "permuted", ", on shuffled labels"),
)
FLOWS = {  # by what descriptors read: whose flow it is in the settings, and what is said of it
    "onset_apex": ("onset_apex", "Optical flow from onset to apex was computed with {}, and optical strain from it."),
    "emr": (
        "onset_apex",
        "Micro-expressions were magnified {emr_factor:g} times, macro-expressions cut half way to the apex; optical "
        "flow from onset to apex was computed with {}.",
    ),
    "frames": ("frames", "Optical flow between neighbouring frames was computed with {}."),
}


@register("section", "methods", order=90, title="For the paper's methods section")
def section(data: ReportData) -> Markup | None:
    """What was done, in sentences that may be copied, with the works to cite."""
    if not data.metrics:
        return None
    settings = yaml.safe_load(data.settings) or {}
    cited: list[str] = []
    sentences = [
        *_corpus(data),
        *_stages(settings, cited),
        *_views(data, settings),
        *_flows(data, settings, cited),
        *_learning(data, settings, cited),
        *_evaluation(data, settings, cited),
    ]
    text = ui.paragraph(" ".join(sentences), "copy")
    return text + ui.render("references.html.j2", references=cited)


def _corpus(data: ReportData) -> Iterator[str]:
    labelled = data.clips[data.clips["label"].ne("")]
    rates = labelled["fps"].dropna().unique()
    rate = f" at {rates[0]:g} frames per second" if len(rates) == 1 else ""
    counts = labelled["label"].value_counts()
    named = ui.listing(
        f"{counts[name]} {name}" for name in next(iter(data.metrics.values()))["classes"] if name in counts
    )
    made = f"{data.corpus}, a synthetic corpus of rendered faces" if data.synthetic else f"the {data.corpus} corpus"
    yield (
        f"We used {made}: {len(labelled)} labelled clips ({named}) of {labelled['subject'].nunique()} subjects{rate}."
    )


def _stages(settings: dict[str, Any], cited: list[str]) -> Iterator[str]:
    """A sentence for each stage that the settings name."""
    if faces := settings.get("faces"):
        source = _cite(
            "Zhang, Zhang, Li, Qiao: Joint face detection and alignment (MTCNN) (2016), doi:10.1109/LSP.2016.2603342",
            cited,
        )
        yield (
            f"Faces were detected with MTCNN {source} and cropped to {faces['size']} × {faces['size']} pixels with one "
            "geometry per clip."
        )
    if registration := settings.get("registration"):
        yield (
            "Every frame was registered to the first of its clip by a homography from ORB key points and landmarks, "
            f"estimated with RANSAC at a threshold of {registration['ransac_px']:g} px, and by the parallax of the "
            "person's relief, which a small network sees in the first frame, beside what action units may move, where "
            "that explains the head's pixels better."
        )


def _views(data: ReportData, settings: dict[str, Any]) -> Iterator[str]:
    """A sentence where views were generated and tested."""
    tested = any(float(yaw) for found in data.metrics.values() for yaw in found["by_yaw"])
    if tested and (views := settings.get("views")):
        low, high = (ui.degrees(bound(views["yaws"])) for bound in (min, max))
        yield (
            f"Each clip was rendered from {len(views['yaws'])} more yaws, {low} to {high}, on the depth that a network "
            "trained on other people reads from single pictures; its views stay on its side of every fold."
        )


def _flows(data: ReportData, settings: dict[str, Any], cited: list[str]) -> Iterator[str]:
    """A sentence for each motion that an experiment reads."""
    motion = settings.get("motion")
    reads = [registry.get("descriptor", data.resolved[name].descriptor).meta["reads"] for _, name in data.metrics]
    read = {stage for stages in reads for stage in ([stages] if isinstance(stages, str) else stages)}
    for kind, (setting, said) in FLOWS.items():
        if motion and kind in read:
            yield said.format("".join(_named("flow", motion[setting], cited)), **motion)


def _learning(data: ReportData, settings: dict[str, Any], cited: list[str]) -> Iterator[str]:
    """A sentence for each ranked experiment, or for all where none is: how it was trained."""
    yield from dict.fromkeys(_trained(data, settings, cited))  # once, under however many protocols


def _trained(data: ReportData, settings: dict[str, Any], cited: list[str]) -> Iterator[str]:
    board = data.leaderboard
    told = _ranked(board)
    if told.empty and len(board):
        told = board[board["part"].eq(FULL) & board["selection"].ne("oracle")]
    for row in told.itertuples():
        experiment = data.resolved[row.experiment]
        train, network = experiment.train, experiment.learner == "model"
        name, source = _named("model" if network else "descriptor", row.method, cited)
        if network:
            yield (
                f"{name}{source}{_variant(experiment)} was trained with {OPTIMIZERS[train.optimizer]} at a learning "
                f"rate of {train.lr:g}, in batches of {train.batch}, for {_epochs(train)}"
                + "".join(said for key, value, said in MORE if getattr(train, key) == value)
                + _beside(experiment, settings)
                + "."
            )
        else:
            balanced = ", classes balanced" if train.class_weights == "balanced" else ""
            yield f"{name}{source} features were classified ({_classifier(experiment)}{balanced})."


def _variant(experiment: Experiment) -> str:
    """A network's options where they are not the defaults: ' (modules 1)'."""
    usual = registry.get("model", experiment.learner_name).options
    said = [f"{name} {value}" for name, value in experiment.options.items() if value != usual[name]]
    return f" ({', '.join(said)})" if said else ""


def _beside(experiment: Experiment, settings: dict[str, Any]) -> str:
    """Whose macro-expressions a network learns from as well."""
    named = settings.get("auxiliary", "")
    found = named["name"] if isinstance(named, dict) else named
    needed = registry.get("model", experiment.learner_name).meta.get("needs") == "auxiliary"
    return f", with the macro-expressions of {found}" if needed else ""


def _classifier(experiment: Experiment) -> str:
    """Its title, its options where they are not the defaults, and what was chosen on training subjects."""
    entry = registry.get("classifier", experiment.learner_name)
    options = {name: value for name, value in experiment.options.items() if value != entry.options[name]}
    grid = options.pop("grid", {})
    said = [ui.title("classifier", entry.name), *(f"{name} {value}" for name, value in options.items())]
    said += [
        f"{name} chosen among {ui.listing(map(str, values))} on training subjects" for name, values in grid.items()
    ]
    return ", ".join(said)


def _epochs(train: Train) -> str:
    if train.selection == "inner":
        return f"at most {train.epochs} epochs, the best of them chosen on training subjects held out for that"
    steps = train.max_steps
    return f"at most {steps} steps within {train.epochs} epochs" if steps else f"{train.epochs} epochs"


def _evaluation(data: ReportData, settings: dict[str, Any], cited: list[str]) -> Iterator[str]:
    protocols = dict.fromkeys(protocol for protocol, _ in data.metrics)
    named = ui.listing(ui.title("protocol", protocol) for protocol in protocols)
    yield f"Evaluation was by {named}; UF1 and UAR were computed from predictions pooled over all folds."
    if bounds := settings.get("evaluation"):
        share, resamples = bounds["confidence"], bounds["resamples"]
        yield f"Intervals ({share:.0%}) come from {resamples:,} bootstrap resamples of the subjects."
    if len(data.comparisons) and data.comparisons["p"].notna().any():
        source = _cite(HOLM, cited)
        yield (
            "Methods were compared by paired permutation tests over subjects on the difference of pooled UF1, "
            f"corrected for all pairs {source}."
        )
    ranked = _ranked(data.leaderboard)
    if ranked.empty and len(data.leaderboard):
        yield "No figure is given, since none is ranked."
    for row in ranked.itertuples():
        interval = "" if pd.isna(row.uf1_low) else f" ({ui.span(row.uf1_low, row.uf1_high)})"
        name = ui.title("descriptor", ui.title("model", row.method))
        if (ranked["method"] == row.method).sum() > 1:  # by other classifiers, or under other protocols
            name += f" ({data.name((row.protocol, row.experiment))})"
        over = f", means over {row.seeds} seeds" if row.seeds > 1 else ""
        yield f"{name} reached UF1 {ui.number(row.uf1)}{interval} and UAR {ui.number(row.uar)}{over}."


def _ranked(board: pd.DataFrame) -> pd.DataFrame:
    """The rows that a paper may print: the whole corpus, ranked."""
    return board[board["ranked"] & board["part"].eq(FULL)] if len(board) else board


def _named(kind: str, name: str, cited: list[str]) -> tuple[str, str]:
    """(title, ' [n]') of what is registered under the name; its paper joins the list of references."""
    entry = registry.entries(kind).get(name)
    paper, doi = (entry.meta.get("paper"), entry.meta.get("doi")) if entry else (None, None)
    source = " " + _cite(f"{paper}{f', doi:{doi}' if doi else ''}", cited) if paper else ""
    return ui.title(kind, name), source


def _cite(work: str, cited: list[str]) -> str:
    if work not in cited:
        cited.append(work)
    return f"[{cited.index(work) + 1}]"
