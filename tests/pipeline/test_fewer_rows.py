"""Runs on fewer training rows: draws of a few rows of each class, and the learning curve."""

import json
import statistics

import pytest

from tests.tiny_questions import call, questions, write_csv, write_settings


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_csv(tmp_path_factory.mktemp("data") / "train.csv", [row for row in questions() if row[1] != "oos"])


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return write_settings(tmp_path_factory.mktemp("settings") / "settings.yaml")


@pytest.fixture(scope="module")
def shots(data, settings, tmp_path_factory):
    """Folder and answer of a run on three draws."""
    out = tmp_path_factory.mktemp("shots") / "out"
    answer = call("run", "--data", data, "--config", settings, "--out", out, "--shots", 4, "--draws", 3, "--json")
    assert answer.code == 0, answer.err
    return out, answer


def report_of(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def accuracy_of(folder):
    report = report_of(folder)
    return next(each["metrics"]["accuracy"] for each in report["variants"] if each["name"] == report["chosen"])


def test_every_draw_trains_on_that_many_rows_of_each_class_and_the_report_gives_mean_and_deviation(shots):
    out, answer = shots
    folders = [out, out / "fewer_rows" / "draw_1", out / "fewer_rows" / "draw_2"]
    assert [report_of(each)["data"]["train"] for each in folders] == [12, 12, 12]
    accuracies = [accuracy_of(each) for each in folders]
    found = json.loads(answer.out)["shots"]
    assert found["of_each_class"] == 4
    assert [each["accuracy"] for each in found["draws"]] == accuracies
    assert found["accuracy"]["mean"] == pytest.approx(statistics.mean(accuracies))
    assert found["accuracy"]["deviation"] == pytest.approx(statistics.stdev(accuracies))
    assert "standard deviation" in (out / "report.html").read_text(encoding="utf-8")


def test_the_draws_share_their_test_rows_and_train_on_different_ones(shots):
    out, _ = shots
    first, second = report_of(out), report_of(out / "fewer_rows" / "draw_1")
    assert first["data"]["test"] == second["data"]["test"]
    assert first["data"]["split"].endswith("(draw 0).")
    assert second["data"]["split"].endswith("(draw 1).")
    assert first["train"]["history"] != second["train"]["history"]


def test_the_last_epoch_counts_so_that_accuracy_owes_nothing_to_the_validation_rows(shots):
    train = report_of(shots[0])["config"]["train"]
    assert (train["monitor"], train["interpolate"]) == ("last", False)


def test_the_same_call_makes_no_draw_again_and_evaluate_keeps_what_they_gave(shots, data, settings):
    out, answer = shots
    stamps = [file.stat().st_mtime_ns for file in sorted((out / "fewer_rows").glob("*/report.json"))]
    again = call("run", "--data", data, "--config", settings, "--out", out, "--shots", 4, "--draws", 3, "--json")
    assert [file.stat().st_mtime_ns for file in sorted((out / "fewer_rows").glob("*/report.json"))] == stamps
    assert json.loads(again.out)["shots"] == json.loads(answer.out)["shots"]
    evaluated = call("evaluate", "--out", out, "--json")
    assert json.loads(evaluated.out)["shots"] == json.loads(answer.out)["shots"]


def test_the_learning_curve_ends_with_all_rows(data, settings, tmp_path):
    answer = call("run", "--data", data, "--config", settings, "--out", tmp_path, "--learning-curve", "0.2,0.5", "--json")
    assert answer.code == 0, answer.err
    report = json.loads(answer.out)
    rows = report["data"]["train"]
    assert [each["rows"] for each in report["learning_curve"]] == [round(0.2 * rows), round(0.5 * rows), rows]
    assert report["learning_curve"][0]["accuracy"] == accuracy_of(tmp_path / "fewer_rows" / f"rows_{round(0.2 * rows)}")
    assert report["learning_curve"][-1]["accuracy"] == accuracy_of(tmp_path)
    assert "Learning curve" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_points_of_other_settings_are_left_out(data, settings, tmp_path):
    arguments = ["run", "--data", data, "--config", settings, "--out", tmp_path, "--json"]
    assert call(*arguments, "--learning-curve", "0.5").code == 0
    report = json.loads(call(*arguments, "--set", "train.epochs=1").out)
    assert "learning_curve" not in report


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--learning-curve", "0.5,2"], "a share of 2"),
        (["--learning-curve", "0.5", "--shots", "2"], "learning curve over draws"),
        (["--shots", "2", "--draws", "0"], "0 draws"),
        (["--draws", "3"], "3 draws of all rows"),
        (["--shots", "0"], "--shots 0: at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(data, tmp_path, arguments, complaint):
    answer = call("run", "--data", data, "--out", tmp_path / "out", *arguments)
    assert answer.code == 2
    assert complaint in answer.last
    assert not (tmp_path / "out").exists()
