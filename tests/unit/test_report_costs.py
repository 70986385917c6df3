"""Costs from Snakemake's benchmark files."""

import pandas as pd

from mer_lib import problems
from mer_lib.report.costs import COLUMNS, costs

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def benchmark(path, *runs):
    path.write_text(HEAD + "".join(f"{s}\t0:00:01\t{rss}\t1\t1\t1\t0\t0\t50\t1\n" for s, rss in runs), encoding="utf-8")
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
        ["motion", "", 2, 3.0, 100.2],
        ["train", "ststnet", 2, 22.0, 310.0],
        ["train", "bi_woof", 1, 1.0, 200.0],
    ]


def test_memory_that_was_never_measured_is_empty(tmp_path):
    table = costs([("index", "", benchmark(tmp_path / "a.tsv", (0.2, "NA")))])
    assert table["seconds"].tolist() == [0.2] and table["peak_mb"].isna().all()


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "empty.tsv").touch()
    (tmp_path / "other.tsv").write_text("a\tb\n1\t2\n", encoding="utf-8")
    names = ("empty.tsv", "other.tsv", "missing.tsv")
    with problems.collect() as found:
        table = costs([("faces", "", tmp_path / name) for name in names])
    assert table.empty and list(table.columns) == list(COLUMNS)
    assert [name in str(problem) for name, problem in zip(names, found, strict=True)] == [True] * 3
    assert pd.api.types.is_float_dtype(table["seconds"]) or table["seconds"].empty
