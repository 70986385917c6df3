"""The command line, as its users call it."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from mer_lib import registry
from mer_lib.cli import app
from mer_lib.commands import doctor, listing
from mer_lib.problems import BadInput

PUBLISHED = str(Path(__file__).parent.parent / "data" / "megc2019" / "ststnet_authors_predictions.csv")


def mer(*words: str):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("words", [(), ("metrics",), ("list",), ("doctor",)])
def test_help_teaches(words):
    told = mer(*words, "--help")
    assert told.exit_code == 0 and "Usage" in told.stdout
    assert "Example" in told.stdout or words in ((), ("doctor",))


def test_help_imports_nothing_heavy():
    heavy = "{'torch', 'cv2', 'pandas', 'numpy', 'matplotlib', 'sklearn'}"
    program = f"import sys; from mer_lib.cli import app; print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_metrics_of_the_published_predictions():
    told = mer("metrics", PUBLISHED)
    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    assert lines[0] == "442 clips of 68 subjects"
    assert any(line.startswith("UF1      0.7209") for line in lines)
    assert any(line.startswith("UAR      0.7250") for line in lines)
    assert "negative       195        39        16" in lines
    assert told.stderr == "classes by number: 0 negative, 1 positive, 2 surprise\n"


def test_metrics_as_json_is_the_metrics_file():
    found = json.loads(mer("metrics", PUBLISHED, "--json").stdout)
    assert round(found["uf1"], 4) == 0.7209 and found["confusion"][0] == [195, 39, 16]
    contract = "classes uf1 uar accuracy f1_macro f1_weighted per_class confusion parts by_yaw seeds intervals"
    assert set(contract.split()) <= set(found)


def test_metrics_shows_parts_seeds_and_own_columns(tmp_path):
    rows = pd.DataFrame({"y": ["happy", "sad"] * 4, "guess": ["happy", "sad"] * 3 + ["sad", "sad"],
                         "dataset": list("aaaabbbb"), "seed": [0, 0, 1, 1] * 2})  # fmt: skip
    rows.to_csv(tmp_path / "own table ü.csv", index=False)
    told = mer(
        "metrics", tmp_path / "own table ü.csv", "--truth", "y", "--predicted", "guess", "--classes", "sad, happy"
    )
    assert told.exit_code == 0 and told.stderr == ""
    table = [line.split() for line in told.stdout.splitlines()]
    assert ["a", "1.0000", "1.0000"] in table and ["0", "1.0000", "1.0000"] in table
    assert table.index(["part", "UF1", "UAR"]) < table.index(["seed", "UF1", "UAR"])
    assert ["sad", "4", "0"] in table and ["happy", "1", "3"] in table


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (None, [], "cannot be read (No such file or directory)"),
        ("", [], "cannot be read"),
        ("a,b\n1,2\n", [], "no column 'truth'; name it with --truth"),
        ("truth,predicte\n1,2\n", [], "did you mean 'predicte'"),
        ("truth,predicted\n1,5\n", ["--classes", "a,b"], "holds '5', which is no class"),
        ("truth,predicted\n1,\n", [], "1 rows have no predicted class"),
        (b"truth,predicted\n\xff\xfe,1\n", [], "cannot be read"),
    ],
)
def test_bad_files_are_one_line_and_exit_code_2(tmp_path, content, options, message):
    path = tmp_path / "file.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    told = mer("metrics", path, *options)
    assert told.exit_code == 2 and told.stdout == ""
    assert told.stderr.count("\n") == 1 and message in told.stderr and told.stderr.startswith("error: ")


@pytest.mark.parametrize("many", listing.PLURALS)
def test_list_names_every_entry_singular_or_plural(many):
    told = mer("list", many)
    assert told.exit_code == 0 and told.stdout == mer("list", listing.PLURALS[many]).stdout
    lines = told.stdout.splitlines()
    entries = registry.entries(listing.PLURALS[many])
    assert [line.split("\t")[0] for line in lines[1:]] == list(entries)
    assert len({line.count("\t") for line in lines}) <= 1
    assert set(listing.PLURALS.values()) == set(registry.ROOMS)


def test_list_tells_inputs_options_and_paper():
    head, *rows = (line.split("\t") for line in mer("list", "models").stdout.splitlines())
    ststnet = dict(zip(head, next(row for row in rows if row[0] == "ststnet"), strict=True))
    assert ststnet["inputs"] == "flow28" and "dropout=0.5" in ststnet["options"] and "STSTNet" in ststnet["paper"]


def test_list_without_a_kind_shows_all_kinds():
    lines = mer("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(listing.PLURALS)
    assert any("ststnet" in line for line in lines)


def test_list_helps_with_a_slip():
    told = mer("list", "flws")
    assert (told.exit_code, told.stderr) == (2, "error: no list of 'flws'; did you mean 'flows'?\n")


def test_list_draws_a_table_for_a_terminal(capsys):
    from rich.console import Console

    Console(width=100).print(listing.rich(listing.rows("flow")))
    drawn = capsys.readouterr().out
    assert "tvl1_opencv" in drawn and max(map(len, drawn.splitlines())) <= 100


def test_doctor_goes_on_after_a_failure_and_says_what_to_do(monkeypatch, tmp_path):
    def broken():
        raise OSError("libOSMesa.so:\n not found")

    def refused():
        raise BadInput("no context", "install it")

    checks = [("one", broken, "do this"), ("two", refused, "unused"), ("three", lambda: "fine", "unused")]
    monkeypatch.setattr(doctor, "_checks", lambda folder: checks)
    told = mer("doctor", tmp_path)
    assert told.exit_code == 1
    assert [line.split() for line in told.stdout.splitlines()] == [
        ["FAIL", "one", "OSError:", "libOSMesa.so:", "not", "found;", "do", "this"],
        ["FAIL", "two", "no", "context;", "install", "it"],
        ["ok", "three", "fine"],
    ]


def test_doctor_tells_a_full_disk_and_an_unwritable_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 3e8}))
    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", lambda dir: Path(dir, "absent", "file").touch())
    wanted = [check for check in doctor._checks(tmp_path) if check[0] in ("disk", "writing")]
    monkeypatch.setattr(doctor, "_checks", lambda folder: wanted)
    disk, writing = mer("doctor", tmp_path).stdout.splitlines()
    assert disk.startswith("FAIL  disk") and "0.3 GB free; free at least" in disk
    assert writing.startswith("FAIL  writing") and "write permission" in writing


@pytest.mark.slow
def test_doctor_finds_this_machine_well(tmp_path):
    told = mer("doctor", tmp_path)
    assert told.exit_code == 0, told.stdout
    assert len(told.stdout.splitlines()) == 10
