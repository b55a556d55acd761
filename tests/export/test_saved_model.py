import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tfarch  # noqa: F401  before TensorFlow: it settles on tf_keras
from tests.nasty_texts import NASTY
from tfarch.errors import BundleError, TfarchError
from tfarch.export.saved_model import SavedModelClassifier, write_saved_model
from tfarch.runtime.tokeniser import Tokeniser

import tensorflow as tf  # isort: skip

LABELS = ("card_lost", "größe", "[oos]")
MAX_LENGTH = 12
TEXTS = ("Where is my card?", "my card is lost", "", "größe XL, bitte", "card " * 40, "[SEP] lost [MASK]")


@pytest.fixture(scope="module")
def tokeniser() -> Tokeniser:
    return Tokeniser.train([*TEXTS, *NASTY], 400)


@pytest.fixture(scope="module")
def model(tokeniser) -> tf.keras.Model:
    """Every input matters to the answer, and their order is not the tokeniser's; trained a step, so that it has an optimizer."""
    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(0)
    inputs = {name: tf.keras.Input([None], dtype="int32", name=name) for name in ("segment_ids", "ids", "mask")}
    embedded = layers.Embedding(len(tokeniser), 8, embeddings_initializer="normal")(inputs["ids"])
    embedded = layers.Add()([embedded, layers.Embedding(2, 8)(inputs["segment_ids"])])
    hidden = layers.LSTM(6)(embedded, mask=tf.cast(inputs["mask"], tf.bool))
    model = tf.keras.Model(inputs, {"probabilities": layers.Dense(len(LABELS), activation="softmax", kernel_initializer="normal")(hidden)})
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(model_inputs(tokeniser, TEXTS), {"probabilities": np.arange(len(TEXTS)) % len(LABELS)}, epochs=1, verbose=0)
    return model


@pytest.fixture(scope="module")
def directory(tokeniser, model, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("bundle") / "saved_model" / "1"
    directory.parent.mkdir()
    write_saved_model(directory, model, tokeniser, {"": LABELS}, MAX_LENGTH)
    return directory


@pytest.fixture(scope="module")
def classifier(directory) -> SavedModelClassifier:
    return SavedModelClassifier(directory)


def model_inputs(tokeniser: Tokeniser, texts) -> dict[str, np.ndarray]:
    encoded = tokeniser.encode(texts, MAX_LENGTH)
    ids = np.zeros([len(texts), MAX_LENGTH], np.int32)
    for row, each in zip(ids, encoded, strict=True):
        row[: len(each)] = each
    mask = np.array([[place < len(each) for place in range(MAX_LENGTH)] for each in encoded], np.int32)
    return {"ids": ids, "mask": mask, "segment_ids": np.zeros_like(ids)}


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_strings_give_the_probabilities_of_the_model_in_their_order(classifier, tokeniser, model, batch_size):
    texts = [*TEXTS, *NASTY, "ca\ud800rd"]
    expected = model.predict(model_inputs(tokeniser, texts), verbose=0)["probabilities"]
    assert np.ptp(expected[:, 0]) > 1e-3  # texts differ, so an order that is not kept would show
    given = classifier.probabilities(texts, batch_size)
    assert given.dtype == np.float32
    np.testing.assert_allclose(given, expected, atol=1e-6)


def test_no_texts_give_no_probabilities(classifier):
    assert classifier.probabilities([]).shape == (0, len(LABELS))


@pytest.mark.parametrize("batch", [0, 1, 3])
def test_the_signature_gives_labels_probabilities_and_classes_of_every_row(directory, batch):
    serve = tf.saved_model.load(str(directory)).signatures["serving_default"]
    assert serve.structured_input_signature[1] == {"texts": tf.TensorSpec([None], tf.string, name="texts")}
    outputs = serve(texts=tf.constant(TEXTS[:batch], tf.string))
    assert {name: (output.dtype, tuple(output.shape)) for name, output in outputs.items()} == {
        "labels": (tf.string, (batch,)),
        "probabilities": (tf.float32, (batch, len(LABELS))),
        "classes": (tf.string, (batch, len(LABELS))),
    }
    names = [label.encode() for label in LABELS]
    assert outputs["classes"].numpy().tolist() == [names] * batch
    assert outputs["labels"].numpy().tolist() == [names[best] for best in outputs["probabilities"].numpy().argmax(1)]


def test_a_fresh_process_needs_only_tensorflow_and_its_text_operations(directory):
    program = (
        "import sys, tensorflow as tf, tensorflow_text;"
        "serve = tf.saved_model.load(sys.argv[1]).signatures['serving_default'];"
        "print(serve(texts=tf.constant(['my card is lost']))['classes'].numpy().tolist(), 'tfarch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(directory)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{[[label.encode() for label in LABELS]]} False"


def test_only_the_weights_are_saved_and_no_training_state(directory, model):
    saved = [name for name, _ in tf.train.list_variables(str(directory / "variables" / "variables")) if "CHECKPOINTABLE" not in name]
    assert len(saved) == len(model.weights)
    assert sorted(each.relative_to(directory).as_posix() for each in directory.rglob("*") if each.is_file()) == [
        "fingerprint.pb",
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    ]


def test_writing_again_replaces_what_was_there_and_leaves_nothing_beside(tokeniser, model, tmp_path):
    directory = tmp_path / "1"
    directory.mkdir()
    (directory / "stale").touch()
    write_saved_model(directory, model, tokeniser, {"": LABELS}, MAX_LENGTH)
    assert [each.name for each in tmp_path.iterdir()] == ["1"]
    assert not (directory / "stale").exists()


def test_what_was_there_stays_when_the_writing_fails(tokeniser, model, tmp_path, monkeypatch):
    directory = tmp_path / "1"
    directory.mkdir()
    (directory / "saved_model.pb").write_bytes(b"the old one")

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full_disk)
    with pytest.raises(TfarchError, match=r"could not be written: .*No space left"):
        write_saved_model(directory, model, tokeniser, {"": LABELS}, MAX_LENGTH)
    assert (directory / "saved_model.pb").read_bytes() == b"the old one"
    assert [each.name for each in tmp_path.iterdir()] == ["1"]


def test_labels_that_do_not_fit_the_model_are_refused(tokeniser, model, tmp_path):
    with pytest.raises(ValueError, match="2 labels for an output of 3 classes"):
        write_saved_model(tmp_path / "1", model, tokeniser, {"": LABELS[:2]}, MAX_LENGTH)


@pytest.mark.parametrize("damage", ["missing", "cut graph", "cut weights", "other signature"])
def test_a_damaged_folder_is_a_bundle_error_that_names_it(directory, tmp_path, damage):
    copy = tmp_path / "copy"
    if damage == "other signature":
        tf.saved_model.save(tf.Module(), str(copy))
    elif damage != "missing":
        for file in directory.rglob("*"):
            if file.is_file():
                (copy / file.relative_to(directory)).parent.mkdir(parents=True, exist_ok=True)
                (copy / file.relative_to(directory)).write_bytes(file.read_bytes())
        cut = copy / ("saved_model.pb" if damage == "cut graph" else "variables/variables.data-00000-of-00001")
        cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    with pytest.raises(BundleError, match=str(copy)):
        SavedModelClassifier(copy)
