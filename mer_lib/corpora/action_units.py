"""Action units as sheets write them, read by a small grammar: '4+L10', 'L12 or L14', '(R6 or R12)+R15', '10A/B'.

    coding  = all { ("or" | "/") all }
    all     = part { ("+" | "," | "&") part }
    part    = "(" coding ")" | unit
    unit    = ["AU"] [side] number [intensity ["/" intensity]] ["(k)"] | ["AU"] number side

A side is L, R or B (the subject's left, right, both; none given: both or not said), an intensity A to E (FACS). Two
intensities are alternatives: the coder left it open. "(k)" is a mark of 4DME's sheet. ``str`` of what was read is the
normal form, and reads as itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from mer_lib.problems import BadInput, note

_UNKNOWN = ("", "/", "-", "0", "na", "nan", "none", "null", "n/a", "neutral")
_TOKEN = re.compile(
    r"\s*(?:(?P<unit>(?:AU\s*)?(?P<side>[LRB]?)\s?(?P<number>\d{1,2})(?P<after>[LR](?![A-Z]))?"
    r"(?P<intensity>[A-E](?:[/-][A-E](?!\d))?(?![A-Z]))?(?P<mark>\(k\))?)|(?P<any>OR(?![A-Z])|/)|(?P<all>[+,&])|(?P<sign>[()]))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Unit:
    """One action unit: FACS number, side ('', 'L', 'R', 'B'), intensity ('', 'A' … 'E', or two as 'A/B'), mark."""

    number: int
    side: str = ""
    intensity: str = ""
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.side}{self.number}{self.intensity}{self.mark}"


@dataclass(frozen=True)
class AllOf:
    """Parts that were seen together; none: no action unit was coded."""

    parts: tuple[Coding, ...]

    def __str__(self) -> str:
        return "+".join(f"({part})" if isinstance(part, AnyOf) else str(part) for part in self.parts)


@dataclass(frozen=True)
class AnyOf:
    """Alternatives between which the coders did not decide."""

    parts: tuple[Coding, ...]

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))


Coding = Unit | AllOf | AnyOf


def parse(text: str) -> Coding:
    """The coding that a cell's text means, sums in sums and alternatives in alternatives made one.

    Raises BadInput where the text is none.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if plain.casefold() in _UNKNOWN:
        return AllOf(())
    tokens = list(_tokens(plain))
    try:
        coding = _alternatives(tokens, plain)
    except RecursionError:
        raise _unread(plain) from None
    if tokens:
        raise _unread(plain)
    return coding


def normal(text: str, *, where: str = "") -> str:
    """The normal form of a cell's text; what cannot be read is kept as it stands, with a note naming ``where``."""
    try:
        return str(parse(text))
    except BadInput as error:
        note(error.problem.what, "kept as it stands; correct the cell if it is a slip", file=where)
        return text.strip()


def units(coding: Coding) -> Iterator[Unit]:
    """Every unit of a coding, alternatives included, from left to right."""
    if isinstance(coding, Unit):
        yield coding
    else:
        for part in coding.parts:
            yield from units(part)


def _tokens(text: str) -> Iterator[str | Unit]:
    """Units, and the signs 'or', '+', '(' and ')'."""
    at = 0
    while at < len(text):
        if (match := _TOKEN.match(text, at)) is None:
            raise _unread(text)
        at = match.end()
        if match["unit"]:
            side = (match["side"] or match["after"] or "").upper()
            yield Unit(
                int(match["number"]),
                side,
                (match["intensity"] or "").upper().replace("-", "/"),
                (match["mark"] or "").lower(),
            )
        else:
            yield "or" if match["any"] else "+" if match["all"] else match["sign"]


def _alternatives(tokens: list[str | Unit], text: str) -> Coding:
    parts = [_sum(tokens, text)]
    while tokens and tokens[0] == "or":
        tokens.pop(0)
        parts.append(_sum(tokens, text))
    return _joined(AnyOf, parts)


def _sum(tokens: list[str | Unit], text: str) -> Coding:
    parts = [_part(tokens, text)]
    while tokens and tokens[0] == "+":
        tokens.pop(0)
        parts.append(_part(tokens, text))
    return _joined(AllOf, parts)


def _part(tokens: list[str | Unit], text: str) -> Coding:
    first = tokens.pop(0) if tokens else None
    if isinstance(first, Unit):
        return first
    if first == "(":
        inner = _alternatives(tokens, text)
        if tokens and tokens.pop(0) == ")":
            return inner
    raise _unread(text)


def _joined(kind: type[AllOf] | type[AnyOf], parts: list[Coding]) -> Coding:
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, kind) else (part,))]
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


def _unread(text: str) -> BadInput:
    return BadInput(f"action units '{text}' cannot be read", "write them as in '4+L10' or 'L12 or L14'")
