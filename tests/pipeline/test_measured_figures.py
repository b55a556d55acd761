"""Every figure of a report is that of the files that lie beside it: counted, hashed and asked again here."""

import gzip
import hashlib
import json

import numpy as np
import pytest
import yaml
from ai_edge_litert.interpreter import Interpreter

import tfarch
from tests.tiny_questions import LABELS, OPENINGS, OUT_OF_SCOPE, SETTINGS, WORDS, write_csv
from tfarch.runtime import Classifier, Network
from tfarch.runtime.scope import METHODS
from tfarch.runtime.tokeniser import Tokeniser

# Test rows hold a word of another class now and then: nobody gets all of them right.
TEST = [
    (f"{opening} {word}", label) for label, words in WORDS.items() for word in (*words[:2], "account refund pin") for opening in OPENINGS
]
OTHERS = [(text, "oos") for text in ("can you dance", "what time is it", "buy milk", "my horoscope please")]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with all three parts, out of scope in validation and test."""
    folder = tmp_path_factory.mktemp("tiny_desk")
    rows = [
        (f"{opening} {word} {more}", label) for label, words in WORDS.items() for word in words for more in words for opening in OPENINGS
    ]
    write_csv(folder / "train.csv", rows[::2])
    write_csv(folder / "valid.csv", [*rows[1::6], *((text, "oos") for text in OUT_OF_SCOPE)])
    write_csv(folder / "test.csv", TEST + OTHERS)
    return folder


def run(path, out, **more):
    """The main job from Python; `more` is laid over the tiny settings section by section."""
    settings = yaml.safe_load(SETTINGS)
    return tfarch.run(path, out=out, settings={name: {**settings.get(name, {}), **more.get(name, {})} for name in {**settings, **more}})


@pytest.fixture(scope="module")
def job(data, tmp_path_factory):
    """(folder, report) of a run with a file of fixed length beside the others."""
    out = tmp_path_factory.mktemp("run")
    return out, run(data, out, export={"lengths": [16]})


def variant(report, name):
    return next(each for each in report["variants"] if each["name"] == name)


def answers(out, file):
    """Probabilities of the test rows by an exported file, through the runtime."""
    return both(out, file)[0]


def both(out, file):
    """Their probabilities and text vectors."""
    description = json.loads((out / "bundle" / "bundle.json").read_text(encoding="utf-8"))
    tokeniser = Tokeniser.from_file(out / "bundle" / "vocab.txt", lowercase=True, strip_accents=True)
    return Classifier(Network(out / file, tokeniser, description["max_length"]), description["labels"]).answers(
        [text for text, _ in TEST + OTHERS]
    )


def predicted(out, rows):
    return tfarch.load(out / "bundle").predict([text for text, _ in rows])


def test_five_lines_of_python_give_the_report_that_is_written(job):
    out, report = job
    assert json.loads((out / "report.json").read_text(encoding="utf-8")) == report
    assert tfarch.load(out / "bundle").labels == tuple(LABELS)


def test_the_rows_are_counted(job):
    figures = job[1]["data"]
    assert (figures["train"], figures["valid"], figures["test"], figures["classes"]) == (144, 54, len(TEST + OTHERS), 3)
    assert figures["out_of_scope_test"] == len(OTHERS)


def test_the_data_is_hashed(job, data):
    hashes = {name: hashlib.sha256((data / name).read_bytes()).hexdigest() for name in ("train.csv", "valid.csv", "test.csv")}
    assert job[1]["data"]["sha256"] == hashes


def test_sizes_are_those_of_the_files(job):
    out, report = job
    for each in report["variants"]:
        body = (out / each["file"]).read_bytes()
        assert each["bytes"] == len(body)
        assert each["gzip_bytes"] == len(gzip.compress(body, 6))


def test_every_file_of_the_bundle_is_hashed(job):
    bundle = job[0] / "bundle"
    listed = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["files"]
    there = {path.relative_to(bundle).as_posix(): path for path in bundle.rglob("*") if path.is_file() and path.name != "bundle.json"}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()} == listed


def test_the_accuracy_is_that_of_the_bundle_on_the_test_rows(job):
    out, report = job
    right = [said.label == label for said, (_, label) in zip(predicted(out, TEST), TEST, strict=True)]
    assert 0 < np.mean(right) < 1
    assert variant(report, report["chosen"])["metrics"]["accuracy"] == pytest.approx(np.mean(right))


def test_the_paired_test_counts_the_rows_on_which_a_file_and_the_float32_file_part(job):
    out, report = job
    labels = [label for _, label in TEST]
    right = {
        each["name"]: answers(out, each["file"])[: len(TEST)].argmax(axis=1) == [LABELS.index(label) for label in labels]
        for each in report["variants"]
    }
    for each in report["variants"]:
        assert each["paired"]["against"] == "float32"
        assert each["paired"]["won"] == (right[each["name"]] & ~right["float32"]).sum()
        assert each["paired"]["lost"] == (~right[each["name"]] & right["float32"]).sum()


def test_the_out_of_scope_figures_are_those_of_the_bundle(job):
    out, report = job
    metrics = variant(report, report["chosen"])["metrics"]
    kept = [said.label == label and not said.out_of_scope for said, (_, label) in zip(predicted(out, TEST), TEST, strict=True)]
    assert metrics["in_scope_accuracy"] == pytest.approx(np.mean(kept))
    assert metrics["oos_recall"] == pytest.approx(np.mean([said.out_of_scope for said in predicted(out, OTHERS)]))


def test_the_threshold_stands_in_the_bundle(job):
    out, report = job
    stated, told = tfarch.load(out / "bundle").bundle["out_of_scope"], report["out_of_scope"]
    assert {name: stated[name] for name in ("method", "threshold", "chosen_on")} == {name: told[name] for name in stated if name != "file"}
    assert (out / "bundle" / "out_of_scope.npz").exists() == ("file" in stated)


def test_every_method_is_measured_on_the_file_that_ships(job):
    _, report = job
    told = report["out_of_scope"]
    assert tuple(each["method"] for each in told["methods"]) == METHODS
    (own,) = (each for each in told["methods"] if each["method"] == told["method"])
    metrics = variant(report, report["chosen"])["metrics"]
    assert own["metrics"] == {name: metrics[name] for name in own["metrics"]}
    assert len({each["metrics"]["oos_auroc"] for each in told["methods"]}) > 1
    best = max(told["methods"], key=lambda each: 0.9 * each["valid"]["in_scope_accuracy"] + 0.1 * each["valid"]["oos_recall"])
    assert own["valid"] == best["valid"], "the method was chosen on validation"


@pytest.mark.parametrize("method", METHODS)
def test_a_bundle_judges_by_the_method_asked_for(data, tmp_path, method):
    out = tmp_path / "out"
    report = run(data, out, out_of_scope={"method": method})
    classifier = tfarch.load(out / "bundle")
    assert classifier.out_of_scope.score.method == method == report["out_of_scope"]["method"]
    metrics = variant(report, report["chosen"])["metrics"]
    assert metrics["oos_recall"] == pytest.approx(np.mean([said.out_of_scope for said in predicted(out, OTHERS)]))
    assert "out_of_scope.npz" in classifier.bundle["files"] or method == "max_probability"


def test_the_risk_of_answering_everything_is_the_share_of_wrong_answers(job):
    out, report = job
    right = sum(said.label == label for said, (_, label) in zip(predicted(out, TEST + OTHERS), TEST + OTHERS, strict=True))
    for curve in report["risk_coverage"].values():
        assert curve["coverage"][-1] == 1
        assert curve["risk"][-1] == pytest.approx(1 - right / len(TEST + OTHERS))


def test_the_auroc_of_each_file_is_that_of_its_own_answers(job):
    out, report = job
    for each in report["variants"]:
        rule = tfarch.load(out / "bundle").out_of_scope
        scores = rule.score(*both(out, each["file"]))
        inside, outside = scores[: len(TEST)], scores[len(TEST) :]
        pairs = (inside[:, None] > outside).mean() + 0.5 * (inside[:, None] == outside).mean()
        assert each["metrics"]["oos_auroc"] == pytest.approx(pairs, abs=1e-6)


def test_a_file_of_fixed_length_stands_beside_the_others(job):
    names = [each["name"] for each in job[1]["variants"]]
    assert names == ["float32", "dynamic_int8", "float32_16_tokens", "dynamic_int8_16_tokens"]
    assert job[1]["chosen"] == "dynamic_int8"


def test_a_file_of_fixed_length_takes_that_length_alone(job):
    file = job[0] / variant(job[1], "dynamic_int8_16_tokens")["file"]
    assert {tuple(each["shape_signature"]) for each in Interpreter(model_path=str(file)).get_input_details()} == {(1, 16)}


def test_a_file_of_fixed_length_answers_the_same(job):
    out, report = job
    fixed, free = (answers(out, variant(report, name)["file"]) for name in ("float32_16_tokens", "float32"))
    assert np.abs(fixed - free).max() < 1e-5
    assert variant(report, "float32_16_tokens")["parity"]["label_agreement"] == 1.0


def test_out_of_scope_can_be_a_class_like_any_other(tmp_path):
    rows = [(f"{opening} {word}", label) for label, words in WORDS.items() for word in words for opening in OPENINGS]
    file = write_csv(tmp_path / "all.csv", rows + [(f"{text} {more}", "oos") for text in OUT_OF_SCOPE for more in ("now", "then", "today")])
    report = run(file, tmp_path / "out", data={"oos_is_class": True})
    assert tfarch.load(tmp_path / "out" / "bundle").labels == ("card", "login", "oos", "refund")
    assert report["data"]["out_of_scope_test"] == 0
    metrics = variant(report, report["chosen"])["metrics"]
    assert metrics["per_class"]["oos"]["support"] > 0
    assert "oos_recall" not in metrics
