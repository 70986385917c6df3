"""A paragraph for the paper's methods section, written from the settings that were in force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import yaml
from markupsafe import Markup

from mer_lib import registry
from mer_lib.evaluation.leaderboard import FULL
from mer_lib.registry import register
from mer_lib.report import ui
from mer_lib.report.data import ReportData

PROTOCOLS = {"loso": "leave-one-subject-out cross-validation"}


@register("section", "methods", order=90, title="For the paper's methods section")
def section(data: ReportData) -> Markup | None:
    """What was done, in sentences that may be copied, with the works to cite."""
    if not data.metrics:
        return None
    settings = yaml.safe_load(data.settings) if data.settings else {}
    cited: list[str] = []
    sentences = [*_corpus(data), *_stages(settings, cited), *_learning(data, settings, cited), *_evaluation(data, settings)]
    text = ui.paragraph(" ".join(sentences), "copy")
    return text + ui.render("references.html.j2", references=cited)


def _corpus(data: ReportData) -> Iterator[str]:
    labelled = data.clips[data.clips["label"].ne("")]
    rates = labelled["fps"].dropna().unique()
    rate = f" at {rates[0]:g} frames per second" if len(rates) == 1 else ""
    counts = ui.listing([f"{n} {name}" for name, n in labelled["label"].value_counts().items()])
    made = "synthetic corpus of rendered faces" if data.synthetic else "corpus"
    yield (
        f"We used the {data.corpus} {made}: {len(labelled)} labelled clips ({counts}) of "
        f"{labelled['subject'].nunique()} subjects{rate}."
    )


def _stages(settings: dict[str, Any], cited: list[str]) -> Iterator[str]:
    """A sentence for each stage that the settings name."""
    if faces := settings.get("faces"):
        source = _cite("Zhang, Zhang, Li, Qiao: Joint face detection and alignment (MTCNN) (2016), doi:10.1109/LSP.2016.2603342", cited)
        yield (
            f"Faces were detected with MTCNN {source} and cropped to {faces['size']} × {faces['size']} pixels with one "
            "geometry per clip."
        )
    if registration := settings.get("registration"):
        yield (
            "Every frame was registered to the first of its clip by a homography from ORB key points and landmarks, "
            f"estimated with RANSAC at a threshold of {registration['ransac_px']:g} pixels."
        )
    if motion := settings.get("motion"):
        flow = registry.entries("flow").get(motion["onset_apex"])
        name, source = _named(flow, motion["onset_apex"], cited)
        yield f"Optical flow from onset to apex was computed with {name}{source}, and optical strain from it."


def _learning(data: ReportData, settings: dict[str, Any], cited: list[str]) -> Iterator[str]:
    """A sentence for each method on the leaderboard."""
    known = registry.entries("descriptor") | registry.entries("model")
    methods = data.leaderboard["method"].unique() if len(data.leaderboard) else []
    for method in methods:
        name, source = _named(known.get(method), method, cited)
        if method in registry.entries("model") and (train := settings.get("train")):
            yield (
                f"{name}{source} was trained with {str(train['optimizer']).capitalize()} at a learning rate of "
                f"{float(train['lr']):g}, in batches of {train['batch']}, for {train['epochs']} epochs."
            )
        elif classifier := settings.get("classifier"):
            yield f"{name}{source} features were classified by {classifier['name'].replace('_', ' ')}."
        else:
            yield f"{name}{source} was evaluated."


def _evaluation(data: ReportData, settings: dict[str, Any]) -> Iterator[str]:
    protocols = dict.fromkeys(protocol for protocol, _ in data.metrics)
    named = ui.listing([PROTOCOLS.get(p, p) for p in protocols])
    seeds = max(len(metrics["seeds"]["each"]) for metrics in data.metrics.values())
    over = f", averaged over {seeds} seeds" if seeds > 1 else ""
    yield f"Evaluation was by {named}; UF1 and UAR were computed from predictions pooled over all folds{over}."
    if bounds := settings.get("evaluation"):
        yield (
            f"Intervals ({bounds['confidence']:.0%}) come from {bounds['resamples']} bootstrap resamples of the subjects."
        )
    board = data.leaderboard
    for row in board[board["part"] == FULL].itertuples() if len(board) else ():
        interval = "" if pd.isna(row.uf1_low) else f" ({ui.span(row.uf1_low, row.uf1_high)})"
        yield f"{row.experiment} reached UF1 {ui.number(row.uf1)}{interval} and UAR {ui.number(row.uar)}."


def _named(entry: registry.Entry | None, name: str, cited: list[str]) -> tuple[str, str]:
    """(title, ' [n]') of an entry of the registry, whose paper joins the list of references."""
    if entry is None:
        return name, ""
    paper, doi = entry.meta.get("paper"), entry.meta.get("doi")
    source = " " + _cite(f"{paper}{f', doi:{doi}' if doi else ''}", cited) if paper else ""
    return entry.meta.get("title", name), source


def _cite(work: str, cited: list[str]) -> str:
    if work not in cited:
        cited.append(work)
    return f"[{cited.index(work) + 1}]"
