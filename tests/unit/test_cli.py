"""The command line, as its users call it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
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


def test_metrics_of_numbers_that_a_gap_made_floats(tmp_path):
    (tmp_path / "file.csv").write_text("truth,predicted\n0.0,0\n1.0,1\n2.0,2\n,1\n")
    told = mer("metrics", tmp_path / "file.csv")
    assert told.exit_code == 0 and "UF1      1.0000" in told.stdout
    assert "classes by number: 0 negative, 1 positive, 2 surprise" in told.stderr


def test_metrics_guesses_at_no_name(tmp_path):
    """01 is no 1, true no truth value, 1e3 no thousand, NA nothing missing."""
    names = ["01", "02", "true", "1e3", "NA"]
    rows = pd.DataFrame({"truth": names, "predicted": [*names[:4], "01"], "subject": ["006", "06", "6", "NA", "null"]})
    rows.to_csv(tmp_path / "file.csv", index=False)
    for options in ([], ["--classes", ",".join(names)]):
        found = json.loads(mer("metrics", tmp_path / "file.csv", "--json", *options).stdout)
        assert set(found["classes"]) == set(names) and found["accuracy"] == 0.8 and found["subjects"] == 5


@pytest.mark.parametrize(("truth", "uf1"), [("gold", 1.0), ("truth", 0.0)])
def test_metrics_takes_the_column_it_is_told(tmp_path, truth, uf1):
    (tmp_path / "file.csv").write_text("truth,gold,predicted\na,b,b\nb,a,a\n")
    told = mer("metrics", tmp_path / "file.csv", "--truth", truth, "--json")
    assert told.exit_code == 0 and json.loads(told.stdout)["uf1"] == uf1


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
        ("truth,predicted,yaw\na,a,0\nb,b,\n", [], "yaw holds '', which is no number; give degrees"),
        ("truth,predicted,seed\na,a,0\nb,b,\n", [], "1 rows have no seed"),
        ("truth,predicted\na,a\nb,b\n", ["--classes", "a,b,"], "--classes 'a,b,' holds an empty name"),
        ("truth,predicted\na,a\nb,b\n", ["--classes", "a,b,a"], "or one twice"),
    ],
)
def test_bad_files_are_one_line_and_exit_code_2(tmp_path, content, options, message):
    path = tmp_path / "file.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    told = mer("metrics", path, *options)
    assert told.exit_code == 2 and told.stdout == ""
    assert told.stderr.count("\n") == 1 and message in told.stderr and told.stderr.startswith("error: ")


@pytest.mark.parametrize("control", ["none", "permuted"])
def test_predict_warns_of_what_a_model_stands_on(control):
    from mer_lib.commands import predict

    card = {"clips": 6, "subjects": 3, "corpus": "toy", "experiment": "one", "synthetic": False}
    told = predict._warning(card | {"made": {"options": {"train": {"control": control}}}})
    assert told.startswith("one was trained on 6 clips of 3 subjects of 'toy'.")
    assert ("labels were shuffled" in told) == (control == "permuted")


def test_predict_draws_pictures_and_bars_of_one_height(tmp_path):
    from mer_lib.commands import predict

    shares = {"negative": 0.2, "positive": 0.7, "surprise": 0.1}
    gray, flow, strain = np.full((2, 64, 64, 3), 128, np.uint8), np.ones((64, 64, 2), np.float32), np.eye(64)
    found = predict.Prediction(shares, 0, 5, True, tuple(gray), flow, strain, "careful", strain, None)
    predict.picture(found, tmp_path / "a.png")
    drawn = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
    onset, bars = drawn[:, : drawn.shape[1] // 8], drawn[:, -drawn.shape[1] // 8 :]
    photo, frame = (np.flatnonzero((part < 200).sum(1) > 0.8 * width) for part, width in ((onset, 100), (bars, 100)))
    assert abs(np.ptp(photo) - np.ptp(frame)) <= 4


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
    assert (ststnet["parameters"], ststnet["flops"]) == ("1651", "679776")
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
    assert len(told.stdout.splitlines()) == 11
