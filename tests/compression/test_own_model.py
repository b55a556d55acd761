"""`python -m tfarch.compression compress`: a model that was made elsewhere, its rows as arrays; what is reported is what the files hold."""

import json
import re

import numpy as np
import pytest

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first

import tensorflow as tf  # isort: skip

from tfarch.cli.compression import main
from tfarch.export.linter import examine

RANDOM = np.random.default_rng(8)
ROWS, WIDTH, CLASSES = 400, 12, 3
CENTRES = RANDOM.normal(0, 2, (CLASSES, WIDTH))
RECIPE = """
version: 1
name: half
stages:
  - {kind: prune, sparsity: 0.5, epochs: 3, learning_rate: 0.003, distillation: 0.5}
  - {kind: prune, sparsity: 0.6, criterion: movement, epochs: 3, learning_rate: 0.003}
  - {kind: quantisation_aware, learning_rate: 0.001, epochs: 2}
"""


def rows_of(kind):
    """Inputs and targets that a small network learns in a few epochs."""
    classes = RANDOM.integers(0, CLASSES, ROWS)
    inputs = (CENTRES[classes] + RANDOM.normal(0, 1, (ROWS, WIDTH))).astype(np.float32)
    if kind == "numbers":
        return inputs, inputs @ CENTRES.T.astype(np.float32)
    return inputs, classes if kind == "classes" else (classes == 0).astype(np.int64)


