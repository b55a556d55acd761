"""Every notebook runs from its source to its end in a fresh kernel, and the one that is committed was made of that source."""

import re
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("*.py"))


def outputs_of(notebook):
    return "\n".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))


def test_there_is_one_for_each_app():
    assert {"compression", "customer_service", "finance_sentiment", "recommender"} <= {source.stem for source in SOURCES}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_the_committed_notebook_is_that_of_the_source_and_has_outputs(source):
    made, committed = jupytext.read(source), nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    assert [(cell.cell_type, cell.source) for cell in committed.cells] == [(cell.cell_type, cell.source) for cell in made.cells]
    assert all(cell.execution_count for cell in committed.cells if cell.cell_type == "code")
    assert not [output for cell in committed.cells for output in cell.get("outputs", []) if output.output_type == "error"]


@pytest.fixture
def shown_by(monkeypatch):
    """Runs a notebook and gives what it shows."""

    def run(name):
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        notebook = jupytext.read(ROOT / "notebooks" / f"{name}.py")
        NotebookClient(notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
        return outputs_of(notebook)

    return run


def test_finance_sentiment_runs(shown_by):
    shown = shown_by("finance_sentiment")
    assert shown.count("* dynamic_int8") == 2, "a table for each task"
    assert "Kelmo Foods cuts its forecast" in shown
    assert "learned what is usual; negative_binomial_cusum at 0.1 false alarms a day and topic" in shown
    assert "FIRING" in shown
    assert "false alarms:" in shown
    assert "timeline.html" in shown


def test_compression_runs(shown_by):
    shown = shown_by("compression")
    for chosen in ("* dynamic_int8", "* zeros_dynamic_int8", "* thin_dynamic_int8", "* quarter_dynamic_int8"):
        assert chosen in shown, "the table of each recipe's files"
    (zeros,) = re.findall(r"zeros in the encoder's and the head's kernels of .*: (\d+\.\d) %", shown)
    assert 60 < float(zeros) < 72
    assert '"vocabulary": 1200, "layers": 2' in shown
    assert "answers differ" in shown
    assert "GateError: gate.megabytes" in shown
    assert shown.count("% delegated") == 2


def test_customer_service_runs(shown_by):
    shown = shown_by("customer_service")
    assert "* dynamic_int8" in shown, "the table of variants, with the one that ships"
    assert "bundle/model.tflite" in shown
    (answer,) = [line for line in shown.splitlines() if "the internet is down again!!" in line]
    assert answer.split()[0] in ("internet_down", "internet_drops", "out")


def test_recommender_runs(shown_by):
    shown = shown_by("recommender")
    assert "100,004 events, 671 users, 9,066 items" in shown
    assert re.search(r"^recommender +0\.\d{4} / \d", shown, re.M), "the table of views"
    assert re.search(r"Toy Story 2 \(1999\) +\w+ \+\d", shown), "what spoke for an item"
    assert shown.index("The Penguins' Winter (2016)") < shown.index("Night of the Flensers (2016)")
    assert "recommender.tflite" in shown
