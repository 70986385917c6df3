"""What sheets of long videos have in common: several intervals a video, ends that nobody saw, slips of one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mer_lib.clips import TYPES
from mer_lib.corpora.annotated import Annotation, Correction
from mer_lib.corpora.sheets import Row
from mer_lib.problems import BadInput, note

BOUNDED = "the apex stands for the {}"


def corrected_at(annotations: Iterable[Annotation], corrections: Mapping[str, Correction]) -> list[Annotation]:
    """Annotations with the corrections of ``subject/name@onset``, the onset as the sheet has it: names repeat here."""
    result = []
    for given in annotations:
        if correction := corrections.get(f"{given.key}@{given.onset}"):
            note(f"{given.key}@{given.onset} is corrected: {correction.reason}", "nothing to do", file=given.where)
            given = replace(given, **correction.values, flags=(*given.flags, "corrected"))
        result.append(given)
    return result


def bounded(onset: int | None, apex: int | None, offset: int | None, where: str) -> tuple[int, int, tuple[str, ...]]:
    """(onset, offset, flags) of an interval inside a video, where an end that is unknown is the apex.

    An end left open would reach to the end of the video. Raises BadInput where the apex is unknown too.
    """
    lacking = [name for name, at in (("onset", onset), ("offset", offset)) if at is None]
    if lacking and apex is None:
        raise BadInput(
            f"neither {lacking[0]} nor apex is annotated", "fill one of the cells, or drop the row", file=where
        )
    return (
        apex if onset is None else onset,
        apex if offset is None else offset,
        tuple(BOUNDED.format(name) for name in lacking),
    )


def type_of(row: Row, column: str = "type") -> str:
    """'micro' of 'micro-expression' and 'Micro - 1/2', 'macro' alike. Raises BadInput for anything else."""
    found = row.text(column).casefold()[:5]
    if found not in TYPES:
        raise BadInput(f"type '{row.text(column)}' is neither micro nor macro", "correct the cell", file=row.where)
    return found
