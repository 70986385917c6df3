"""``mer predict``: one clip through every stage above a model, as the model's own card says they were set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mer_lib import params, registry, weights
from mer_lib.descriptors.reading import describe
from mer_lib.faces.crop import crop_clip
from mer_lib.faces.detect import Detector
from mer_lib.geometry.registration import register
from mer_lib.ingest.media import Source
from mer_lib.ingest.source import open_source
from mer_lib.learning.learner import Fitted
from mer_lib.learning.published import adopt
from mer_lib.motion import colour
from mer_lib.motion.pairs import measured
from mer_lib.problems import BadInput
from mer_lib.spotting.apex import spot_apex
from mer_lib.whole import replacing

SETTINGS = Path("params.yaml")
STAGES = ("faces", "registered", "apex", "motion", "features", "descriptor")  # that a model's card must tell of
ALWAYS = "It answers with one of its classes whatever it is shown, also where nothing is felt."


@dataclass(frozen=True)
class Model:
    """What answers, what is done to a clip before it (options by stage), and what its answer is worth."""

    fitted: Fitted
    stages: dict[str, Any]
    warning: str


def trained(path: Path) -> Model:
    """A model of this project, set as its own card says. Raises BadInput."""
    tensors, card = weights.load(path)
    try:
        if "pipeline" in card:
            stages = {name: card["pipeline"][name] for name in STAGES}
            return Model(Fitted.from_state(tensors, card), stages, _warning(card))
    except (KeyError, TypeError, ValueError):
        told = "its card does not say what the model is, or what it learned from"
        raise BadInput(told, "train the model again", file=path) from None
    raise BadInput("holds the models of single folds", "name a file of results/*/models/", file=path)


def given(path: Path, settings: Path = SETTINGS) -> Model:
    """The model of any file of weights: one of this project, or those that a network's authors have published.

    These say nothing of what comes before them: the stages are set as ``settings`` has them, but for the descriptor,
    whose defaults are what its authors made their inputs by. Raises BadInput for any other file.
    """
    if weights.has_card(path):
        return trained(path)
    fitted = adopt(path)
    entry = registry.get("model", fitted.name)
    stages = params.load(settings).pipeline(entry.meta["inputs"], "onset_apex")
    stages["features"] = registry.get("descriptor", entry.meta["inputs"]).complete({})
    told = f"{path.name} are weights that others have published for {entry.meta['title']}; they do not say what they"
    return Model(fitted, stages, f"{told} learned from, and of that the answer means nothing. {ALWAYS}")


@dataclass(frozen=True)
class Prediction:
    """What a model says of a clip: probabilities by class, the frames it rests on, and how sure one may be."""

    probabilities: dict[str, float]
    onset: int
    apex: int
    spotted: bool
    pictures: tuple[np.ndarray, np.ndarray]
    flow: np.ndarray
    strain: np.ndarray
    warning: str
    features: np.ndarray
    fitted: Fitted

    def facts(self) -> dict[str, Any]:
        """What is neither a picture nor the model, ready for JSON."""
        return {
            "probabilities": self.probabilities,
            "onset": self.onset,
            "apex": self.apex,
            "apex_spotted": self.spotted,
            "warning": self.warning,
        }


def predict(
    clip: Path,
    model: Model,
    *,
    onset: int | None = None,
    apex: int | None = None,
    offset: int | None = None,
    max_frames: int = 1000,
    device: str = "cpu",
) -> Prediction:
    """Classify a video or a folder of frames by a model that ``trained`` or ``given`` has read.

    Positions count from 0; onset and offset default to the whole clip, a missing apex is spotted as the corpus's are.
    Raises BadInput for media and intervals that cannot be used.
    """
    stages, fitted = model.stages, model.fitted
    source = open_source(clip, "frames" if clip.is_dir() else "video")
    start, stop = _interval(source, onset, apex, offset, max_frames)
    face = crop_clip(source, start, stop, Detector(device), **stages["faces"])
    registered = register(face.frames, face.landmarks, **stages["registered"])
    frames, landmarks = registered.frames, registered.landmarks
    at = apex - start if apex is not None else _spot(frames, stages["apex"])
    shown = measured(frames, at, {**stages["motion"], "pairs": "onset_apex"}, fps=source.fps)
    other = stages["motion"]["pairs"] != "onset_apex"
    read = measured(frames, at, stages["motion"], fps=source.fps) if other else shown
    stored = {"registered": {"frames": frames, "landmarks": landmarks}, "motion": read}
    descriptor = registry.get("descriptor", stages["descriptor"])
    features = describe(descriptor, lambda stage, name: stored[stage][name], stages["features"])
    shares = fitted.probabilities(features, device)[0]
    return Prediction(
        probabilities={name: float(share) for name, share in zip(fitted.classes, shares, strict=True)},
        onset=start,
        apex=start + at,
        spotted=apex is None,
        pictures=(frames[0], frames[at]),
        flow=shown["flow"][0].astype(np.float32),
        strain=shown["strain"][0].astype(np.float32),
        warning=model.warning,
        features=features[0],
        fitted=fitted,
    )


def _interval(
    source: Source, onset: int | None, apex: int | None, offset: int | None, max_frames: int
) -> tuple[int, int]:
    start, stop = onset or 0, source.count if offset is None else offset + 1
    if not 0 <= start < stop - 1 or stop > source.count or (apex is not None and not start < apex < stop):
        raise BadInput(
            f"the interval {start} to {stop - 1}{'' if apex is None else f' with apex {apex}'} does not fit",
            f"its frames are 0 to {source.count - 1}, and the apex comes after the onset",
            file=source.path,
        )
    if stop - start > max_frames:
        raise BadInput(f"{stop - start} frames", f"name --onset and --offset: at most {max_frames}", file=source.path)
    return start, stop


def _spot(frames: np.ndarray, stage: dict[str, Any]) -> int:
    if "method" not in stage:
        raise BadInput("the model's card does not say how an apex is spotted", "name --apex, or train the model again")
    return spot_apex(frames, flow=stage["flow"], method=stage["method"], **stage["options"])[0]


def _warning(card: dict[str, Any]) -> str:
    """What the model was trained on, and what that is worth for another person."""
    corpus = f"{card['clips']} clips of {card['subjects']} subjects of '{card['corpus']}'"
    faces = " These are rendered faces, not people: take the answer as a demonstration." if card["synthetic"] else ""
    shuffled = card["made"]["options"]["train"]["control"] == "permuted"
    control = " Their labels were shuffled: it is a control, and what it answers means nothing." if shuffled else ""
    told = f"{card['experiment']} was trained on {corpus}.{control}{faces}"
    return f"{told} {ALWAYS}"


def picture(found: Prediction, path: Path) -> None:
    """Onset, apex, flow in colour, strain and the probabilities side by side, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    panels = figure.subplots(1, 5)
    shown = [
        (found.pictures[0], f"onset, frame {found.onset}", {}),
        (found.pictures[1], f"apex, frame {found.apex}{' (spotted)' if found.spotted else ''}", {}),
        (colour.encode(found.flow), f"flow, at most {np.linalg.norm(found.flow, axis=-1).max():.1f} px", {}),
        (found.strain, "strain", {"cmap": "magma"}),
    ]
    for axes, (image, title, how) in zip(panels, shown, strict=False):
        axes.imshow(image, **how)
        axes.set_title(title, fontsize=10)
        axes.set_axis_off()
    names, shares = list(found.probabilities), list(found.probabilities.values())
    bars = panels[-1].barh(names, shares, color="#4c72b0")
    panels[-1].bar_label(bars, [f"{share:.2f}" for share in shares], padding=3)
    panels[-1].set(xlim=(0, 1.15), box_aspect=1)
    panels[-1].set_title("probability", fontsize=10)
    panels[-1].invert_yaxis()
    figure.suptitle(found.warning, fontsize=8, wrap=True)
    with replacing(path) as part:
        figure.savefig(part, dpi=120, format="png")