def model_of(kind):
    """A Sequential with a softmax, a functional model with two inputs and a logit, or one of numbers."""
    layers = tf.keras.layers
    if kind == "classes":
        return tf.keras.Sequential(
            [layers.Dense(64, "relu", input_shape=(WIDTH,)), layers.Dense(64, "relu"), layers.Dense(CLASSES, "softmax")]
        )
    left, right = tf.keras.Input((WIDTH // 2,), name="left"), tf.keras.Input((WIDTH // 2,), name="right")
    hidden = layers.Dense(64, "relu")(layers.BatchNormalization()(layers.Concatenate()([left, right])))
    output = layers.Dense(1 if kind == "yes or no" else CLASSES)(layers.Dropout(0.1)(layers.Dense(64, "relu")(hidden)))
    return tf.keras.Model({"left": left, "right": right}, output)


def written(kind, folder):
    """A trained model and its rows, as files: (model, rows)."""
    tf.keras.utils.set_random_seed(1)
    inputs, targets = rows_of(kind)
    model = model_of(kind)
    loss = {
        "classes": "sparse_categorical_crossentropy",
        "yes or no": tf.keras.losses.BinaryCrossentropy(from_logits=True),
        "numbers": "mse",
    }
    model.compile("adam", loss[kind])
    named = {"x": inputs} if kind == "classes" else {"left": inputs[:, : WIDTH // 2], "right": inputs[:, WIDTH // 2 :]}
    model.fit(inputs if kind == "classes" else named, targets.astype(np.float32), epochs=15, verbose=0)
    model.save(folder / "own.keras")
    np.savez(folder / "rows.npz", **named, y=targets)
    (folder / "half.yaml").write_text(RECIPE, encoding="utf-8")
    return folder / "own.keras", folder / "rows.npz"


@pytest.mark.parametrize("kind", ["classes", "yes or no", "numbers"])
def test_a_model_is_pruned_taught_quantised_exported_and_measured(kind, tmp_path, capsys):
    model, rows = written(kind, tmp_path)
    out = tmp_path / "out"
    asked = ["compress", str(model), "--data", str(rows), "--recipe", str(tmp_path / "half.yaml"), "--out", str(out), "--json"]
    assert main(asked) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert (report["data"]["train"], report["data"]["test"]) == (320, 80)
    variants = {each["name"]: each for each in report["variants"]}
    assert list(variants) == ["float32", "dynamic_int8", "half_float32", "half_dynamic_int8"]
    whole, small = variants["float32"], variants["half_dynamic_int8"]
    if kind == "numbers":
        variance = float(np.var(rows_of(kind)[1]))
        assert whole["metrics"]["mse"] < 0.2 * variance
        assert small["metrics"]["mse"] < 0.3 * variance
    else:
        assert whole["metrics"]["accuracy"] > 0.9
        assert small["metrics"]["accuracy"] > 0.9
        assert report["cost"]["flips"]["lost"] <= 8
    plain = tf.keras.models.load_model(model, compile=False)
    left = tf.keras.models.load_model(out / "model.keras", compile=False)
    kernels = [layer.kernel.numpy() for layer in left.layers if isinstance(layer, tf.keras.layers.Dense)]
    assert [(kernel == 0).mean() for kernel in kernels] == pytest.approx([0.6, 0.6, 0.0], abs=0.01)  # the output's kernel is left alone
    assert all((each.kernel.numpy() != 0).any() for each in plain.layers if isinstance(each, tf.keras.layers.Dense))
    for name, variant in variants.items():
        file = out / variant["file"]
        assert file.stat().st_size == variant["bytes"], name
        assert variant["sparsity"] == examine(file).sparsity("FULLY_CONNECTED")
        assert variant["latency_ms"]["threads_1"]["p50"] > 0
    assert small["bytes"] < 0.6 * whole["bytes"]
    assert [stage["kind"] for stage in report["compression"][0]["stages"]] == ["prune", "prune", "quantisation_aware"]
    with np.load(rows) as stored:
        arrays = dict(stored)
    if "left" in arrays:  # as the file names its inputs
        arrays = {"input_0": arrays["left"], "input_1": arrays["right"], "y": arrays["y"]}
    np.savez(tmp_path / "again.npz", **arrays)
    asked = ["benchmark", str(out / small["file"]), "--threads", "1", "--repeats", "1", "--data", str(tmp_path / "again.npz"), "--json"]
    assert main(asked) == 0
    quality = json.loads(capsys.readouterr().out)["quality"]
    assert quality["rows"] == ROWS
    if kind == "numbers":
        assert quality["mse"] < 0.3 * variance
    else:
        assert quality["accuracy"] > 0.9
        assert 0.9 < quality["accuracy_interval"][0] < quality["accuracy"]
    shown = (out / "report.html").read_text(encoding="utf-8")
    assert "half_dynamic_int8" in shown


@pytest.mark.parametrize("criterion", ["magnitude", "information"])
def test_a_slimmed_model_has_fewer_units_and_a_smaller_file_and_still_knows(criterion, tmp_path, capsys):
    model, rows = written("yes or no", tmp_path)
    stage = f"{{kind: slim, neurons: 0.25, least_neurons: 8, multiple: 4, criterion: {criterion}, learning_rate: 0.003, epochs: 3}}"
    (tmp_path / "thin.yaml").write_text(f"version: 1\nstages:\n  - {stage}\n  - {{kind: quantisation_aware}}\n", encoding="utf-8")
    out = tmp_path / "out"
    asked = ["compress", str(model), "--data", str(rows), "--recipe", str(tmp_path / "thin.yaml"), "--out", str(out), "--json"]
    assert main(asked) == 0
    report = json.loads(capsys.readouterr().out)
    units = report["compression"][0]["stages"][0]["units"]
    assert len(units) == 2
    assert 32 <= sum(units.values()) <= 32 + 2 * 4
    assert all(count % 4 == 0 for count in units.values())
    left = tf.keras.models.load_model(out / "model.keras", compile=False)
    assert {layer.name: layer.units for layer in left.layers if layer.name in units} == units
    variants = {each["name"]: each for each in report["variants"]}
    assert variants["thin_float32"]["bytes"] < 0.6 * variants["float32"]["bytes"]
    assert variants["thin_dynamic_int8"]["metrics"]["accuracy"] > 0.9
    told = next(iter(units.items()))
    assert f"{told[1]} units of {told[0]}" in (out / "report.html").read_text(encoding="utf-8")


def test_the_shipped_recipes_and_rows_of_ones_own_to_test_on(tmp_path, capsys):
    model, rows = written("classes", tmp_path)
    asked = ["compress", str(model), "--data", str(rows), "--test", str(rows), "--recipe", "qat", "--out", str(tmp_path / "out")]
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert "* qat_dynamic_int8" in shown
    assert json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))["data"]["test"] == ROWS


def test_a_promise_that_is_broken_ends_with_1(tmp_path, capsys):
    model, rows = written("classes", tmp_path)
    (tmp_path / "mine.yaml").write_text("version: 1\nstages: [{kind: prune}]\nbounds: {megabytes: 0.0001, flips: 0.5}\n", encoding="utf-8")
    asked = ["compress", str(model), "--data", str(rows), "--recipe", str(tmp_path / "mine.yaml"), "--out", str(tmp_path / "out")]
    assert main(asked) == 1
    assert "gate.megabytes: 0.0" in capsys.readouterr().err
    gate = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))["gate"]
    assert {row["bound"]: row["holds"] for row in gate} == {"megabytes": False, "flips": True}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    model_of("classes").save(folder / "own.keras")
    inputs, targets = rows_of("classes")
    np.savez(folder / "rows.npz", x=inputs, y=targets)
    return folder


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((4, WIDTH))}, "lacks y; it holds x"),
        ({"y": np.zeros(4)}, "lacks dense_"),
        ({"x": np.zeros((4, 3)), "y": np.zeros(4, int)}, r"is \(4, 3\), expected \(None, 12\)"),
        ({"x": np.zeros((4, WIDTH)), "y": np.zeros(3, int)}, "rows differ"),
        ({"x": np.zeros((0, WIDTH)), "y": np.zeros(0, int)}, "rows differ"),
        ({"x": np.zeros((4, WIDTH)), "y": np.array([0, 1, 2, 3])}, "y goes from 0 to 3; the model tells 3 classes apart"),
        ({"x": np.zeros((4, WIDTH)), "y": np.array(["a"] * 4)}, "does not fit the model's output"),
        ({"x": np.zeros((4, WIDTH)), "y": np.zeros(4)}, "does not fit the model's output"),
    ],
)
def test_rows_that_do_not_fit_are_told(own, tmp_path, arrays, message, capsys):
    np.savez(tmp_path / "bad.npz", **arrays)
    assert (
        main(["compress", str(own / "own.keras"), "--data", str(tmp_path / "bad.npz"), "--recipe", "qat", "--out", str(tmp_path / "o")])
        == 2
    )
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("{kind: student}", "stages.0.kind: that is for tfarch's own encoder"),
        ("{kind: slim, vocabulary: 100}", "stages.0.vocabulary: that is for tfarch's own encoder"),
        ("{kind: slim, heads: 0.5}", "stages.0.heads: that is for tfarch's own encoder"),
        ("{kind: prune, hidden_states: 1.0}", "stages.0.hidden_states: that is for tfarch's own encoder"),
        ("{kind: prune, layers: [encoder_*]}", r"no layer matches encoder_\*"),
    ],
)
def test_what_such_a_model_does_not_have_is_told_before_any_training(own, tmp_path, stage, message, capsys):
    (tmp_path / "mine.yaml").write_text(f"version: 1\nstages:\n  - {stage}\n", encoding="utf-8")
    asked = ["compress", str(own / "own.keras"), "--data", str(own / "rows.npz"), "--recipe", str(tmp_path / "mine.yaml")]
    assert main([*asked, "--out", str(tmp_path / "o")]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "o").exists()


