"""SMIC: 164 micro-expressions of 16 people at 100 fps (HS), fewer at 25 fps (VIS, NIR), in three classes.

``smic`` reads the cropped clips, which have no sheet: the folder tells the class, onset and offset are the first and
last frame. ``smic_e`` reads the longer recordings around them, whose onsets and offsets stand in a sheet. No apex is
annotated in either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from mer_lib.corpora import sheets
from mer_lib.corpora.annotated import Annotation, Correction, corrected, each, table, tell_unused, told
from mer_lib.corpora.frames import folders, numbers
from mer_lib.corpora.layout import Layout, find_frames, find_sheet, of_modality
from mer_lib.corpora.schemes import THREE, Labels, labels
from mer_lib.problems import BadInput, note, refuse
from mer_lib.registry import register, suggestion

FPS = {"HS": 100, "VIS": 25, "NIR": 25}
OWN = ("negative", "positive", "surprise")
LAYOUTS = {
    "smic": Layout(
        title="SMIC",
        sheets=(),
        frames=("SMIC_all_cropped/HS", "*cropped*/HS", "HS"),
        inside=r"s\d+",
        tree="""\
smic/
  SMIC_all_cropped/
    HS/                                 VIS/ or NIR/ with modality: VIS or NIR
      s1/
        micro/
          negative/
            s1_ne_01/
              reg_image1.bmp …
""",
        docs="docs/data-sets/smic.md",
        named=True,
    ),
    "smic_e": Layout(
        title="SMIC-E",
        sheets=("SMIC-HS-E_annotation.xlsx", "SMIC-HS-E_annotation*.xlsx", "SMIC-HS-E_annotation*.csv"),
        frames=("SMIC-E_raw*/HS_long/SMIC?HS?E", "HS_long/SMIC?HS?E", "SMIC?HS?E", "SMIC?HS?E/HS"),
        inside=r"s\d+",
        tree="""\
smic_e/
  SMIC-E_raw image/
    HS_long/                            VIS_long/ or NIR_long/ with modality: VIS or NIR
      SMIC-HS-E_annotation.xlsx         or SMIC-HS-E_annotation_2019.xlsx
      SMIC-HS-E/                        or SMIC_HS_E/
        s03/
          s3_ne_03/
            image17581039.jpg …
