"""A student beside its teacher: the distances are those of their formulas in numpy, and training by them alone brings it nearer."""

import dataclasses
import json

import numpy as np
import pytest

import tfarch

import tensorflow as tf  # isort: skip

from tests.compression.test_recipes_end_to_end import SETTINGS, TEXTS
from tests.tiny_training import BATCH, CLASSES, SPEC, classifier, examples
from tfarch.compression.pruning import UpdatePruningStep, stripped, with_pruning
from tfarch.compression.quantisation import with_quantisation
from tfarch.compression.recipe import Prune, QuantisationAware
from tfarch.compression.teaching import RelationDistance, StateDistance, beside_teacher, counterparts, with_states, without_teacher
from tfarch.config import TrainConfig
from tfarch.errors import InputError
from tfarch.models.classifier import build_classifier
from tfarch.models.weights import get_weights
from tfarch.pipeline import taught
from tfarch.training import Trainer, cross_entropy
from tfarch.training.objectives import with_distance

RANDOM = np.random.default_rng(2)
MASK = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], np.int32)
TEACHER_SPEC = dataclasses.replace(SPEC, heads=(4, 2), feed_forward=(64, 48))


def states(width):
    return RANDOM.normal(size=(MASK.size, width)).astype(np.float32)


@pytest.mark.parametrize(
    ("student", "teacher", "expected"), [(3, 6, [1, 3, 5]), (6, 6, [0, 1, 2, 3, 4, 5]), (2, 6, [2, 5]), (1, 6, [5]), (4, 6, [1, 2, 3, 5])]
)
def test_a_layer_learns_from_the_one_at_its_height_and_the_last_from_the_last(student, teacher, expected):
    found = counterparts(student, teacher)
    assert found[-1] == teacher - 1
    assert found == expected


def test_the_distance_of_states_is_that_of_the_tokens_which_are_no_padding():
    pairs = [states(6) for _ in range(4)]
    found = StateDistance()([MASK, *pairs]).numpy()
    for row, tokens in enumerate(([0, 1, 2], [4, 5])):
        shares = [
            ((own[tokens] - wanted[tokens]) ** 2).sum() / (wanted[tokens] ** 2).sum()
            for own, wanted in zip(pairs[::2], pairs[1::2], strict=True)
        ]
        assert found[row, 0] == pytest.approx(np.mean(shares), rel=1e-5)


def relations(values, heads):
    width = values.shape[1] // heads
    found = []
    for head in range(heads):
        own = values[:, head * width : (head + 1) * width]
        scores = np.exp(own @ own.T / np.sqrt(width))
        found.append(scores / scores.sum(axis=1, keepdims=True))
    return np.array(found)  # [heads, tokens, tokens]


def test_the_distance_of_relations_is_the_divergence_from_the_teachers():
    heads, pairs = 2, [each for _ in range(3) for each in (states(4), states(8))]
    found = RelationDistance(heads)([MASK, *pairs]).numpy()
    for row, tokens in enumerate(([0, 1, 2], [4, 5])):
        divergences = []
        for own, wanted in zip(pairs[::2], pairs[1::2], strict=True):
            own, wanted = relations(own[tokens], heads), relations(wanted[tokens], heads)
            divergences.append((wanted * np.log(wanted / own)).sum(axis=2).mean())
        assert found[row, 0] == pytest.approx(np.mean(divergences), rel=1e-4)


def test_a_distance_is_0_for_equals_and_is_added_to_the_loss_of_every_task_in_parts():
    own = states(8)
    assert StateDistance()([MASK, own, own]).numpy() == pytest.approx(0)
    assert RelationDistance(2)([MASK, *[own] * 6]).numpy() == pytest.approx(0, abs=1e-6)
    logits, distance = RANDOM.normal(size=(3, 4)).astype(np.float32), np.array([[1.0], [2.0], [4.0]], np.float32)
    losses = with_distance(lambda output, targets: output[:, :2] * targets)(tf.concat([logits, distance], 1), tf.ones((3, 2)))
    np.testing.assert_allclose(losses, logits[:, :2] + distance / 2, rtol=1e-6)


