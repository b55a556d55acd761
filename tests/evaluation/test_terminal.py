"""The table that a run ends with."""

import copy
import json
from pathlib import Path

import pytest

from tfarch.evaluation.terminal import variants_table

REPORT = json.loads(Path(__file__).with_name("report_example.json").read_text())


def test_the_whole_table():
    assert variants_table(REPORT) == "\n".join(
        [
            "                 size   gzip  zeros  accuracy  macro F1    ECE  OOS rec.  p50 1t  p50 2t  agree",
            "  variant          MB     MB      %         %         %                %      ms      ms      %",
            "-----------------------------------------------------------------------------------------------",
            "  float32       90.00  80.00    0.0     95.00     94.00  0.020     80.00    8.00    5.00      –",
            "* dynamic_int8  22.50  20.00   30.1     94.00     93.00  0.031     70.00    2.00    1.25  99.00",
            "",
            "  baseline",
            "  majority                              80.00     44.44",
            "  TF-IDF + logistic regression          90.00     88.00",
        ]
    )


def test_long_names_and_many_thread_counts_stay_within_100_columns():
    report = copy.deepcopy(REPORT)
    for threads in (4, 8, 16):
        report["variants"][0]["latency_ms"][f"threads_{threads}"] = {"p50": 1234.5, "p95": 2000.0}
    report["variants"][1]["name"] = "pruned_by_information_gain_80_then_dynamic_int8"
    report["baselines"][1]["name"] = "x" * 150
    table = variants_table(report)
    assert max(map(len, table.splitlines())) <= 100
    assert "pruned_b" in table
    assert "amic_int8" in table


def test_columns_that_nobody_measured_are_left_out():
    table = variants_table({"variants": [{"name": "float32", "bytes": 1_500_000}]})
    assert table.split() == ["size", "variant", "MB", "-" * 15, "float32", "1.50"]


@pytest.mark.parametrize("missing", ["metrics", "latency_ms", "parity", "sparsity", "gzip_bytes", "bytes"])
def test_a_figure_that_one_variant_lacks_shows_as_absent(missing):
    report = copy.deepcopy(REPORT)
    report["variants"][0].pop(missing, None)
    row = next(line for line in variants_table(report).splitlines() if "float32" in line)
    assert "–" in row


def test_a_report_without_variants_has_an_empty_table():
    assert "variant" in variants_table({"variants": []})


def test_a_figure_that_is_not_finite_shows_as_absent():
    report = {"variants": [{"name": "a", "bytes": 1e6, "metrics": {"ece": float("nan"), "accuracy": 0.5}}]}
    assert "nan" not in variants_table(report)
