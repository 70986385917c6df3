"""CAS(ME)³ part A: 860 micro-expressions in the long videos of 94 people, 30 fps, with depth beside the colour.

A subject's video has several intervals, so ids carry the onset where its name repeats. The frames come as whole videos,
``spNO.1/b/color/175.jpg``, or cut to the intervals, ``spNO.1_b_166/175.jpg``: the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mer_lib.corpora import sheets
from mer_lib.corpora.action_units import normal
from mer_lib.corpora.annotated import Annotation, Correction, each, table, tell_unused
from mer_lib.corpora.frames import folders
from mer_lib.corpora.intervals import bounded, corrected_at
from mer_lib.corpora.layout import Layout, find_frames, find_sheet
from mer_lib.corpora.schemes import labels
from mer_lib.registry import register

FPS = 30
LAYOUTS = {
    "casme3": Layout(
        title="CAS(ME)³ part A",
        sheets=("cas(me)3_part_A_ME_label_JpgIndex_v2*.xlsx", "cas(me)3_part_A_ME_label*.xlsx", "cas*3*ME*label*.csv"),
        frames=("part_A", "part_A/*", "*part_A*", "Part_A_ME_clip/frame", "data", "frame"),
        inside=r"spNO\.\d+(_[a-z]_\d+)?",
        tree="""\
casme3/
  cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx
  part_A/                                   or Part_A_ME_clip/frame/
    spNO.1/                                   spNO.1_b_166/
      b/                                        166.jpg …
        color/
          1.jpg …
""",
        docs="docs/data-sets/casme3.md",
    )
}
COLUMNS = {
    "subject": ("Subject",),
    "name": ("Filename",),
    "onset": ("Onset",),
    "apex": ("Apex",),
    "offset": ("Offset",),
    "action_units": ("AU", "Action Units"),
    "objective": ("Objective class", "Objective Classes"),
    "emotion": ("emotion",),
}
OWN = ("disgust", "surprise", "others", "fear", "anger", "sadness", "happiness")
CORRECTIONS = {
    "spNO.216/d@3647": Correction("the onset follows its apex 2668 by a slip of one digit", {"onset": 2647}),
}


@register(
    "corpus",
    "casme3",
    title="CAS(ME)³",
    paper="Li, Dong, Lu, Wang, Yan, Wu, Liu, Fu: CAS(ME)³: a third generation facial spontaneous micro-expression "
    "database with depth information and high ecological validity (2023)",
    doi="10.1109/TPAMI.2022.3174895",
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
    """CAS(ME)³ part A: 860 micro-expressions of 94 subjects in long videos, 30 fps; schemes megc2019, own, objective.

    sheet, frames: paths from ``root`` where they are not found or another one is meant; scheme: see corpora.schemes.
    Returns the clip table, one row an interval, ``source`` the folder of its video (or of its cut frames). Rows that
    cannot be used are refused (recorded, not raised).
    """
    layout = LAYOUTS["casme3"]
    known = labels(scheme, classes, corpus=name, adapter="casme3", own=OWN, objective=True)
    path = find_sheet(root, layout, sheet)
    rows = sheets.read(path, COLUMNS, sheet=_sheet(path), keys=("subject", "name"))
    found = _video_folders(find_frames(root, layout, frames))

    def annotation(row: sheets.Row) -> Annotation:
        subject, video, emotion = row.text("subject"), row.text("name"), row.text("emotion")
        apex = row.frame("apex")
        onset, offset, flags = bounded(row.frame("onset"), apex, row.frame("offset"), row.where)
        return Annotation(
            subject,
            video,
            row.where,
            _folder(found, subject, video, row.text("onset")),
            wanted=f"{subject}/{video}/color",
            onset=onset,
            apex=apex,
            offset=offset,
            emotion=emotion,
            label=known.of(emotion, row.text("objective"), where=row.where),
            action_units=normal(row.text("action_units"), where=row.where),
            flags=flags,
        )

    annotations = corrected_at(each(rows, annotation), CORRECTIONS)
    tell_unused(found, (a.folder for a in annotations), root=root)
    return table(annotations, root=root, name=name, fps=FPS)


def _sheet(path: Path) -> str | int:
    """The workbook's sheet 'label', or its first where none is called so."""
    named = path.suffix.lower() != ".csv" and "label" in [name.casefold() for name in sheets.sheet_names(path)]
    return "label" if named else 0


def _video_folders(top: Path) -> dict[str, Path]:
    """Folders of frames: 'spno.1/b' of whole videos, 'spno.1_b_166' of cut ones. Depth is not read."""
    whole = {key.removesuffix("/color"): path for key, path in folders(top, 3).items() if key.endswith("/color")}
    cut = {key: path for key, path in folders(top, 1).items() if key.count("_") == 2}
    return whole | cut


def _folder(found: Mapping[str, Path], subject: str, video: str, onset: str) -> Path | None:
    return found.get(f"{subject}/{video}".lower()) or found.get(f"{subject}_{video}_{onset}".lower())