""",
        docs="docs/data-sets/smic.md",
        named=True,
    ),
}
COLUMNS = {
    "subject": ("Subject",),
    "name": ("Filename",),
    "onset": ("OnsetF", "Onset1F"),
    "offset": ("OffsetF", "Offset1F"),
    "onset2": ("Onset2F",),
    "offset2": ("Offset2F",),
    "onset3": ("Onset3F",),
    "offset3": ("Offset3F",),
    "emotion": ("Emotion",),
}
NOT_THERE = ("onset2", "offset2", "onset3", "offset3")  # versions of the sheet differ
_SHORT = {"ne": "negative", "po": "positive", "su": "surprise"}


@register(
    "corpus",
    "smic",
    people="smic",
    title="SMIC",
    paper="Li, Pfister, Huang, Zhao, Pietikäinen: A spontaneous micro-expression database (2013)",
    doi="10.1109/FG.2013.6553717",
)
def index(
    root: str | Path,
    *,
    name: str,
    classes: Sequence[str],
    modality: str = "HS",
    frames: str = "",
    scheme: str = "megc2019",
) -> pd.DataFrame:
    """SMIC, cropped: 164 clips, 16 subjects, 100 fps (HS), or 25 fps (VIS, NIR); schemes megc2019 and own.

    Both schemes are the three classes of the folders. modality: HS, VIS or NIR; frames: path from ``root`` where it is
    not found. Returns the clip table, sources relative to ``root``: onset and offset are the first and last frame, the
    apex is unknown. Folders that cannot be used are refused (recorded, not raised).
    """
    modality = _modality(modality)
    known = labels(scheme, classes, corpus=name, adapter="smic", own=OWN, three=THREE)
    top = find_frames(root, of_modality(LAYOUTS["smic"], modality), frames)
    annotations = []
    for key, path in sorted(folders(top, 4).items()):
        if key.split("/")[1] != "micro":  # non_micro holds the rest of the recordings
            continue
        try:
            annotations.append(_cropped(path, known, path.relative_to(root).as_posix()))
        except BadInput as error:
            refuse(error.problem.what, error.problem.remedy, file=error.problem.file or path)
    return table(annotations, root=root, name=name, fps=FPS[modality])


@register(
    "corpus",
    "smic_e",
    people="smic",
    title="SMIC-E",
    paper="Li, Hong, Moilanen, Huang, Pfister, Zhao, Pietikäinen: Towards reading hidden emotions (2018)",
    doi="10.1109/TAFFC.2017.2667642",
)
def index_extended(
    root: str | Path,
    *,
    name: str,
    classes: Sequence[str],
    modality: str = "HS",
    sheet: str = "",
    frames: str = "",
    scheme: str = "megc2019",
) -> pd.DataFrame:
    """SMIC-E: the longer recordings around SMIC's clips, with onset and offset; schemes megc2019 and own.

    A recording with several onsets gives several clips. modality: HS, VIS or NIR; sheet, frames: paths from ``root``
    where they are not found or another one is meant. Returns the clip table, sources relative to ``root``. Rows that
    cannot be used are refused (recorded, not raised).
    """
    modality = _modality(modality)
    layout = of_modality(LAYOUTS["smic_e"], modality)
    known = labels(scheme, classes, corpus=name, adapter="smic_e", own=OWN, three=THREE)
    rows = _rows(find_sheet(root, layout, sheet), modality)
    top = find_frames(root, layout, frames)
    found = {tuple(map(_padded, key.split("/"))): path for key, path in folders(top, 2).items()}

    def annotation(row: sheets.Row) -> Annotation:
        subject, clip = _padded(row.text("subject")), _padded(row.text("name"))
        return Annotation(
            subject, clip, row.where, found.get((subject, clip)), f"{top.name}/{subject}/{clip}", **told(row, known)
        )

    annotations = each((interval for row in rows for interval in _intervals(row)), annotation)
    annotations = corrected(annotations, _corrections(known))
    tell_unused(found, (a.folder for a in annotations), root=root)
    return table(annotations, root=root, name=name, fps=FPS[modality])


def _corrections(known: Labels) -> dict[str, Correction]:
    """Of the longer set, by clip."""
    reason = "the sheet says negative; its name, the cropped set and the official list of MEGC 2019 say surprise"
    return {"s18/s18_sur_03": Correction(reason, {"label": known.of("surprise")})}


def _cropped(path: Path, known: Labels, where: str) -> Annotation:
    """One folder .../s1/micro/negative/s1_ne_01 as an annotation. Raises BadInput for a folder without frames."""
    emotion, clip = path.parent.name, _padded(path.name)
    short = re.match(r"s\d+_([a-z]{2})", clip)
    if short and _SHORT.get(short[1], emotion.lower()) != emotion.lower():
        note(f"lies in the folder '{emotion}', its name says {_SHORT[short[1]]}", "the folder is followed", file=where)
    there = numbers(path)
    label = known.of(emotion, where=where)
    subject = _padded(path.parents[2].name)
    return Annotation(
        subject, clip, where, path, onset=int(there[0]), offset=int(there[-1]), emotion=emotion, label=label
    )


def _rows(path: Path, modality: str) -> list[sheets.Row]:
    page: str | int = modality
    if path.suffix.lower() == ".csv" or modality not in (names := sheets.sheet_names(path)):
        page = 0
        if path.suffix.lower() != ".csv":
            what = f"no sheet '{modality}' in the workbook: '{names[0]}' is read"
            note(what, "rename the right one, if it is another", file=path)
    return sheets.read(path, COLUMNS, sheet=page, optional=NOT_THERE, keys=("subject", "name"))


def _intervals(row: sheets.Row) -> Iterator[sheets.Row]:
    """A row for each onset that the row has."""
    for number in ("", "2", "3"):
        onset, offset = row.cells.get(f"onset{number}"), row.cells.get(f"offset{number}")
        if not number or sheets.as_text(onset) not in (*sheets.UNKNOWN, "0"):
            yield sheets.Row(row.where, {**row.cells, "onset": onset, "offset": offset})


def _modality(given: str) -> str:
    if given.upper() not in FPS:
        raise BadInput(f"no modality '{given}'", suggestion(given.upper(), FPS))
    return given.upper()


def _padded(name: str) -> str:
    """'s03_ne_03' of 's3_ne_03', 's03' of 3: sheets and folders mix both."""
    number = re.match(r"s?(\d+)(?![^_])", name.lower())
    return f"s{int(number[1]):02d}{name.lower()[number.end() :]}" if number else name.lower()
