"""Own recordings: videos or folders of frames, and a sheet ``clips.csv`` beside them that names each clip.

    name,subject,onset,apex,offset,label
    smile_01,anna,12,30,55,positive
    long_take,anna,240,,290,

``name`` is a video file or a folder of images under the corpus's root, directly or inside a folder of the subject's
name, with or without its ending; ``source`` may give the path instead. Positions count from 0. Everything but name and
subject may stay empty: without onset and offset the whole source is the clip, without apex it is spotted later,
without label the clip is never scored. Further columns: source, fps, emotion, action_units.
"""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from io import StringIO
from pathlib import Path, PurePosixPath

import pandas as pd

from mer_lib import clips as clip_table
from mer_lib.corpora.inside import check_name, leaves
from mer_lib.problems import BadInput, note, refuse
from mer_lib.registry import register, suggestion

SHEET = "clips.csv"
VIDEOS = (".avi", ".mkv", ".mov", ".mp4")
_HEADER = ("name", "subject", "onset", "apex", "offset", "label")
_COLUMNS = (*_HEADER, "source", "fps", "emotion", "action_units")
_UNKNOWN = ("", "/", "-", "na", "nan", "none")  # how sheets write an empty cell
_LISTED = 8
_Lister = Callable[[Path], tuple[Mapping[str, list[Path]], Mapping[str, list[Path]]]]


@register("corpus", "folder")
def index(root: str | Path, *, name: str, classes: Sequence[str]) -> pd.DataFrame:
    """Own videos or folders of frames with a sheet clips.csv beside them.

    ``name`` is the data set's name in all ids, ``classes`` are the labels allowed. Returns the clip table, sources
    relative to ``root``, frames and rate still unknown (no medium is opened). A row that cannot be used is refused
    (recorded, not raised). Raises BadInput where there is no sheet to read.
    """
    root = Path(root)
    sheet = _read_sheet(root)
    repeated = sheet.assign(name=sheet["name"].map(_bare)).duplicated(["subject", "name"], keep=False)
    seen, rows, listed = set(), [], cache(_listed)
    for line, given, again in zip(sheet.index + 2, sheet.to_dict("records"), repeated, strict=True):
        clip = f"{name}/{given['subject']}/{_bare(given['name'])}"
        try:
            row = _row(root, given, classes, listed)
            if again:  # one recording, several clips
                clip = f"{clip}@{0 if pd.isna(row['onset']) else row['onset']}"
            if clip in seen:
                raise BadInput("the clip id stands twice", "give the second one another name, or drop it")
        except BadInput as error:
            refuse(error.problem.what, error.problem.remedy, file=f"{SHEET} line {line}", clip=clip)
            continue
        seen.add(clip)
        rows.append(row | {"clip": clip, "dataset": name, "subject": f"{name}/{given['subject']}"})
    return clip_table.table(pd.DataFrame(rows, columns=list(clip_table.COLUMNS)))


def _read_sheet(root: Path) -> pd.DataFrame:
    """All cells as stripped text in one Unicode form (NFC), one column for each of the known names."""
    path = root / SHEET
    if not path.is_file():
        raise _no_sheet(root)
    try:
        text = path.read_text(encoding="utf-8-sig")
        separator = ";" if ";" in text.split("\n", 1)[0] else ","  # a spreadsheet's own csv in half of Europe
        options = {"sep": separator, "dtype": str, "keep_default_na": False, "skip_blank_lines": False}
        sheet = pd.read_csv(StringIO(text), index_col=False, **options)
        heads = pd.read_csv(StringIO(text), header=None, nrows=1, **options)  # pandas renames a column that is doubled
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        remedy = f"save it as UTF-8 text with commas, headed {','.join(_HEADER)}"
        raise BadInput(f"cannot be read as a table ({error})", remedy, file=path) from None
    sheet.columns = heads.iloc[0].str.strip().str.lower()
    if doubled := [column for column in _COLUMNS if (sheet.columns == column).sum() > 1]:
        raise BadInput(f"column '{doubled[0]}' stands twice", "keep one of the two", file=path)
    if missing := [column for column in ("name", "subject") if column not in sheet]:
        raise BadInput(f"no column {' and no column '.join(missing)}", f"head it {','.join(_HEADER)}", file=path)
    for column in sheet.columns.difference(_COLUMNS):
        note(f"column '{column}' is not used", suggestion(column, _COLUMNS), file=path)
    known = sheet.loc[:, sheet.columns.isin(_COLUMNS)]
    sheet = known.reindex(columns=list(_COLUMNS), fill_value="").fillna("")
    sheet = sheet.apply(lambda column: column.str.strip().str.normalize("NFC"))
    return sheet[(sheet != "").any(axis=1)]


