"""``mer export``: from the stores, a face in a frame as a mesh and the generated views of a corpus as plain files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_lib import clips, params, registry
from mer_lib.commands.cut import empty_folder
from mer_lib.corpora.folder import SHEET
from mer_lib.ingest.writer import write_images, write_video
from mer_lib.problems import BadInput, Problem
from mer_lib.store import Store
from mer_lib.whole import write_csv, write_text

RESULTS = Path("results")
SETTINGS = Path("params.yaml")
MAKE = "run: snakemake --cores 8 multiview"
PAIRS = ("onset_apex", "frames")
COLUMNS = (
    "name", "subject", "source", "yaw", "onset", "apex", "offset", "label", "fps", "emotion", "action_units", "clip",
)  # fmt: skip
SLOW = 25.0  # frames a second that a video plays at where the source does not say
PEOPLE = (
    "What is rendered from a recording of people is a picture of them: the licence of the data set and their consent "
    "say who may have it. Most sets forbid to pass on pictures in any form."
)
NOBODY = "These are rendered faces of nobody; the head is derived from MakeHuman's data (CC0 1.0)."


# ---- a mesh ----------------------------------------------------------------------------------------------------------


def mesh(clip: str, out: Path, frame: int | None = None, corpus: str = "") -> str:
    """Write the surface of a clip at a frame of its source (the clip's first by default) to ``out`` (.glb).

    corpus: where the id's data set is a part of a composite. Returns what was written, in words. Raises BadInput for
    another ending, a clip or frame that is not there, and stores that are not made.
    """
    from mer_lib.geometry.relief import relief
    from mer_lib.geometry.solid import write_glb

    if out.suffix.lower() != ".glb":
        raise BadInput(f"'{out.name}' is no .glb", "name it so: it is written as binary glTF", file=out)
    made = RESULTS / (corpus or clip.partition("/")[0])
    with _store_of(clip, made / "depth", made) as depth, Store(made / "faces" / depth.path.name) as faces:
        frames, marks = faces.read(clip, "frames"), faces.read(clip, "landmarks")
        first, depths = int(faces.read(clip, "first")[0]), depth.read(clip, "depth")
    at = 0 if frame is None else frame - first
    if not 0 <= at < len(frames):
        told = f"frame {frame} lies outside the clip, frames {first} to {first + len(frames) - 1} of its source"
        raise BadInput(told, "choose one of these with --frame", clip=clip)
    camera = params.load(SETTINGS).views.model_dump(include={"fov", "rest_px"}) if SETTINGS.is_file() else {}
    surface = relief(frames, depths, marks, **camera)  # as the views are rendered
    facts = {"clip": clip, "frame": first + at, "units": "metres, 63 mm between the pupils", "note": note(made.name)}
    with _writing(out):
        faces = write_glb(out, surface, frames[at], at, facts)
    points = surface.shape.at[np.unique(faces)]
    edge = np.isin(points, (0, len(frames[at]) - 1)).any(axis=1).sum()
    cut = f"; it ends at the crop's border in {edge} of them" if edge else ""
    return f"{len(points)} points, {len(faces)} triangles{cut}"


def _store_of(clip: str, stage: Path, made: Path) -> Store:
    """The open store of a stage that holds a clip. Raises BadInput that says why there is none."""
    _refuse_unknown(made)
    lost = None
    for path in sorted(stage.glob("*.h5")):
        store = Store(path)
        if clip in store:
            return store
        lost = next((p for p in store.problems if p.clip == clip and p.severity == "skipped"), lost)
        store.close()
    if lost:
        raise BadInput(lost.what, lost.remedy, clip=clip)
    if clip not in set(clips.load(made / "clips.csv")["clip"]):
        raise BadInput("is no clip of this corpus", f"choose one of {made / 'clips.csv'}", clip=clip)
    raise BadInput(f"no {stage.name} of it is made yet", MAKE, clip=clip)


def _refuse_unknown(made: Path) -> None:
    if not (made / "clips.csv").is_file():
        known = sorted(path.parent.name for path in RESULTS.glob("*/clips.csv"))
        remedy = f"choose one of {', '.join(known)}" if known else "run the pipeline first, in its folder"
        raise BadInput(f"nothing is made of a corpus '{made.name}' here", remedy, file=made / "clips.csv")


# ---- the views of a corpus -------------------------------------------------------------------------------------------


@dataclass
class Exported:
    """The sheet's rows, the clips that could not be written, and how many have no views yet."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    lost: list[Problem] = field(default_factory=list)
    unmade: int = 0

    @property
    def clips(self) -> int:
        return len({row["clip"] for row in self.rows})


def views(corpus: str, out: Path, *, pairs: str = "onset_apex", allowed: bool = False) -> Exported:
    """Write each clip of a corpus, as recorded (yaw 0) and from every generated side, below ``out``.

    pairs: ``onset_apex`` writes a folder of these two frames a view, ``frames`` a lossless video. ``{out}/clips.csv``,
    written last, is a sheet of the adapter folder with the yaw of each row; README.txt says what the files are.
    ``allowed``: the caller may have pictures of these people there. A clip that cannot be written is kept among the
    lost. Raises BadInput where leave is not said, ``out`` holds anything, or nothing is made.
    """
    made = RESULTS / corpus
    _refuse_unknown(made)
    if pairs not in PAIRS:
        raise BadInput(f"no pairs called '{pairs}'", f"choose one of {', '.join(PAIRS)}")
    if not allowed and not _synthetic(corpus):
        raise BadInput(f"'{corpus}' shows people. {PEOPLE}", "read its licence; where it allows this, add --allowed")
    stores = sorted((made / "multiview/views" / pairs).glob("*.h5"))
    if not stores:
        others = [other for other in PAIRS if any((made / "multiview/views" / other).glob("*.h5"))]
        raise BadInput(f"no views of '{corpus}' are made", f"choose --pairs {others[0]}" if others else MAKE)
    table, done = clips.load(made / "clips.csv"), Exported()
    apexes, known = _apexes(made, table), {row.clip: row for row in table.itertuples(index=False)}
    empty_folder(out)
    for path in stores:
        with Store(path) as shown, Store(made / "faces" / path.name) as faces:
            done.lost += [p for p in shown.problems if p.severity == "skipped"]
            for clip in filter(known.get, shown.clips):
                try:
                    films = _films(clip, apexes.get(clip), faces, shown, pairs)
                    done.rows += _written(known[clip], films, out, table["dataset"].nunique() > 1)
                except BadInput as error:
                    done.lost.append(error.of_clip(clip, "export"))
    done.unmade = len(table) - done.clips - len({problem.clip for problem in done.lost})
    with _writing(out):
        write_text(_readme(corpus, pairs), out / "README.txt")
        write_csv(pd.DataFrame(done.rows, columns=list(COLUMNS)), out / SHEET)
    return done


@dataclass(frozen=True)
class _Films:
    """A clip from all sides, by yaw: (T, S, S, 3) each. numbers: the T frames' in their source; pair: onset and apex
    alone; apex: its position among the frames."""

    of: dict[float, np.ndarray]
    numbers: list[int]
    pair: bool
    apex: int | None


def _films(clip: str, apex: int | None, faces: Store, shown: Store, pairs: str) -> _Films:
    """What the stores hold of a clip. Raises BadInput where they do not fit."""
    original, first = faces.read(clip, "frames"), int(faces.read(clip, "first")[0])
    yaws, frames = shown.read(clip, "yaw"), shown.read(clip, "frames")
    frames, pair = frames.reshape(len(yaws), -1, *frames.shape[1:]), pairs == "onset_apex"
    numbers = [first, apex] if pair else list(range(first, first + len(original)))
    if apex is None and pair:
        raise BadInput("its apex is not known any more", f"delete its views and {MAKE}")
    kept = [number - first for number in numbers]
    if frames.shape[1] != len(kept) or not 0 <= kept[-1] < len(original):
        raise BadInput("its faces and its views are not of the same frames", f"delete its views and {MAKE}")
    films = {0.0: original[kept], **dict(zip(yaws.tolist(), frames, strict=True))}
    return _Films(films, numbers, pair, None if apex is None else numbers.index(apex))


def _written(row: Any, films: _Films, out: Path, several: bool) -> list[dict[str, Any]]:
    """The files of one clip written; a row a view."""
    subject, name = _names(row.clip, several)
    ends = {"onset": 0, "apex": films.apex, "offset": len(films.numbers) - 1}
    kept = {column: getattr(row, column) for column in ("label", "emotion", "action_units", "clip")}
    rate, rows = None if films.pair or pd.isna(row.fps) else float(row.fps), []
    for yaw, film in films.of.items():
        target = out / subject / f"{name}_yaw{yaw:+g}{'' if films.pair else '.avi'}"
        with _writing(target):
            if films.pair:
                write_images(target, dict(zip(films.numbers, film, strict=True)))
            else:
                write_video(target, film, rate or SLOW)
        place = {"name": target.name, "subject": subject, "source": target.relative_to(out).as_posix(), "yaw": yaw}
        rows.append({**place, **ends, "fps": rate, **kept})
    return rows


def _names(clip: str, several: bool) -> tuple[str, str]:
    """Names of the subject's folder and of a clip's files, which lie below the folder that they are written to."""
    dataset, subject, name = clip.split("/", 2)
    subject = f"{dataset}.{subject}" if several else subject  # two data sets may have people of one name
    if subject in (".", "..") or "\\" in subject:
        raise BadInput(f"subject '{subject}' cannot name a folder", "rename it in the sheet")
    return subject, name.replace("/", "_").replace("\\", "_")


def _apexes(made: Path, table: pd.DataFrame) -> Mapping[str, int]:
    """The apex of each clip that has one, by its sheet or as it was spotted."""
    spotted = made / "apex.csv"
    found = pd.read_csv(spotted).set_index("clip")["apex"].to_dict() if spotted.is_file() else {}
    sheet = table.dropna(subset=["apex"]).set_index("clip")["apex"]
    return {clip: int(apex) for clip, apex in {**found, **sheet.to_dict()}.items()}


def _synthetic(corpus: str) -> bool:
    """Whether a corpus shows nobody; one that params.yaml does not name shows people."""
    if not SETTINGS.is_file():
        return False
    named = {each.name: each for each in params.load(SETTINGS).all_corpora()}
    return corpus in named and bool(registry.get("corpus", named[corpus].adapter).meta.get("synthetic"))


def note(corpus: str) -> str:
    """Who may have pictures of a corpus."""
    return NOBODY if _synthetic(corpus) else PEOPLE


def _readme(corpus: str, pairs: str) -> str:
    """What the files are, and who may have them."""
    what = "onset and apex, two frames a folder, numbered as in the source" if pairs == "onset_apex" else "all frames"
    return (
        f"Generated views of '{corpus}': {what}.\n\n"
        "clips.csv has a row a view. yaw: degrees, positive to the subject's left; 0 is the recording, cropped.\n"
        "The others are rendered from its depth, an estimate. What no pixel of the recording shows has one colour.\n"
        "All views of a subject belong on one side of any split. Positions count from 0, within the files.\n\n"
        f"{note(corpus)}\n"
    )


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What the system says while writing, in one line."""
    try:
        yield
    except OSError as error:
        remedy = "see that there is room and the right to write"
        raise BadInput(f"cannot be written ({error.strerror})", remedy, file=path) from None
