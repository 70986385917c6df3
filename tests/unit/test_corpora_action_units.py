"""Action units: the grammar against what sheets hold, and reading back what was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_lib.corpora.action_units import AllOf, AnyOf, Unit, normal, parse, units
from mer_lib.problems import BadInput, collect


@pytest.mark.parametrize(
    ("text", "coding"),
    [
        ("12", Unit(12)),
        ("4+L10", AllOf((Unit(4), Unit(10, "L")))),
        ("R2+15", AllOf((Unit(2, "R"), Unit(15)))),
        ("R12A", Unit(12, "R", "A")),
        ("10A/B", Unit(10, "", "A/B")),
        ("L12 or L14", AnyOf((Unit(12, "L"), Unit(14, "L")))),
        ("(R6 or R12)+R15", AllOf((AnyOf((Unit(6, "R"), Unit(12, "R"))), Unit(15, "R")))),
        ("B12C+14", AllOf((Unit(12, "B", "C"), Unit(14)))),
        ("6+12(k)", AllOf((Unit(6), Unit(12, mark="(k)")))),
        ("", AllOf(())),
        ("/", AllOf(())),
    ],
)
def test_what_sheets_hold(text, coding):
    assert parse(text) == coding


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("AU4, AU7", "4+7"),
        ("au 6 & au12b", "6+12B"),
        (" r2 + 15 ", "R2+15"),
        ("12L+14", "L12+14"),
        ("12/14", "12 or 14"),
        ("12 OR 14+15", "12 or 14+15"),
        ("((4+7)+9)", "4+7+9"),
        ("\uff08R6 or R12\uff09\uff0bR15", "(R6 or R12)+R15"),  # full-width, as a Chinese keyboard has it
        ("10a-b", "10A/B"),
    ],
)
def test_other_spellings_have_one_normal_form(text, plain):
    assert str(parse(text)) == plain


@pytest.mark.parametrize("text", ["4?", "4+", "+4", "(4", "4)", "4 10", "121", "smile", "or", "L", "4 or", "12F"])
def test_what_cannot_be_read_is_kept_and_noted(text):
    with pytest.raises(BadInput, match="cannot be read"):
        parse(text)
    with collect() as problems:
        assert normal(f" {text} ", where="s.xlsx line 4") == text
    assert "s.xlsx line 4: action units '" in str(problems[0]) and problems[0].severity == "warning"


def test_units_of_all_alternatives_from_left_to_right():
    assert [str(unit) for unit in units(parse("(R6 or R12A)+R15+4"))] == ["R6", "R12A", "R15", "4"]


single = st.builds(
    Unit,
    st.integers(1, 99),
    st.sampled_from(["", "L", "R", "B"]),
    st.sampled_from(["", "A", "B", "C", "D", "E", "A/B", "D/E"]),
    st.sampled_from(["", "", "(k)"]),
)
sums = st.lists(single, min_size=2, max_size=4).map(lambda parts: AllOf(tuple(parts)))
choices = st.lists(single | sums, min_size=2, max_size=3).map(lambda parts: AnyOf(tuple(parts)))
mixed = st.lists(single | choices, min_size=2, max_size=4).map(lambda parts: AllOf(tuple(parts)))


@given(single | sums | choices | mixed | st.just(AllOf(())))
def test_what_is_written_reads_as_itself(coding):
    assert parse(str(coding)) == coding


@given(st.text(alphabet="0123456789LRBABCDEor+/(), AUk?", max_size=14))
def test_any_text_is_read_or_refused_and_a_normal_form_is_final(text):
    try:
        coding = parse(text)
    except BadInput:
        return
    assert parse(str(coding)) == coding


def test_brackets_without_end_are_a_note_and_no_crash():
    with collect() as problems:
        assert normal("(" * 5000, where="a.xlsx line 2") == "(" * 5000
    assert "cannot be read" in problems[0].what