def teacher():
    model = build_classifier(TEACHER_SPEC, CLASSES)
    random = np.random.default_rng(4)
    for variable in model.weights:
        variable.assign(random.normal(1.0 if "gamma" in variable.name else 0.0, 0.3, variable.shape))
    return model


WRAPS = {
    "plain": (lambda model: model, lambda model: model),
    "pruned": (lambda model: with_pruning(model, Prune(sparsity=0.1, schedule="constant"), 12), stripped),
    "quantised": (lambda model: with_quantisation(model, QuantisationAware()), lambda model: model),
}


@pytest.mark.parametrize("wrapped", WRAPS)
def test_a_student_wrapped_or_not_comes_nearer_to_its_teacher_whose_weights_stay(wrapped):
    wrap, plain = WRAPS[wrapped]
    taught = teacher()
    before = get_weights(taught)

    def build():
        student = wrap(with_states(classifier(), SPEC))
        return beside_teacher(student, SPEC, taught, TEACHER_SPEC, states=1.0, relations=2.0)

    texts = examples()
    batch = {name: tf.constant(value) for name, value in texts.tokens.padded(np.arange(len(texts)), 8).items()}
    distances = []
    settings = TrainConfig(epochs=6, batch_size=BATCH, learning_rate=0.01, freeze=[], precision="float32", monitor="last", devices="cpu")

    def distance_alone(output, targets):
        return with_distance(lambda logits, targets: 0.0 * cross_entropy()(logits, targets)[:, None])(output, targets)

    def evaluate(model):
        distances.append(float(tf.reduce_mean(plain(model)(batch, training=False)[:, -1])))
        return {}

    callbacks = [UpdatePruningStep()] if wrapped == "pruned" else []
    trained = Trainer(settings, seed=3, callbacks=callbacks).fit(build, distance_alone, texts, evaluate, layers=1)
    assert distances[-1] < 0.6 * distances[0]
    for name, value in get_weights(taught).items():
        np.testing.assert_array_equal(value, before[name])
    student = plain(without_teacher(trained.model))
    logits = student(batch, training=False)
    logits = logits[0] if isinstance(logits, list) else logits
    np.testing.assert_allclose(logits, plain(trained.model)(batch, training=False)[:, :CLASSES], atol=1e-5)
    assert not any("teacher" in layer.name for layer in student.layers)


def test_a_model_without_a_teacher_is_left_as_it_is():
    model = classifier()
    assert without_teacher(model) is model


RECIPE = """
version: 1
name: taught
stages:
  - {kind: slim, keep_layers: [0, 2], heads: 0.5, vocabulary: 40, epochs: 2, distillation: 1.0, hidden_states: 1.0, relations: 1.0}
  - {kind: prune, sparsity: 0.3, hidden_states: 0.5, text_vectors: 1.0}
  - {kind: prune, sparsity: 0.5, criterion: movement, relations: 0.5, variations: 1}
  - {kind: quantisation_aware, distillation: 0.5, relations: 0.5, variations: 2}
"""