def test_what_is_no_model_is_told(own, tmp_path, capsys):
    (tmp_path / "text.keras").write_text("no model", encoding="utf-8")
    inner = tf.keras.Sequential([tf.keras.layers.Dense(4, input_shape=(WIDTH,))], name="inner")
    tf.keras.Sequential([inner, tf.keras.layers.Dense(CLASSES)]).save(tmp_path / "nested.keras")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "bundle.json").write_text("{}", encoding="utf-8")
    for place, message in (
        ("none.keras", "none.keras: no such model"),
        ("text.keras", "text.keras: cannot be read by tf_keras"),
        ("nested.keras", "nested.keras: holds another model as its layer inner"),
        ("bundle", "bundle: is what ships: a recipe needs the weights"),
    ):
        asked = ["compress", str(tmp_path / place), "--data", str(own / "rows.npz"), "--recipe", "qat", "--out", str(tmp_path / "o")]
        assert main(asked) == 2
        assert message in capsys.readouterr().err
    assert main(["compress", str(own / "own.keras"), "--recipe", "qat", "--out", str(tmp_path / "o")]) == 2
    assert "--data is missing" in capsys.readouterr().err


def test_rows_that_do_not_fit_a_file_are_told(own, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["compress", str(own / "own.keras"), "--data", str(own / "rows.npz"), "--recipe", "qat", "--out", str(out)]) == 0
    np.savez(tmp_path / "none.npz", x=np.zeros((4, WIDTH), np.float32))
    np.savez(tmp_path / "other.npz", z=np.zeros((4, WIDTH), np.float32), y=np.zeros(4, np.int64))
    np.savez(tmp_path / "few.npz", x=np.zeros((3, WIDTH), np.float32), y=np.zeros(4, np.int64))
    np.savez(tmp_path / "wide.npz", x=np.zeros((4, WIDTH + 1), np.float32), y=np.zeros(4, np.int64))
    (tmp_path / "texts.csv").write_text("text,label\na,b\n", encoding="utf-8")
    for name, message in (
        ("none.npz", "none.npz: lacks y; it holds x"),
        ("other.npz", "other.npz: lacks input_0; it holds z"),
        ("few.npz", "few.npz: input_0 is (3, 12) for 4 rows of y"),
        ("wide.npz", "qat_dynamic_int8.tflite: LiteRT cannot run this file on these rows"),
        ("texts.csv", "qat_dynamic_int8.tflite: stands beside no bundle.json"),
        ("nowhere.npz", "nowhere.npz: cannot be read as .npz"),
    ):
        asked = ["benchmark", str(out / "variants" / "qat_dynamic_int8.tflite"), "--repeats", "1", "--data", str(tmp_path / name)]
        assert main(asked) == 2
        assert message in capsys.readouterr().err, name
