"""`predict --explain` on a finished run: from the bundle alone, with the run beside it, and by the run's float model."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import tfarch
from tests.tiny_questions import call, questions, write_csv, write_settings
from tfarch.cli.explained import colours, marked, shown
from tfarch.evaluation.html import render_html
from tfarch.export.added import add_class
from tfarch.pipeline.run_beside import known_rows_of, run_beside
from tfarch.pipeline.trained import TrainedModel
from tfarch.run_folder import RunFolder
from tfarch.runtime.bundle import verify_bundle
from tfarch.runtime.explanation import NO_ROWS

TEXT = "where is my card now"
METHODS = ("occlusion", "integrated_gradients")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    settings = write_settings(folder / "settings.yaml")
    answer = call(
        "run", "--data", write_csv(folder / "train.csv"), "--out", folder / "out", "--config", settings, "--set", "train.epochs=6"
    )
    assert answer.code == 0, answer.err
    return folder / "out"


@pytest.fixture
def copy(out, tmp_path):
    return shutil.copytree(out, tmp_path / "copy")


def lines(*arguments):
    answer = call("predict", "--explain", "--json", *arguments)
    assert answer.code == 0, answer.err
    return [json.loads(line) for line in answer.out.splitlines()]


# JSON


@pytest.mark.parametrize("method", METHODS)
def test_a_json_line_is_a_prediction_with_its_explanation(out, method):
    (line,) = lines("--out", out, "--threads", 1, "--method", method, TEXT)
    plain = json.loads(call("predict", "--json", "--out", out, "--threads", 1, TEXT).out)
    explanation = line.pop("explanation")
    assert line == plain
    assert explanation.keys() >= {"method", "label", "words", "scope", "nearest", "notes"}
    assert explanation["method"] == method
    assert [TEXT[word["start"] : word["end"]] for word in explanation["words"]] == TEXT.split()
    assert [word["text"] for word in explanation["words"]] == TEXT.split()
    assert explanation["scope"].keys() == {"method", "score", "threshold"}
    assert (explanation["scope"]["score"] < explanation["scope"]["threshold"]) is line["out_of_scope"]


@pytest.mark.parametrize("method", METHODS)
def test_the_word_that_the_rows_of_a_class_share_moves_most(out, method):
    for text, word, label in (("the refund", "refund", "refund"), (TEXT, "card", "card")):
        (line,) = lines("--out", out, "--method", method, text)
        assert line["label"] == label
        weights = {each["text"]: each["weight"] for each in line["explanation"]["words"]}
        assert max(weights, key=weights.get) == word


def test_occlusion_through_the_command_line_is_that_of_the_loaded_bundle(out):
    (line,) = lines("--out", out, "--threads", 1, "--nearest", 0, TEXT)
    assert line["explanation"] == tfarch.load(out / "bundle").explain([TEXT], nearest=0)[0].as_dict()


def test_gradients_sum_to_the_difference_within_the_stated_tolerance(out):
    (line,) = lines("--out", out, "--method", "integrated_gradients", "please, my refund is locked")
    sums = line["explanation"]["completeness"]
    assert sums["holds"]
    assert sums["gap"] == pytest.approx(abs(sums["total"] - sums["difference"]))
    assert sums["gap"] <= sums["tolerance"]
    assert sum(word["weight"] for word in line["explanation"]["words"]) == pytest.approx(sums["total"])


@pytest.mark.parametrize("method", METHODS)
def test_empty_foreign_and_endless_texts_are_explained(out, tmp_path, method):
    file = tmp_path / "texts.txt"
    file.write_text("\ngröße 日本 🎉\n" + "card " * 5000 + "\n", encoding="utf-8")
    found = lines("--out", out, "--method", method, "--input", file)
    assert [len(line["explanation"]["words"]) for line in found] == [0, 4, 14]
    assert any("only its first 14 words were read" in note for note in found[2]["explanation"]["notes"])


def test_an_encoder_is_explained_by_its_gradients(tmp_path):
    model = "{structure: encoder, weights: random, layers: 1, width: 16, heads: 2, feed_forward: 32, vocabulary: 120}"
    settings = write_settings(tmp_path / "settings.yaml")
    data = write_csv(tmp_path / "train.csv")
    folder = tmp_path / "out"
    assert call("run", "--data", data, "--out", folder, "--config", settings, "--set", f"model={model}").code == 0
    (line,) = lines("--out", folder, "--method", "integrated_gradients", TEXT)
    assert line["explanation"]["completeness"]["holds"]


# Nearest training rows


def test_the_run_lends_its_training_rows_to_a_bundle_that_holds_none(out):
    (line,) = lines("--out", out, "--nearest", 2, TEXT)
    rows, near = dict(questions()), line["explanation"]["nearest"]
    assert len(near) == 2
    assert all(rows[each["text"]] == each["label"] for each in near)
    assert not (out / "bundle" / "examples.json").exists()


def test_the_rows_of_a_run_are_its_own_with_the_vectors_of_its_model(out):
    rows = known_rows_of(RunFolder(out))
    assert set(zip(rows.texts, rows.labels, strict=True)) <= set(questions())
    vectors = tfarch.load(out / "bundle").vectors(rows.texts)
    cosines = (vectors * rows.vectors).sum(axis=1) / np.linalg.norm(vectors, axis=1)
    assert cosines.min() > 0.98  # the file is int8
    loaded = TrainedModel.load(RunFolder(out)).only.stages[-1].known
    assert (loaded.texts, loaded.labels) == (rows.texts, rows.labels)


def test_a_bundle_away_from_its_run_says_that_it_holds_no_texts(out, tmp_path):
    alone = shutil.copytree(out / "bundle", tmp_path / "alone")
    (line,) = lines("--bundle", alone, TEXT)
    assert (line["explanation"]["nearest"], line["explanation"]["notes"]) == ([], [NO_ROWS])
    assert f"note: {NO_ROWS}" in call("predict", "--explain", "--bundle", alone, TEXT).out


def test_a_bundle_that_was_exported_with_example_texts_shows_them_anywhere(copy, tmp_path):
    assert call("export", "--out", copy, "--set", "export.example_texts=true").code == 0
    assert verify_bundle(copy / "bundle").description["examples"] == {"texts": "examples.json", "vectors": "examples.npz"}
    assert "This bundle holds texts of training rows" in (copy / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")
    alone = shutil.copytree(copy / "bundle", tmp_path / "alone")
    beside = lines("--out", copy, TEXT)
    assert lines("--bundle", alone, TEXT) == beside
    assert len(beside[0]["explanation"]["nearest"]) == 3


def test_the_examples_of_an_added_class_are_among_the_rows(copy):
    add_class(copy / "bundle", "dancing", ["do we dance the tango", "tango dance tonight"])
    (line,) = lines("--out", copy, "tango dance tonight")
    assert line["explanation"]["nearest"][0]["text"] == "tango dance tonight"
    assert line["explanation"]["nearest"][0]["label"] == "dancing"


def test_gradients_of_an_added_class_are_told_to_be_of_another(copy):
    add_class(copy / "bundle", "dancing", ["do we dance the tango", "tango dance tonight"] * 3)
    (line,) = lines("--out", copy, "--method", "integrated_gradients", "tango dance tonight")
    if line["label"] == "dancing":
        assert "dancing was added without training" in " ".join(line["explanation"]["notes"])
        assert line["explanation"]["label"] != "dancing"


def test_a_run_whose_weights_are_others_lends_nothing(copy, tmp_path):
    settings = write_settings(tmp_path / "settings.yaml")
    data = write_csv(tmp_path / "train.csv")
    assert run_beside(copy / "bundle") is not None
    assert call("train", "--data", data, "--out", copy, "--config", settings, "--seed", 3).code == 0
    assert run_beside(copy / "bundle") is None
    assert lines("--out", copy, TEXT)[0]["explanation"]["notes"] == [NO_ROWS]


def test_the_folder_of_an_older_run_is_read_and_lends_no_rows(copy):
    file = copy / "checkpoints" / "trained.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    (copy / "checkpoints" / values["tasks"][""]["stages"][0].pop("known")).unlink()
    file.write_text(json.dumps(values), encoding="utf-8")
    assert TrainedModel.load(RunFolder(copy)).only.stages[0].known is None
    assert lines("--out", copy, TEXT)[0]["explanation"]["notes"] == [NO_ROWS]
    answer = call("export", "--out", copy, "--set", "export.example_texts=true")
    assert answer.code == 0
    assert "warning: this run kept no texts of training rows" in answer.err


def test_damaged_rows_are_exit_2_and_name_the_file(copy):
    file = copy / "checkpoints" / "trained.known.json"
    file.write_text("{}", encoding="utf-8")
    answer = call("predict", "--explain", "--out", copy, TEXT)
    assert (answer.code, answer.out) == (2, "")
    assert answer.last.startswith(f"error: {file}: is damaged: holds no texts and labels")


# Usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "occlusion"], "error: --method and --nearest say how to explain (add --explain)"),
        (["--nearest", "2"], "error: --method and --nearest say how to explain (add --explain)"),
        (["--explain", "--nearest", "-1"], "error: --nearest -1: at least 0"),
        (["--explain", "--top", "0"], "error: top=0: expected a whole number from 1"),
    ],
)
def test_bad_usage_is_exit_2_and_one_line(out, arguments, message):
    answer = call("predict", "--out", out, *arguments, TEXT)
    assert (answer.code, answer.out, answer.err) == (2, "", message + "\n")


def test_gradients_without_the_run_are_exit_2(out, tmp_path):
    alone = shutil.copytree(out / "bundle", tmp_path / "alone")
    answer = call("predict", "--explain", "--method", "integrated_gradients", "--bundle", alone, TEXT)
    assert (answer.code, answer.out) == (2, "")
    assert "integrated gradients need the weights of the run that made this bundle" in answer.last


LIGHT = """
import sys
from tests.tiny_questions import call
answer = call("predict", "--explain", *sys.argv[1:])
print(answer.code, "nearest training rows" in answer.out, "tensorflow" in sys.modules)
"""


def test_occlusion_with_the_run_s_rows_never_imports_tensorflow(out):
    done = subprocess.run([sys.executable, "-c", LIGHT, "--out", str(out), TEXT], capture_output=True, text=True, check=True)
    assert done.stdout == "0 True False\n"


# For people


def test_words_figures_scope_and_rows_are_read_without_colour(out):
    answer = call("predict", "--explain", "--out", out, TEXT)
    assert answer.code == 0
    assert "\033" not in answer.out
    assert re.search(r"where is my \[\+card\]", answer.out)
    assert re.search(r"^ +card +\+\d+\.\d\d  \++$", answer.out, re.M)
    assert re.search(r"(in|out of) scope: its score by \w+ is -?[\d.]+, (not )?below the threshold -?[\d.]+", answer.out)
    assert re.search(r"^ +[\d.]+  card +.*card", answer.out, re.M)


def test_gradients_tell_people_whether_the_sum_holds(out):
    answer = call("predict", "--explain", "--method", "integrated_gradients", "--out", out, TEXT)
    assert re.search(r"all words sum to [+-][\d.]+, the difference to a text of nothing but \[PAD\] is [+-][\d.]+: within", answer.out)


def test_colour_paints_the_marks_and_changes_no_character(out):
    (found,) = tfarch.load(out / "bundle").explain([TEXT])
    painted = shown(found, colour=True)
    assert "\033[32m[+card]\033[0m" in painted
    assert re.sub("\033\\[\\d+m", "", painted) == shown(found, colour=False)


def test_colour_is_for_terminals_and_not_where_no_color_is_set(monkeypatch, tmp_path):
    _, terminal = os.openpty()
    with open(terminal, "w") as stream, open(tmp_path / "file", "w") as file:
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setattr("sys.stdout", stream)
        assert colours()
        monkeypatch.setenv("NO_COLOR", "1")
        assert not colours()
        monkeypatch.delenv("NO_COLOR")
        monkeypatch.setattr("sys.stdout", file)
        assert not colours()


def test_what_would_steer_a_terminal_is_not_passed_on(out):
    (found,) = tfarch.load(out / "bundle").explain(["my \x1b[31mcard\x07 is\nlost \ud800"])
    text = shown(found, colour=False)
    assert not re.search("[\x00-\x09\x0b-\x1f\ud800]", text)
    assert "\n" not in marked(found, found.moving(), False)


# The report


def test_the_worst_errors_have_the_words_that_moved_them(out):
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["worst"], "no errors: this test could not fail"
    classifier = tfarch.load(out / "bundle")
    for row in report["worst"]:
        assert len(row["words"]) <= 5
        assert all(row["text"][word["start"] : word["end"]] == word["text"] for word in row["words"])
        (found,) = classifier.explain([row["text"]], nearest=0)
        if row["words"]:
            strongest = max(found.words, key=lambda word: abs(word.weight))
            assert abs(row["words"][0]["weight"]) == pytest.approx(abs(strongest.weight), abs=0.05)
    page = render_html(report)
    assert page.count("<mark ") == sum(len(row["words"]) for row in report["worst"]) > 0


def test_a_report_of_before_has_no_marks(out):
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    report["worst"] = [{key: value for key, value in row.items() if key != "words"} for row in report["worst"]]
    page = render_html(report)
    assert "<mark " not in page
    assert "Marked:" not in page
