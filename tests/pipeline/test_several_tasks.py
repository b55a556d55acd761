"""Two tasks over one model, from a table with a column for each to a bundle whose one file answers both."""

import contextlib
import dataclasses
import io
import json

import numpy as np
import pytest

import tfarch
from apps.customer_service.app import APP
from tests.tiny_questions import LABELS, SETTINGS, WORDS
from tfarch.cli import main
from tfarch.config import Config
from tfarch.data.tokens import Tokens
from tfarch.errors import BundleError, InputError
from tfarch.export.metadata import read_metadata
from tfarch.export.saved_model import SavedModelClassifier
from tfarch.models.classifier import build_classifier, columns_of, of_all_tasks, of_task
from tfarch.models.spec import AveragedSpec
from tfarch.pipeline.lesson import JointLesson, Lesson
from tfarch.pipeline.trained import TrainedModel
from tfarch.run_folder import RunFolder
from tfarch.runtime import MultitaskClassifier
from tfarch.runtime.bundle import verify_bundle

TONES = ("calm", "upset")
TEXTS = ["where is my card", "angry: locked password!", "my refund, please"]
METRICS = {"accuracy", "macro_f1", "ece", "nll", "per_class"}


def rows():
    """(text, what it is about, its tone); every seventh lacks its tone."""
    found = []
    for number, (label, words) in enumerate((label, words) for label, words in WORDS.items() for _ in range(40)):
        tone = TONES[number % 2]
        opening = ("thanks for", "angry about")[number % 2]
        found.append((f"{opening} {words[number % 4]} {words[number // 4 % 4]} {number}", label, "" if number % 7 == 0 else tone))
    return found


