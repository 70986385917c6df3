"""Schemes of classes: which emotion is which class, and what to write where they do not go together."""

import pytest
import yaml

from mer_lib.clips import OFFICIAL_CLASSES
from mer_lib.corpora.schemes import OBJECTIVE, THREE, canonical, labels, roman
from mer_lib.problems import BadInput, collect

OWN = ("happiness", "disgust", "surprise", "fear", "others")


def make(scheme, classes=OFFICIAL_CLASSES, **options):
    return labels(scheme, classes, corpus="mine", adapter="casme2", own=OWN, **{"objective": True, **options})


def test_three_classes_as_in_megc_2019():
    known = make("megc2019")
    found = [known.of(emotion) for emotion in ("Happiness", "disgust", "fear", "surprise ", "others", "")]
    assert found == ["positive", "negative", "negative", "surprise", "", ""]


def test_own_classes_in_any_case_and_spelling_come_as_the_user_writes_them():
    known = make("own", ("Happy", "Disgust", "other"))
    assert [known.of(e) for e in ("happiness", "DISGUST", "Others", "surprise")] == ["Happy", "Disgust", "other", ""]


@pytest.mark.parametrize("text", ["4", "IV", "iv", " IV "])
def test_objective_classes_by_figure_or_number(text):
    assert make("objective", OBJECTIVE[:5]).of("anything", text) == "IV"


def test_objective_classes_that_are_not_scored_or_none():
    known = make("objective", OBJECTIVE[:5])
    assert known.of("", "VII") == known.of("", "8") == known.of("", "") == "" and roman("0") == ""


def test_classes_that_the_sheet_holds_itself():
    known = labels("megc2019", OFFICIAL_CLASSES, corpus="s", adapter="smic", own=OFFICIAL_CLASSES, three=THREE)
    assert [known.of(name) for name in ("Negative", "pos", "surprise")] == ["negative", "positive", "surprise"]


def test_an_unknown_emotion_is_noted_and_not_guessed():
    with collect() as problems:
        assert make("megc2019").of("hapiness", where="s.xlsx line 3") == ""
    told = str(problems[0])
    assert told.startswith("s.xlsx line 3: emotion 'hapiness' is not known") and "did you mean 'happiness'?" in told


@pytest.mark.parametrize("scheme", ["own", "objective"])
def test_default_classes_do_not_fit_another_scheme_and_the_right_line_can_be_pasted(scheme):
    with pytest.raises(BadInput) as error:
        make(scheme)
    told = str(error.value)
    assert f"corpora.mine: scheme '{scheme}' has no class 'negative'; write " in told
    line = yaml.safe_load(told.split("write ")[1].split("}, or fewer")[0] + "}")
    assert line["scheme"] == scheme and make(scheme, line["classes"]).scheme == scheme


def test_an_unknown_scheme():
    with pytest.raises(BadInput, match=r"no scheme 'megc'; did you mean 'megc2019'\?"):
        make("megc")
    with pytest.raises(BadInput, match=r"the data set has no classes of scheme 'objective'; there are: megc2019, own"):
        make("objective", objective=False)


def test_one_spelling_an_emotion():
    assert [canonical(e) for e in ("Happy", " Others", "other", "SAD")] == ["happiness", "others", "others", "sadness"]


def test_two_spellings_of_one_class_are_told():
    with pytest.raises(BadInput, match="two of the classes Happy, happiness are one"):
        make("own", ("Happy", "happiness"))