def test_a_recipe_learns_from_inner_states_and_from_texts_without_labels(tmp_path, monkeypatch):
    spoke_in = set()

    class Watched(taught.Forward):
        def __init__(self, model):
            spoke_in.add(model.get_layer("layer_0_query").compute_dtype)
            super().__init__(model)

    monkeypatch.setattr(taught, "Forward", Watched)
    rows = [f"{text} no {number},{label}" for label, text in TEXTS.items() for number in range(14)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "taught.yaml").write_text(RECIPE, encoding="utf-8")
    model = {**SETTINGS["model"], "layers": 3}
    tfarch.run(tmp_path / "rows.csv", tmp_path / "run", settings={**SETTINGS, "model": model, "compress": {"recipe": "none"}})
    (tmp_path / "more.csv").write_text("text\n" + "\n".join(f"money for order {number}" for number in range(50)) + "\n", encoding="utf-8")
    settings = {"data": {"unlabelled": str(tmp_path / "more.csv")}}
    report = tfarch.compress(str(tmp_path / "taught.yaml"), tmp_path / "run", tmp_path / "small", settings=settings)
    stages = report["compression"][0]["stages"]
    assert [stage["kind"] for stage in stages] == ["slim", "prune", "prune", "quantisation_aware"]
    assert [stage["precision"] for stage in stages] == ["bfloat16", "float32", "bfloat16", "float32"]  # TF-MOT's in float32
    assert spoke_in == {"bfloat16"}  # the teacher, as the run trained
    assert [stage["kernel_sparsity"] for stage in stages[1:]] == pytest.approx([0.3, 0.5, 0.5], abs=0.01)
    assert stages[0]["steps"] == 2 * 3  # batches of 32: 31 rows with a label, 50 without
    assert [stage["steps"] for stage in stages[1:]] == [3, 4, 5]  # and then one, at last two made of each of the 31
    assert [stage["texts"] for stage in stages[:2]] == [{"rows": 31, "unlabelled": 50, "made": 0}] * 2
    assert 0 < stages[2]["texts"]["made"] <= 31 < stages[3]["texts"]["made"] <= 62
    unlabelled = report["compression"][0]["unlabelled"]
    assert (unlabelled["source"], unlabelled["texts"], len(unlabelled["sha256"])) == ("more.csv", 50, 64)
    card = (tmp_path / "small" / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "50 texts without labels" in card
    assert unlabelled["sha256"] in card
    assert report["parity"]["holds"]


def rows_in(folder):
    rows = [f"{text} no {number},{label}" for label, text in TEXTS.items() for number in range(14)]
    (folder / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return folder / "rows.csv"


def test_another_run_of_another_size_teaches_and_one_of_other_classes_is_refused(tmp_path):
    rows = rows_in(tmp_path)
    plain = {**SETTINGS, "compress": {"recipe": "none"}}
    tfarch.run(rows, tmp_path / "run", settings=plain)
    averaged = {"structure": "averaged", "averaged_width": 16}
    tfarch.run(rows, tmp_path / "teacher", settings={**plain, "model": averaged, "train": {"epochs": 20, "learning_rate": 0.02}})
    recipe = "version: 1\nstages:\n  - {kind: slim, neurons: 0.5, distillation: 1.0, temperature: 1.0, variations: 1, epochs: 15, learning_rate: 0.003}\n"
    (tmp_path / "mine.yaml").write_text(recipe, encoding="utf-8")
    settings = {"compress": {"teacher": str(tmp_path / "teacher")}}
    tfarch.compress(str(tmp_path / "mine.yaml"), tmp_path / "run", tmp_path / "small", settings=settings)
    texts = [f"{text} no {number}" for text in TEXTS.values() for number in range(14)]
    student, teacher, before = (tfarch.load(tmp_path / name / "bundle") for name in ("small", "teacher", "run"))
    far = np.abs(before.probabilities(texts) - teacher.probabilities(texts)).mean()
    assert np.abs(student.probabilities(texts) - teacher.probabilities(texts)).mean() < 0.5 * far
    files = json.loads((tmp_path / "teacher" / "bundle" / "bundle.json").read_text(encoding="utf-8"))["files"]
    card = (tmp_path / "small" / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"Another model taught it: teacher, a file of SHA-256 {files['model.tflite']}." in card

    (tmp_path / "other.csv").write_text(rows.read_text(encoding="utf-8").replace("refund", "payback"), encoding="utf-8")
    tfarch.run(tmp_path / "other.csv", tmp_path / "other", settings={**plain, "model": averaged})
    settings = {"compress": {"teacher": str(tmp_path / "other")}}
    with pytest.raises(InputError, match="other: tells other classes apart: it lacks refund; it has besides payback"):
        tfarch.compress(str(tmp_path / "mine.yaml"), tmp_path / "run", tmp_path / "none", settings=settings)
    (tmp_path / "inner.yaml").write_text("version: 1\nstages:\n  - {kind: prune, relations: 1.0}\n", encoding="utf-8")
    settings = {"compress": {"teacher": str(tmp_path / "teacher")}}
    with pytest.raises(InputError, match=r"stages.0.relations: only the trained model's inner states can be looked at"):
        tfarch.compress(str(tmp_path / "inner.yaml"), tmp_path / "run", tmp_path / "none", settings=settings)
