"""From an annotated emotion to the class of a scheme: three classes as in MEGC 2019, the set's own, or objective ones.

A corpus names a scheme and the classes that are scored, in order. What falls outside stays unlabelled: it goes through
every stage up to features and is never scored, as the official protocol leaves it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from mer_lib.clips import OFFICIAL_CLASSES
from mer_lib.problems import BadInput, note

SCHEMES = ("megc2019", "own", "objective")
# Davison, Merghani, Yap: Objective classes for micro-facial expression recognition (J. Imaging 2018,
# doi:10.3390/jimaging4100119): classes by action units, numbered by the authors in Roman figures.
OBJECTIVE = ("I", "II", "III", "IV", "V", "VI", "VII")
# See, Yap, Li, Hong, Wang: MEGC 2019 (doi:10.1109/FG.2019.8756611), section on the composite database.
MEGC2019 = {
    "happiness": "positive",
    "surprise": "surprise",
    **dict.fromkeys(("anger", "contempt", "disgust", "fear", "repression", "sadness"), "negative"),
}
# Sets whose sheets hold these words themselves.
THREE = {name: name for name in OFFICIAL_CLASSES}
_ALIASES = {
    "happy": "happiness", "sad": "sadness", "angry": "anger", "fearful": "fear", "surprised": "surprise",
    "disgusted": "disgust", "other": "others", "tense": "tense", "tension": "tense", "repressed": "repression",
    "contemptuous": "contempt", "pos": "positive", "neg": "negative", "sur": "surprise", "surprising": "surprise",
    "scared": "fear", "disguest": "disgust",
}  # fmt: skip


def canonical(emotion: str) -> str:
    """One spelling an emotion: 'Happy' and 'happiness ' are 'happiness', 'Other' and 'others' are 'others'."""
    plain = emotion.strip().casefold()
    return _ALIASES.get(plain, plain)


@dataclass(frozen=True)
class Labels:
    """What gives each annotation of a corpus its class. Made by :func:`labels`."""

    scheme: str
    classes: Mapping[str, str]  # canonical class -> as the user writes it
    known: tuple[str, ...]  # emotions that the set's sheets hold
    three: Mapping[str, str]

    def of(self, emotion: str, objective: str = "", *, where: str = "") -> str:
        """The class of an annotation, "" where it has none among those scored; an unknown emotion is noted."""
        if self.scheme == "objective":
            return self.classes.get(roman(objective).casefold(), "")
        name = canonical(emotion)
        if name and name not in self.known:
            near = get_close_matches(name, self.known, n=1)
            remedy = f"did you mean '{near[0]}'?" if near else f"the set has: {', '.join(self.known)}"
            note(f"emotion '{emotion}' is not known, so the clip has no label", remedy, file=where)
            return ""
        return self.classes.get(self.three.get(name, "") if self.scheme == "megc2019" else name, "")


def labels(
    scheme: str,
    classes: Sequence[str],
    *,
    corpus: str,
    adapter: str,
    own: Sequence[str],
    three: Mapping[str, str] = MEGC2019,
    objective: bool = False,
) -> Labels:
    """The labels of a corpus under a scheme.

    classes: those scored, each one that the scheme can give, in any case. own: the emotions of the set's sheets in the
    order of its authors. three: emotion -> class of the scheme megc2019. objective: whether the sheets hold objective
    classes. Raises BadInput with the line to write where scheme and classes do not go together.
    """
    offered = SCHEMES if objective else SCHEMES[:2]
    if scheme not in offered:
        near = get_close_matches(scheme, offered, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(offered)}"
        what = f"the data set has no classes of scheme '{scheme}'" if scheme in SCHEMES else f"no scheme '{scheme}'"
        raise BadInput(f"corpora.{corpus}: {what}", hint)
    known = tuple(map(canonical, own))
    gives = {"megc2019": OFFICIAL_CLASSES, "own": known, "objective": OBJECTIVE}[scheme]
    folded = {canonical(str(name)): str(name) for name in classes}
    if len(folded) < len(classes):
        told = ", ".join(map(str, classes))
        raise BadInput(f"corpora.{corpus}: two of the classes {told} are one", "keep one spelling of it")
    if wrong := [name for key, name in folded.items() if key not in {g.casefold() for g in gives}]:
        line = f"{{name: {corpus}, adapter: {adapter}, scheme: {scheme}, classes: [{', '.join(gives)}]}}"
        raise BadInput(f"corpora.{corpus}: scheme '{scheme}' has no class '{wrong[0]}'", f"write {line}, or fewer")
    return Labels(scheme, folded, known, three)


def roman(objective: str) -> str:
    """An objective class as its authors write it: '4', 4.0 or 'iv' is 'IV'; "" for what is none."""
    plain = objective.strip().upper()
    if plain.isdecimal() and 1 <= int(plain) <= len(OBJECTIVE):
        return OBJECTIVE[int(plain) - 1]
    return plain if plain in OBJECTIVE else ""