def _no_sheet(root: Path) -> BadInput:
    if not root.is_dir():
        return BadInput("no such folder", "set the corpus's root in local.yaml, or link it under data/", file=root)
    media = sorted(
        Path(folder, file).relative_to(root).as_posix()
        for folder, _, files in os.walk(root)
        for file in files
        if file.lower().endswith(VIDEOS)
    )
    folders = sorted(p.name for p in root.iterdir() if p.is_dir())
    found = ", ".join((media + folders)[:_LISTED]) + (" …" if len(media + folders) > _LISTED else "")
    return BadInput(
        f"no {SHEET} beside the media (found: {found or 'nothing'})",
        f"write one headed '{','.join(_HEADER)}', one row a clip, positions counted from 0",
        file=root / SHEET,
    )


def _row(root: Path, given: dict[str, str], classes: Sequence[str], listed: _Lister) -> dict:
    """One row of the sheet as columns of the clip table; raises BadInput for what cannot be used."""
    for column in ("name", "subject"):
        if not given[column]:
            raise BadInput(f"no {column}", "fill the cell: a clip without it cannot be told from others")
    check_name(given["subject"], "subject")
    source, kind = _resolve(root, given, listed)
    row = {column: _position(column, given[column]) for column in ("onset", "apex", "offset")}
    for first, second in (("onset", "offset"), ("onset", "apex"), ("apex", "offset")):
        if not pd.isna(row[first]) and not pd.isna(row[second]) and row[first] > row[second]:
            raise BadInput(
                f"{first} {row[first]} comes after {second} {row[second]}",
                "correct the sheet: onset ≤ apex ≤ offset, positions counted from 0",
            )
    return row | {
        "name": _bare(given["name"]), "source": source, "kind": kind, "type": "micro", "fps": _rate(given["fps"]),
        "label": _label(given["label"], classes), "emotion": given["emotion"], "action_units": given["action_units"],
        "flags": "no apex" if pd.isna(row["apex"]) else "",
    }  # fmt: skip


def _bare(name: str) -> str:
    """The last part of a name, without a video's ending."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return last[: -len(Path(last).suffix)] if last.lower().endswith(VIDEOS) else last


def _position(column: str, text: str) -> int | None:
    if text.lower() in _UNKNOWN:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if value < 0 or not value.is_integer():
        raise BadInput(
            f"{column} '{text}' is no frame position", "write a whole number counted from 0, or leave it empty"
        )
    return int(value)


def _rate(text: str) -> float | None:
    if text.lower() in _UNKNOWN:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise BadInput(f"fps '{text}' is no frame rate", "write frames a second, or leave it empty")
    return value


def _label(text: str, classes: Sequence[str]) -> str:
    known = {_nfc(str(c)).casefold(): str(c) for c in classes}
    if text.casefold() not in known and text.lower() not in _UNKNOWN:  # a class may be called None
        raise BadInput(f"unknown label '{text}'", suggestion(text, classes))
    return known.get(text.casefold(), "")


def _resolve(root: Path, given: dict[str, str], listed: _Lister) -> tuple[str, str]:
    """(path relative to ``root``, kind) of a row's medium."""
    wanted = given["source"] or given["name"]
    places = [wanted] if given["source"] else [wanted, f"{given['subject']}/{wanted}"]
    for place in places:
        relative = PurePosixPath(place.replace("\\", "/"))
        if leaves(root, relative):
            raise BadInput(f"'{wanted}' leaves the corpus's folder", "put or link the media inside it")
        found = _matches(root, relative, listed)
        if len(found) > 1:
            names = ", ".join(sorted(path.name for path in found))
            raise BadInput(f"'{wanted}' may be any of {names}", "write the name with its ending")
        if found:
            return found[0].relative_to(root).as_posix(), "frames" if _is_frames(found[0]) else "video"
    raise BadInput(
        f"no video ({', '.join(VIDEOS)}) and no folder of frames '{wanted}' under {root}",
        "correct the name or add the file",
    )


def _is_frames(path: Path) -> bool:
    """Whatever is no video file is handed on as frames: reading a lone picture or a text file says what is wrong."""
    return path.is_dir() or path.suffix.lower() not in VIDEOS


def _matches(root: Path, wanted: PurePosixPath, listed: _Lister) -> list[Path]:
    """What is called ``wanted`` below ``root``, else the videos so called but for the ending, else any such file.

    Names are compared in one Unicode form: a sheet typed on one system finds files and folders copied from another.
    """
    if not wanted.parts:  # "." names the root: frames beside the sheet
        return [root]
    folders = [root]
    for part in wanted.parts[:-1]:
        folders = [entry for folder in folders for entry in listed(folder)[0].get(part, ()) if entry.is_dir()]
    exact, alike = ([e for f in folders for e in listed(f)[by].get(wanted.name, ())] for by in (0, 1))
    if exact := [entry for entry in exact if not entry.name.startswith(".")]:
        return exact
    alike = [entry for entry in alike if not entry.name.startswith(".") and entry.is_file()]
    return [entry for entry in alike if entry.suffix.lower() in VIDEOS] or alike


def _listed(folder: Path) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """The entries of a folder by name, and by name without ending: a folder is listed once, not once a row."""
    names, stems = defaultdict(list), defaultdict(list)
    for entry in folder.iterdir():
        names[_nfc(entry.name)].append(entry)
        stems[_nfc(entry.stem)].append(entry)
    return names, stems


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
