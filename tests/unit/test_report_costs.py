"""Costs from Snakemake's benchmark files."""

import re

import pandas as pd
from report_toys import made_up, shown

from mer_lib import problems
from mer_lib.report.costs import COLUMNS, below, costs, of

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def benchmark(path, *runs):
    rows = (f"{s}\t0:00:01\t{rss}\t1\t1\t1\t0\t0\t50\t{'-' if rss == '-' else s / 2}\n" for s, rss in runs)
    path.write_text(HEAD + "".join(rows), encoding="utf-8")
    return path


def test_jobs_are_added_up_by_stage_and_experiment(tmp_path):
    table = costs(
        [
            ("motion", "", benchmark(tmp_path / "a.tsv", (2.5, 100.25))),
            ("train", "ststnet", benchmark(tmp_path / "b.tsv", (10, 300), (12, 310))),
            ("train", "bi_woof", benchmark(tmp_path / "c.tsv", (1, 200))),
            ("motion", "", benchmark(tmp_path / "d.tsv", (0.5, "-"))),
        ]
    )
    assert list(table.columns) == list(COLUMNS)
    assert table.to_numpy().tolist() == [
        ["motion", "", 2, 3.0, 1.25, 100.2],
        ["train", "ststnet", 2, 22.0, 11.0, 310.0],
        ["train", "bi_woof", 1, 1.0, 0.5, 200.0],
    ]


def test_the_costs_of_an_experiment_are_also_its_oracles(tmp_path):
    for name in ("predictions/loso/b", "predictions/loso/b@oracle", "metrics/loso/b@oracle", "metrics/loso/c@oracle"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        benchmark(tmp_path / f"{name}.tsv", (1, 100))
    found = of(costs(below(tmp_path)), ["b"])
    assert found[["stage", "experiment", "jobs"]].to_numpy().tolist() == [
        ["metrics", "b@oracle", 1], ["predictions", "b", 1], ["predictions", "b@oracle", 1]
    ]  # fmt: skip


def test_memory_that_was_never_measured_is_empty(tmp_path):
    table = costs([("index", "", benchmark(tmp_path / "a.tsv", (0.2, "-")))])
    assert table["seconds"].tolist() == [0.2] and table[["cpu_seconds", "peak_mb"]].isna().all(axis=None)


def test_the_page_has_a_row_a_network():
    text = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", shown(made_up(), "costs")))
    assert "ststnet 7 4 1.5 min 1.4 min 700 MB" in text


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "empty.tsv").touch()
    (tmp_path / "other.tsv").write_text("a\tb\n1\t2\n", encoding="utf-8")
    names = ("empty.tsv", "other.tsv", "missing.tsv")
    with problems.collect() as found:
        table = costs([("faces", "", tmp_path / name) for name in names])
    assert table.empty and list(table.columns) == list(COLUMNS)
    assert [name in str(problem) for name, problem in zip(names, found, strict=True)] == [True] * 3
    assert pd.api.types.is_float_dtype(table["seconds"]) or table["seconds"].empty
