"""Published inputs of the MEGC 2019 composite: a picture of 28×28 pixels a clip, flow and strain as its colours.

The authors of STSTNet publish them (Liong, Gan, See, Khor, Huang: Shallow Triple Stream Three-dimensional CNN, FG
2019), and others redistribute them, in two forms:

    {held-out subject}/{u_train,u_test}/{0,1,2}/{name}.png     68 folders, each with all 442 pictures
    {name}.png                                                 the 442 pictures once

Names are subject_clip, with a blank before the dot in some copies: 'sub01_EP02_01f .png', '006_006_1_2 .png'. The
official list says what belongs to which data set and class; folders are only checked against it.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mer_lib import clips as clip_table
from mer_lib.clips import OFFICIAL_CLASSES
from mer_lib.corpora import lists
from mer_lib.problems import BadInput, note, refuse
from mer_lib.registry import register

SIDES = ("u_train", "u_test")
_NAMED = 3  # examples in one line
_FORMS = "{held-out subject}/{u_train,u_test}/{0,1,2}/{name}.png, or {name}.png, such as 'sub01_EP02_01f .png'"


@dataclass(frozen=True)
class Picture:
    """One file: path below the root, key of its name, and where a LOSO folder has it ('' in the flat form)."""

    path: str
    key: str
    held_out: str = ""
    side: str = ""
    number: str = ""


@register("corpus", "megc2019-features", features="flow28")
def index(root: str | Path, *, name: str, classes: Sequence[str]) -> pd.DataFrame:
    """Published 28×28 flow and strain of the MEGC 2019 composite, either form of the archive; no videos needed.

    Returns a clip table of kind 'features' in the order of the official list: ids carry the component data sets
    (casme2, smic, samm), ``source`` is one of the clip's pictures below ``root``. Refused (recorded) are clips without
    a picture, and clips whose copies differ, with the names of two that do. Noted are folders that contradict the list.
    Raises BadInput where nothing below ``root`` is such a picture.
    """
    root, wanted = Path(os.path.abspath(root)), lists.official(classes)
    keys = {lists.key(_stem(row)): row for row in wanted.itertuples(index=False)}
    found, strangers = defaultdict(list), []
    for picture in _pictures(root):
        if picture.key in keys:
            found[picture.key].append(picture)
        else:
            strangers.append(picture.path)
    if not found:
        raise _nothing(root, strangers)
    if strangers:
        told = ", ".join(f"'{path}'" for path in strangers[:_NAMED])
        note(
            f"pictures of no clip of the official list: {len(strangers)}, such as {told}",
            "they are not read",
            file=root,
        )
    folders = {picture.held_out for pictures in found.values() for picture in pictures} - {""}
    _check_folders(root, folders, keys, found)
    rows = [_row(root, row, found.get(key, ())) for key, row in keys.items()]
    return clip_table.table(pd.DataFrame([row for row in rows if row], columns=list(clip_table.COLUMNS)))


def _stem(row) -> str:
    return f"{row.subject}_{row.clip}"


def _pictures(root: Path) -> Iterator[Picture]:
    """Every PNG below ``root``; a linked folder is entered, each folder once."""
    if not os.path.isdir(root):
        raise BadInput("no such folder", "set the corpus's root in local.yaml, or link it under data/", file=root)
    entered = set()
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_refuse_folder):
        if (real := os.path.realpath(folder)) in entered:
            folders.clear()
            continue
        entered.add(real)
        folders.sort()
        below = os.path.relpath(folder, root)
        above = Path(folder).parts[-3:]
        loso = len(above) == 3 and above[1] in SIDES
        for file in sorted(files):
            stem, ending = os.path.splitext(file)
            if ending.lower() == ".png" and not file.startswith("."):
                path = file if below == "." else f"{Path(below).as_posix()}/{file}"
                yield Picture(path, lists.key(stem), *(above if loso else ()))


def _refuse_folder(error: OSError) -> None:
    raise BadInput(f"cannot be listed ({error.strerror})", "ask its owner for the right", file=error.filename) from None


def _row(root: Path, row, pictures: Sequence[Picture]) -> dict | None:
    """A clip's row of the table; None, recorded, where its pictures are absent or disagree."""
    subject = f"{row.dataset}/{row.subject}"
    clip = f"{subject}/{row.clip}"
    try:
        _refuse_differing(root, [picture.path for picture in pictures], _stem(row))
    except BadInput as error:
        refuse(error.problem.what, error.problem.remedy, file=error.problem.file, clip=clip)
        return None
    held_out = [picture.path for picture in pictures if picture.side == "u_test"]
    return {
        "clip": clip, "dataset": row.dataset, "subject": subject, "name": row.clip, "kind": "features", "type": "micro",
        "source": min(held_out or [picture.path for picture in pictures]), "label": row.label,
        "flags": "published features",
    }  # fmt: skip


def _refuse_differing(root: Path, paths: Sequence[str], stem: str) -> None:
    """All copies of a clip's picture are the same bytes; raises BadInput naming two that are not."""
    if not paths:
        raise BadInput(f"no picture '{stem}.png'", "unpack the archive again", file=root)
    digests: dict[bytes, str] = {}
    for path in paths:
        try:
            digests.setdefault(hashlib.blake2b((root / path).read_bytes()).digest(), path)
        except OSError as error:
            raise BadInput(f"cannot be read ({error.strerror})", "unpack the archive again", file=root / path) from None
    if len(digests) > 1:
        one, other = list(digests.values())[:2]
        remedy = "unpack the archive again, or take one of the two forms as the root"
        raise BadInput(f"its copies differ: {one} and {other}", remedy, file=root)


def _check_folders(root: Path, folders: set[str], keys: dict, found: dict[str, list[Picture]]) -> None:
    """Note what the LOSO form contradicts: the list's class, the held-out subject's side, a copy in every folder."""
    wrong_class, wrong_side, counts = [], [], Counter()
    for key, pictures in found.items():
        row = keys[key]
        for picture in pictures:
            counts[key] += bool(picture.held_out)
            if picture.held_out and picture.number != str(OFFICIAL_CLASSES.index(row.label)):
                wrong_class.append(picture.path)
            if picture.held_out and (picture.side == "u_test") != (
                lists.key(picture.held_out) == lists.key(row.subject)
            ):
                wrong_side.append(picture.path)
    for paths, what, remedy in (
        (wrong_class, "pictures in another class's folder than the official list says", "the list is taken"),
        (wrong_side, "pictures on the wrong side of u_train and u_test", "folds are made anew from the subjects"),
    ):
        if paths:
            note(f"{what}: {len(paths)}, such as {', '.join(paths[:_NAMED])}", remedy, file=root)
    if lacking := [key for key in found if folders and counts[key] not in (0, len(folders))]:
        what = f"clips that are not in each of the {len(folders)} folders: {len(lacking)}, such as {lacking[0]}"
        note(what, "one copy is enough: nothing is lost", file=root)


def _nothing(root: Path, strangers: list[str]) -> BadInput:
    seen = (
        ", ".join(f"'{path}'" for path in strangers[:_NAMED])
        or ", ".join(sorted(os.listdir(root))[:_NAMED])
        or "nothing"
    )
    return BadInput(f"no published picture of MEGC 2019 below it (found: {seen})", f"looked for {_FORMS}", file=root)
