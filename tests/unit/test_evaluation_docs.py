"""'How to read these numbers' says what the code does: the leaks, the figures, the figures' keys."""

import re

import pandas as pd
import pytest

from mer_lib.evaluation import calibration, comparisons
from mer_lib.evaluation.metrics import F1, scores, summary
from mer_lib.learning.guard import KINDS


@pytest.fixture(scope="module")
def page(repository) -> str:
    return (repository / "docs/read-the-results.md").read_text(encoding="utf-8")


def under(page: str, heading: str) -> str:
    return page.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_the_leaks_are_the_guards(page):
    """Where this fails: paste the table that the message shows."""
    told = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", under(page, "The guard"), flags=re.M))
    assert told == KINDS, "\n".join(f"| `{kind}` | {what} |" for kind, what in KINDS.items())


def test_each_mistake_is_refused_under_a_name_that_exists(page):
    table = under(page, "What makes published numbers wrong, and what is done against it here")
    named = set(re.findall(r"`(\w+_\w+)`", table))
    assert len(named) > 15 and named <= set(KINDS)


def test_each_leak_is_planted(repository):
    planted = "\n".join(
        re.findall(r"^def test_leak_(\w+)", (repository / "tests/unit/test_leaks.py").read_text(), re.M)
    )
    assert not [kind for kind in KINDS if not re.search(rf"^{kind}", planted, re.M)]


def test_the_figures_of_the_page_are_the_codes(page):
    assert calibration.BINS == 10 and "ten equally wide bins" in page
    defaults = comparisons.difference.__kwdefaults__
    assert f"{defaults['permutations']:,} times" in page
    for name in (*F1, "ece_if_calibrated"):
        assert f"`{name}`" in page
    always = scores([[250, 0, 0], [109, 0, 0], [83, 0, 0]])
    assert f"accuracy .{always.accuracy * 1000:.0f}, UF1 .{always.uf1 * 1000:.0f}, UAR .{always.uar * 1000:.0f}" in page


def test_what_is_said_of_micro_f1_holds():
    table = pd.DataFrame({"truth": list("aabbc"), "predicted": list("abbcc")})
    found = summary(table)
    assert found["f1_micro"] == found["accuracy"]
