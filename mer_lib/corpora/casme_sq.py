"""CAS(ME)²: 57 micro- and 300 macro-expressions in 87 long videos (30 fps, 22 subjects); one row an interval.

The sheet has no header: subject 1–22, video and its expression ('anger1_1'), onset, apex, offset, action units, emotion
(negative, positive, surprise, others), type, self-report. Two further sheets, the naming rules, lead from subject and
video to the folder, such as ``rawpic/s15/15_0401girlcrashing``: the folder is told by the numbers before and behind its
first '_', since one of s23 lies in s19.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mer_lib.corpora import sheets
from mer_lib.corpora.action_units import normal
from mer_lib.corpora.annotated import Annotation, each, table, tell_unused
from mer_lib.corpora.frames import folders
from mer_lib.corpora.intervals import bounded, type_of
from mer_lib.corpora.layout import Layout, find_frames, find_sheet
from mer_lib.corpora.schemes import THREE, labels
from mer_lib.problems import BadInput, note
from mer_lib.registry import register

FPS = 30
OWN = ("negative", "positive", "surprise", "others")
COLUMNS = ("subject", "video", "onset", "apex", "offset", "action_units", "emotion", "type", "self_report")
# What the sheets 'naming rule1' and 'naming rule2' hold, for workbooks that were saved without them.
FOLDERS = {str(i): str(n) for i, n in enumerate((15, 16, *range(19, 28), *range(29, 39), 40), 1)}
VIDEOS = {
    "disgust1": "0101", "disgust2": "0102", "anger1": "0401", "anger2": "0402", "happy1": "0502", "happy2": "0503",
    "happy3": "0505", "happy4": "0507", "happy5": "0508",
}  # fmt: skip
LAYOUTS = {
    "casme_sq": Layout(
        title="CAS(ME)²",
        sheets=("CAS(ME)^2code_final(Updated)*.xlsx", "CAS(ME)^2code_final*.xlsx", "CASME_sq_gt*.xlsx"),
        frames=("rawpic", "rawpic_*", "cropped", "cropped_*"),
        inside=r"s\d{2}",
        tree="""\
casme_sq/
  CAS(ME)^2code_final(Updated).xlsx       or CASME_sq_gt.xlsx
  rawpic/                                 or cropped/
    s15/
      15_0101disgustingteeth/
        img001.jpg …
""",
        docs="docs/data-sets/casme_sq.md",
    )
}
_FOLDER = re.compile(r"(\d+)_\d{4}")


@register(
    "corpus",
    "casme_sq",
    title="CAS(ME)²",
    paper="Qu, Wang, Yan, Li, Wu, Fu: CAS(ME)²: a database for spontaneous macro-expression and micro-expression "
    "spotting and recognition (2018)",
    doi="10.1109/TAFFC.2017.2654440",
)
def index(
    root: str | Path,
    *,
    name: str,
    classes: Sequence[str],
    sheet: str = "",
    frames: str = "",
    scheme: str = "megc2019",
) -> pd.DataFrame:
    """CAS(ME)²: 57 micro- and 300 macro-expressions in 87 long videos, 30 fps; schemes megc2019, own.

    sheet, frames: paths from ``root`` where they are not found or another one is meant; scheme: see corpora.schemes.
    Returns the clip table, one row an interval, ``source`` the folder of its long video. Rows that cannot be used are
    refused (recorded, not raised).
    """
    layout = LAYOUTS["casme_sq"]
    known = labels(scheme, classes, corpus=name, adapter="casme_sq", own=OWN, three=THREE)
    path = find_sheet(root, layout, sheet)
    rows = sheets.read(path, COLUMNS, keys=("subject", "video"))
    prefixes, codes = _naming(path)
    found = _video_folders(find_frames(root, layout, frames))

    def annotation(row: sheets.Row) -> Annotation:
        video, emotion = row.text("video"), row.text("emotion")
        prefix = _named(prefixes, row.text("subject"), "subject", row)
        code = _named(codes, video.partition("_")[0].casefold(), "video", row)
        onset, apex, offset = (row.frame(column, unknown=(0,)) for column in ("onset", "apex", "offset"))
        onset, offset, flags = bounded(onset, apex, offset, row.where)
        return Annotation(
            f"s{prefix}",
            video,
            row.where,
            found.get(f"{prefix}_{code}"),
            wanted=f"s{prefix}/{prefix}_{code}…",
            onset=onset,
            apex=apex,
            offset=offset,
            emotion=emotion,
            label=known.of(emotion, where=row.where),
            action_units=normal(row.text("action_units"), where=row.where),
            type=type_of(row),
            flags=flags,
        )

    annotations = each(rows, annotation)
    tell_unused(found, (a.folder for a in annotations), root=root)
    return table(annotations, root=root, name=name, fps=FPS)


def _named(rules: Mapping[str, str], name: str, what: str, row: sheets.Row) -> str:
    if name not in rules:
        raise BadInput(f"{what} '{name}' is not in the naming rules", sheets.near(name, list(rules)), file=row.where)
    return rules[name]


def _naming(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Subject as the sheet counts → number of the folder, and video → code, from the workbook's naming rules."""
    there = [name.casefold() for name in sheets.sheet_names(path)] if path.suffix.lower() != ".csv" else []
    if not {"naming rule1", "naming rule2"} <= set(there):
        note("the sheets 'naming rule1' and 'naming rule2' are not in it", "the published rules are taken", file=path)
        return FOLDERS, VIDEOS
    first = sheets.read(path, ("folder", "prefix", "subject"), sheet="naming rule1")
    second = sheets.read(path, ("code", "video"), sheet="naming rule2")
    prefixes = {row.text("subject"): row.text("prefix").casefold().removeprefix("s") for row in first}
    return prefixes, {row.text("video").casefold(): row.text("code").zfill(4) for row in second}


def _video_folders(top: Path) -> dict[str, Path]:
    """The folders of videos by what their names begin with, '15_0101', whichever subject's folder they lie in."""
    found: dict[str, Path] = {}
    for path in folders(top, 2).values():
        if match := _FOLDER.match(path.name):
            own = path.parent.name.casefold() == f"s{match[1]}"
            if own or match[0] not in found:
                found[match[0]] = path
    return found
