"""The registry: what it finds without importing, what it refuses, and that all it lists can be loaded."""

import inspect
import subprocess
import sys

import pytest

from mer_lib import registry
from mer_lib.problems import BadInput
from mer_lib.registry import Entry, RegistryError, get, register, scan, suggestion

ALL = [entry for kind in registry.ROOMS for entry in registry.entries(kind).values()]


@pytest.fixture
def room(tmp_path):
    """Write files into a room and scan it."""

    def scanned(kind="flow", **files):
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        return scan(kind, tmp_path, "some.room")

    return scanned


def test_an_entry_says_where_it_is_and_what_it_takes(room):
    found = room(
        b='raise RuntimeError("imported")\n'
        '@register("flow", "quick", paper="A 2020", year=2020, sizes=(3, 5))\n'
        "def run(first, second, *, warps: int, scale: float = 0.5, steps=-1, mode='a', other=None, on=True):\n"
        '    """One line.\n\n    More."""\n'
    )
    assert found == {
        "quick": Entry(
            kind="flow",
            name="quick",
            module="some.room.b",
            function="run",
            doc="One line.",
            meta={"paper": "A 2020", "year": 2020, "sizes": (3, 5)},
            options={"scale": 0.5, "steps": -1, "mode": "a", "other": None, "on": True},
        )
    }


def test_the_name_is_the_functions_own_unless_given(room):
    found = room(a='@register("flow")\ndef one(): pass\n@register("flow", name="deux")\ndef two(): pass\n')
    assert list(found) == ["one", "deux"]
    assert found["deux"].meta == {}


def test_one_function_can_have_two_names_and_other_kinds_are_left_out(room):
    found = room(
        a='@register("flow", "a")\n@register("flow", "b", fast=True)\n@register("model", "c")\ndef f(): pass\n'
    )
    assert list(found) == ["a", "b"]
    assert found["b"].meta == {"fast": True}


def test_files_come_in_order_and_subfolders_count(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "z.py").write_text('@register("flow")\ndef last(): pass\n')
    (tmp_path / "sub" / "a.py").write_text('@register("flow")\ndef inner(): pass\n')
    found = scan("flow", tmp_path, "some.room")
    assert [entry.module for entry in found.values()] == ["some.room.sub.a", "some.room.z"]


def test_plain_functions_and_other_decorators_are_no_entries(room):
    assert (
        room(a="import functools\n@functools.cache\ndef f(): pass\n@property\ndef g(self): pass\ndef h(): pass\n") == {}
    )


def test_a_name_clash_says_where_both_are(room):
    with pytest.raises(RegistryError, match=r"b\.py:2: flow 'x' is registered in some\.room\.a already"):
        room(a='@register("flow", "x")\ndef f(): pass\n', b='@register("flow", "x")\ndef g(): pass\n')


@pytest.mark.parametrize(
    "text",
    [
        'NAME = "x"\n@register("flow", NAME)\ndef f(): pass\n',
        '@register("flow", year=1 + len("x"))\ndef f(): pass\n',
        'STEP = 2\n@register("flow")\ndef f(*, step=STEP): pass\n',
        '@register("flow")\ndef f(*, size=[n for n in (1, 2)]): pass\n',
    ],
)
def test_what_the_syntax_tree_cannot_tell_is_refused_by_file_and_line(room, text):
    with pytest.raises(RegistryError, match=r"a\.py:\d+: f: .* literals"):
        room(a=text)


def test_a_clash_within_the_library_would_be_found_by_entries(tmp_path, monkeypatch):
    (tmp_path / "motion").mkdir()
    (tmp_path / "motion" / "a.py").write_text(
        '@register("flow", "x")\ndef f(): pass\n@register("flow", "x")\ndef g(): pass\n'
    )
    monkeypatch.setattr(registry, "_LIBRARY", tmp_path)
    registry.entries.cache_clear()
    try:
        with pytest.raises(RegistryError, match="already"):
            registry.entries("flow")
    finally:
        registry.entries.cache_clear()


def test_register_leaves_the_function_alone_and_knows_its_kinds():
    def f():
        return 3

    assert register("flow", "x", year=2000)(f) is f
    with pytest.raises(RegistryError, match="no kind 'flows'"):
        register("flows")


def test_unknown_names_are_answered_with_the_nearest_or_all():
    with pytest.raises(BadInput, match=r"no flow 'farnebck'; did you mean 'farneback'\?"):
        get("flow", "farnebck")
    with pytest.raises(BadInput, match=r"known: .*dis, farneback"):
        get("flow", "zzzzzz")
    assert suggestion("x", {}) == "known: none"


def test_given_options_go_over_the_defaults():
    entry = Entry("flow", "x", "m", "f", "", options={"a": 1, "b": 2})
    assert entry.complete({"b": 3}) == {"a": 1, "b": 3}
    assert entry.complete(None) == {"a": 1, "b": 2}
    assert entry.options == {"a": 1, "b": 2}
    with pytest.raises(BadInput, match="flow 'x' has no option 'c'; its options: a, b"):
        entry.complete({"c": 0})
    with pytest.raises(BadInput, match="its options: none"):
        Entry("flow", "x", "m", "f", "").complete({"c": 0})


def test_the_library_has_flows_descriptors_and_models():
    assert {"tvl1_opencv", "dis", "farneback"} <= set(registry.entries("flow"))
    assert {"flow28", "bi_woof"} <= set(registry.entries("descriptor"))
    assert "ststnet" in registry.entries("model")


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_every_entry_loads_and_is_what_the_syntax_tree_said(entry):
    function = entry.load()
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty
    }
    assert defaults == entry.options
    assert entry.doc, "an entry is listed with its docstring's first line"
    assert entry.module.startswith(f"mer_lib.{registry.ROOMS[entry.kind]}.")


def test_listing_imports_no_room():
    code = (
        "import sys; from mer_lib import registry\n"
        "for kind in registry.ROOMS: registry.entries(kind)\n"
        "print(sorted({'torch', 'cv2', 'numpy', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