class Job:
    """A finished run of the tasks `about` and `tone`."""

    def __init__(self, folder):
        self.out, self.settings, self.data = folder / "out", folder / "settings.yaml", folder / "rows.csv"
        self.settings.write_text(SETTINGS.replace("epochs: 2", "epochs: 10"), encoding="utf-8")
        self.data.write_text("text,about,tone\n" + "".join(f"{','.join(row)}\n" for row in rows()), encoding="utf-8")
        self.report = json.loads(
            self.call(
                "run",
                "--data",
                self.data,
                "--data-licence",
                "CC BY-NC 4.0",
                "--set",
                "data.tasks=[about, tone]",
                "--set",
                "train.guess_missing=true",
            )
        )

    def call(self, verb, *more):
        own = () if verb in ("predict", "report", "compress") else ("--config", self.settings)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert main(APP, [str(each) for each in (verb, "--json", "--out", self.out, *own, *more)]) == 0
        return out.getvalue()


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    return Job(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(scope="module")
def model(job):
    return tfarch.load(job.out / "bundle")


def test_the_report_has_the_metrics_of_each_task(job):
    assert job.report["task"] == "multitask_text_classification"
    assert {row["name"] for row in job.report["variants"]} == {"float32", "dynamic_int8"}
    for row in job.report["variants"]:
        assert row["metrics"].keys() == row["paired"].keys() == {"about", "tone"}
        assert all(metrics.keys() >= METRICS for metrics in row["metrics"].values())
    about, tone = (job.report["tasks"][task]["data"]["train"] for task in ("about", "tone"))
    assert tone < about == job.report["data"]["train"]  # some rows lack a tone, none an about
    assert job.report["parity"]["holds"]
    assert job.report == json.loads((job.out / "report.json").read_text(encoding="utf-8"))


def test_validation_tells_of_each_and_of_both_together(job):
    last = job.report["train"]["history"][-1]
    assert last["valid_accuracy"] == pytest.approx((last["about/valid_accuracy"] + last["tone/valid_accuracy"]) / 2)
    assert last["valid_loss"] == pytest.approx(last["about/valid_loss"] + last["tone/valid_loss"])


def test_labels_that_rows_lack_are_guessed_by_a_first_training(job):
    guessed = job.report["train"]["guessed_labels"]
    assert guessed["rows"]["about"] == 0
    assert 5 <= guessed["rows"]["tone"] <= 20
    assert guessed["epochs"] == 5  # of ten
    page = (job.out / "report.html").read_text(encoding="utf-8")
    assert f"{guessed['rows']['tone']} of tone" in page
    card = (job.out / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.count(f"- **labels that a first training guessed:** {guessed['rows']['tone']}, each at half the weight") == 1


def test_both_tasks_are_learned(job):
    chosen = next(row for row in job.report["variants"] if row["name"] == job.report["chosen"])
    assert chosen["metrics"]["about"]["accuracy"] >= 0.7  # of three
    assert chosen["metrics"]["tone"]["accuracy"] >= 0.9


def test_the_bundle_says_of_each_task_its_labels_and_is_whole(job):
    described = verify_bundle(job.out / "bundle").description
    assert {task: tuple(own["labels"]) for task, own in described["tasks"].items()} == {"about": LABELS, "tone": TONES}
    assert [each["name"] for each in described["signature"]["outputs"]] == ["about_probabilities", "tone_probabilities", "text_vector"]
    assert all(own["provenance"]["data"]["licence"] == "CC BY-NC 4.0" for own in described["tasks"].values())


def test_one_pass_answers_both_and_each_as_it_answers_alone(model):
    assert isinstance(model, MultitaskClassifier)
    calls, run = [], model.network._run
    model.network._run = lambda *each: calls.append(each) or run(*each)
    try:
        found = model.predict(TEXTS)
    finally:
        model.network._run = run
    assert len(calls) == 1
    for task in ("about", "tone"):
        assert [each[task] for each in found] == model[task].predict(TEXTS)


def test_predict_prints_an_object_of_each_task(job, model):
    (line,) = job.call("predict", TEXTS[1]).splitlines()
    told = json.loads(line)
    assert told.keys() == {"text", "about", "tone"}
    assert told["tone"]["label"] == model.predict([TEXTS[1]])[0]["tone"].label == "upset"


def test_an_explanation_is_of_each_task_or_of_the_one_that_is_named(job):
    told = json.loads(job.call("predict", "--explain", TEXTS[1]))
    assert told["about"]["explanation"]["nearest"] != told["tone"]["explanation"]["nearest"]
    with pytest.raises(BundleError):
        tfarch.load(job.out / "nothing")


def test_gradients_explain_a_task_too(job):
    told = json.loads(job.call("predict", "--explain", "--method", "integrated_gradients", "--nearest", 0, TEXTS[0]))
    for task in ("about", "tone"):
        assert told[task]["explanation"]["method"] == "integrated_gradients"
        assert told[task]["explanation"]["completeness"]["holds"]


def test_the_saved_model_takes_strings_and_names_the_outputs_by_task(job, model):
    found = SavedModelClassifier(job.out / "bundle" / "saved_model" / "1").answers(TEXTS)
    float32 = TrainedModel.load(RunFolder(job.out))
    assert {task: each.shape for task, each in found.items()} == {"about": (3, 3), "tone": (3, 2)}
    for task, labels in float32.labels.items():
        assert [labels[row.argmax()] for row in found[task]] == [each[task].label for each in model.predict(TEXTS)]


def test_the_file_carries_the_labels_of_each_output(job):
    files = read_metadata(job.out / "bundle" / "model.tflite")["files"]
    assert files["about_labels.txt"].split() == list(LABELS)
    assert files["tone_labels.txt"].split() == list(TONES)


def test_the_page_has_a_section_of_each_task_and_one_of_what_they_share(job):
    page = (job.out / "report.html").read_text(encoding="utf-8")
    for anchor in ('id="about-variants"', 'id="tone-classes"', 'id="tone-probabilities"', 'id="training"', 'id="made"'):
        assert page.count(anchor) == 1, anchor
    assert 'id="about-training"' not in page


def test_the_model_card_tells_of_each_task(job):
    card = (job.out / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.count("### about") == card.count("### tone") == 4
    assert "| output | `tone_probabilities` | float32 | [any, 2] |" in card


def test_evaluating_again_gives_the_same_figures(job):
    again = json.loads(job.call("evaluate"))
    assert [row["metrics"] for row in again["variants"]] == [row["metrics"] for row in job.report["variants"]]


def test_a_model_of_other_tasks_is_not_evaluated_on_them(job):
    with pytest.raises(InputError, match="the data are of about, the model is of about, tone"):
        tfarch.evaluate(job.out, settings={"data": {"tasks": ["about"]}})


def test_a_recipe_prunes_what_both_share(job, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("version: 1\nname: mine\nstages:\n  - {kind: quantisation_aware}\n", encoding="utf-8")
    report = tfarch.compress(str(recipe), job.out, tmp_path / "small", settings={"export": {"agreement_bound": 0}})
    names = {row["name"] for row in report["variants"]}
    assert {"dynamic_int8", "mine_dynamic_int8"} <= names
    assert report["chosen"] == "mine_dynamic_int8"
    assert tfarch.load(tmp_path / "small" / "bundle").predict(TEXTS)[1]["tone"].label == "upset"


def test_a_weight_of_nothing_leaves_a_task_to_its_start(job, tmp_path):
    tfarch.train(job.data, tmp_path, config=_config(job, tone=0.0))
    found = TrainedModel.load(RunFolder(tmp_path)).tasks["tone"].stages[0]
    start = build_classifier(AveragedSpec(found.weights["token_embedding/embeddings"].shape[0], 8), {"about": 3, "tone": 2}, seed=0)
    begun = next(each for each in start.weights if each.name == "tone_head/kernel:0")
    assert np.array_equal(found.weights["head/kernel"], begun.numpy())


def _config(job, **weights):
    config = Config().with_file(job.settings)
    return config.with_values({"data": {"tasks": ["about", "tone"]}, "train": {"task_weights": weights, "weight_decay": 0.0}})


# what several tasks are trained on


def lesson(texts, targets):
    tokens = Tokens(np.concatenate(texts).astype(np.int32), np.cumsum([0, *map(len, texts)]))
    return Lesson(tokens, np.array(targets, np.int32), np.ones(len(targets), np.float32))


def test_a_text_of_both_tasks_is_one_row_and_repeated_texts_keep_their_rows():
    joint = JointLesson(
        {"a": lesson([[1, 2], [3], [3]], [0, 1, 0]), "b": lesson([[3], [4, 5], [1, 2]], [1, 0, 1])}, {"a": 2, "b": 2}, "none", {"b": 0.5}
    )
    found = joint.examples
    assert len(joint) == 4
    told = {
        (tuple(found.tokens.ids[begin:end]), *targets): tuple(weights)
        for begin, end, targets, weights in zip(
            found.tokens.offsets[:-1], found.tokens.offsets[1:], found.targets.tolist(), found.weights.tolist(), strict=True
        )
    }
    assert told == {((1, 2), 0, 1): (1, 0.5), ((3,), 1, 1): (1, 0.5), ((3,), 0, -1): (1, 0), ((4, 5), -1, 0): (0, 0.5)}


def test_guesses_stand_in_for_labels_that_a_text_lacks_and_count_half():
    joint = JointLesson({"a": lesson([[1, 2], [3]], [0, 1]), "b": lesson([[3], [4, 5]], [2, 0])}, {"a": 2, "b": 3}, "none", {"b": 0.5})
    assert joint.lacking == {"a": 1, "b": 1}
    guesses = np.array([[0.9, 0.1, 0.2, 0.3, 0.5], [0.6, 0.4, 0.8, 0.1, 0.1], [0.7, 0.3, 0.4, 0.4, 0.2]], np.float32)
    guessed = dataclasses.replace(joint, guesses=guesses)
    found = guessed.examples
    np.testing.assert_allclose(found.targets, [[1, 0, 0.2, 0.3, 0.5], [0, 1, 0, 0, 1], [0.7, 0.3, 1, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(found.weights, [[1, 0.25], [1, 0.5], [0.5, 0.5]])
    assert found.targets.dtype == found.weights.dtype == np.float32
    assert joint.examples is joint.labelled


def test_a_teacher_says_something_of_every_text_beside_its_labels():
    joint = JointLesson({"a": lesson([[1, 2], [3]], [0, 1]), "b": lesson([[3], [4, 5]], [2, 0])}, {"a": 2, "b": 3}, "none", {"b": 0.5})
    logits = np.log(np.array([[0.9, 0.1, 0.2, 0.3, 0.5], [0.6, 0.4, 0.8, 0.1, 0.1], [0.7, 0.3, 0.4, 0.4, 0.2]], np.float32)) + 1.0
    found = joint.taught(logits)
    labels = [[1, 0, 0, 0, 0], [0, 1, 0, 0, 1], [0, 0, 1, 0, 0]]
    np.testing.assert_allclose(found.targets, np.concatenate([labels, np.exp(logits - 1.0)], axis=1), rtol=1e-5)
    np.testing.assert_allclose(found.weights, [[1, 0.25], [1, 0.5], [0.5, 0.5]])
    guesses = np.full((3, 5), 0.5, np.float32)
    guessed = dataclasses.replace(joint, guesses=guesses)
    np.testing.assert_allclose(guessed.taught(logits).targets[:, :5], guessed.examples.targets)
    np.testing.assert_allclose(guessed.taught(logits).weights, guessed.examples.weights)


@pytest.mark.parametrize("guesses", [None, np.full((3, 5), 0.5, np.float32)])
def test_of_texts_without_labels_only_the_teacher_says_what_they_are(guesses):
    joint = JointLesson(
        {"a": lesson([[1, 2], [3]], [0, 1]), "b": lesson([[3], [4, 5]], [2, 0])}, {"a": 2, "b": 3}, "none", {"b": 0.5}, guesses
    )
    logits = np.log(np.random.default_rng(0).dirichlet(np.ones(5), 5)).astype(np.float32)
    more = Tokens(np.array([7, 8, 9], np.int32), np.array([0, 1, 3]))
    found, without = joint.taught(logits, more), joint.taught(logits[:3])
    assert len(found.tokens.lengths) == len(found) == 5
    np.testing.assert_array_equal(found.tokens.ids[-3:], [7, 8, 9])
    np.testing.assert_allclose(found.targets[:3], without.targets)
    np.testing.assert_allclose(found.weights[:3], without.weights)
    assert (found.targets[3:, :5] == 0).all()
    np.testing.assert_allclose(found.targets[3:, 5:7].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.targets[3:, 7:].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.weights[3:], [[0.5, 0.25]] * 2)


def test_the_weights_of_one_task_and_of_all_are_each_others_inverse():
    spec = AveragedSpec(20, 8)
    every = build_classifier(spec, {"about": 3, "tone": 2})
    weights = {each.name.split(":")[0]: each.numpy() for each in every.weights}
    single = {task: of_task(weights, task) for task in ("about", "tone")}
    assert single["tone"].keys() == {"token_embedding/embeddings", "head/kernel", "head/bias"}
    joined = of_all_tasks(single)
    assert joined.keys() == weights.keys()
    assert all(np.array_equal(joined[name], weights[name]) for name in weights)


def test_the_logits_of_a_task_stand_where_its_columns_say():
    spec, classes = AveragedSpec(20, 8), {"about": 3, "tone": 2}
    every, alone = build_classifier(spec, classes), build_classifier(spec, 2)
    weights = of_task({each.name.split(":")[0]: each.numpy() for each in every.weights}, "tone")
    for variable in alone.weights:
        variable.assign(weights[variable.name.split(":")[0]])
    inputs = {name: np.array([[1, 2, 3]], np.int32) for name in ("ids", "mask", "segment_ids")}
    np.testing.assert_allclose(every(inputs).numpy()[:, columns_of(classes, "tone")], alone(inputs).numpy(), rtol=1e-6)
