"""`tfds:NAME` through tensorflow-datasets' own mock: builder, features, splits and decoding are real, only the files are not there."""

import json
import sys

import pytest

from tfarch.config import Config, DataConfig
from tfarch.data import load_dataset
from tfarch.data.tasks import load_tasks
from tfarch.errors import InputError

tfds = pytest.importorskip("tensorflow_datasets")


@pytest.fixture
def splits(tmp_path):
    """Writes the metadata that a prepared builder leaves, so that it knows its splits."""

    def write(name, version, *names):
        folder = tmp_path / name / version
        folder.mkdir(parents=True)
        described = [
            {"name": each, "shardLengths": ["1"], "numBytes": "1", "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}"} for each in names
        ]
        info = {"name": name.split("/")[0], "version": version, "fileFormat": "tfrecord", "splits": described}
        (folder / "dataset_info.json").write_text(json.dumps(info))
        return tmp_path

    return write


def examples(**splits):
    """An `as_dataset` that yields the given (text, label) rows by split."""
    import tensorflow as tf

    def as_dataset(self, split, decoders=None, read_config=None, **kwargs):
        texts, labels = zip(*splits[split], strict=True)
        name = "text" if "text" in self.info.features else "sentence"
        return tf.data.Dataset.from_tensor_slices({name: list(texts), "label": tf.constant(labels, tf.int64)})

    return as_dataset


def test_a_builder_s_random_examples_are_read_and_split():
    with tfds.testing.mock_data(num_examples=80):
        dataset = load_dataset("tfds:imdb_reviews", DataConfig(), seed=0)
    assert dataset.name == "imdb_reviews/plain_text/1.0.0"
    assert sum(map(len, dataset.parts.values())) == 80
    assert dataset.labels == ("neg", "pos")
    assert list(dataset.sha256) == ["imdb_reviews/plain_text/1.0.0/train"]
    assert dataset.split.startswith("Test (20 %) and validation (10 % of the rest) split off imdb_reviews/plain_text/1.0.0/train")


def test_splits_are_mapped_and_classes_go_by_name(splits):
    metadata = splits("imdb_reviews/plain_text", "1.0.0", "train", "validation", "test", "unsupervised")
    rows = examples(
        train=[(b"good", 1), (b"bad", 0), (b"caf\xe9", 1), (b"", 0), ("na\u00efve".encode(), 0)],
        validation=[(b"fine", 1)],
        test=[(b"awful", 0), (b"best", 1)],
    )
    with tfds.testing.mock_data(as_dataset_fn=rows, data_dir=str(metadata)):
        dataset = load_dataset("tfds:imdb_reviews:plain_text", DataConfig(), seed=0)
    assert (dataset.train.texts, dataset.train.labels) == (("good", "bad", "na\u00efve"), ("pos", "neg", "neg"))
    assert dataset.train.lines == (1, 2, 5)
    assert dataset.valid.texts == ("fine",)
    assert (dataset.test.texts, dataset.test.file) == (("awful", "best"), "imdb_reviews/plain_text/1.0.0/test")
    assert [(row.line, row.reason) for row in dataset.bad_rows] == [(3, "not UTF-8 (byte 0xe9)"), (4, "empty text")]
    assert dataset.provenance["files"] == {"train": "train", "valid": "validation", "test": "test"}


def test_a_split_without_labels_is_split_off_instead(splits):
    metadata = splits("glue/sst2", "2.0.0", "train", "validation", "test")
    train = [(f"text {number}".encode(), number % 2) for number in range(40)]
    rows = examples(train=[*train, (b"unlabelled", -1)], validation=[(b"fine", 1)], test=[(b"hidden", -1), (b"hidden too", -1)])
    with tfds.testing.mock_data(as_dataset_fn=rows, data_dir=str(metadata)):
        dataset = load_dataset("tfds:glue:sst2", DataConfig(text_column="sentence"), seed=0)
    assert (len(dataset.train), len(dataset.valid), len(dataset.test)) == (32, 1, 8)
    assert [row.reason for row in dataset.bad_rows] == ["no label"]
    assert dataset.labels == ("negative", "positive")


def test_two_text_features_ask_for_a_name():
    with tfds.testing.mock_data(num_examples=60):
        with pytest.raises(InputError, match=r"no feature 'text'; its features: .*'title'.*--text-column"):
            load_dataset("tfds:ag_news_subset", DataConfig(), seed=0)
        assert load_dataset("tfds:ag_news_subset", DataConfig(text_column="description"), seed=0).labels == (
            "Business",
            "Sci/Tech",
            "Sports",
            "World",
        )
        with pytest.raises(InputError, match="feature 'label' is no text"):
            load_dataset("tfds:ag_news_subset", DataConfig(text_column="label"), seed=0)


def test_each_of_several_tasks_asks_for_a_feature_of_its_own():
    settings = {"path": "tfds:imdb_reviews", "tasks": ["label", "topic"]}
    with tfds.testing.mock_data(num_examples=60):
        with pytest.raises(InputError, match=r"tfds:imdb_reviews: task 'topic': no feature 'topic'; its features: .*--topic-column NAME"):
            load_tasks(Config().with_values({"data": settings}).data, 0)
        own = {"task_data": {"mood": "tfds:imdb_reviews"}}
        assert load_tasks(Config().with_values({"data": own}).data, 0)["mood"].labels == ("neg", "pos")
        with pytest.raises(InputError, match="task 'mood': no feature 'tone'"):
            load_tasks(Config().with_values({"data": {**own, "task_columns": {"mood": "tone"}}}).data, 0)


def test_an_unknown_name_or_configuration_is_refused():
    with pytest.raises(InputError, match=r"tfds:imdb_revews: no such TensorFlow dataset: .*did you mean imdb_reviews"):
        load_dataset("tfds:imdb_revews", DataConfig(), seed=0)
    with pytest.raises(InputError, match=r"no such TensorFlow dataset: .*BuilderConfig nope not found"):
        load_dataset("tfds:glue:nope", DataConfig(), seed=0)


def test_data_that_cannot_be_downloaded_is_refused_and_standard_output_stays_empty(monkeypatch, capsys):
    def no_network(self, *args, **kwargs):
        print("Downloading and preparing ...")
        raise ConnectionError("Failed to resolve 'example.org'\nand much more")

    with tfds.testing.mock_data():
        monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", no_network)
        with pytest.raises(
            InputError, match=r"tfds:imdb_reviews: cannot be downloaded or prepared: Failed to resolve 'example.org' \(it needs"
        ):
            load_dataset("tfds:imdb_reviews", DataConfig(), seed=0)
    assert capsys.readouterr().out == ""


def test_a_package_that_the_preparation_lacks_is_named(monkeypatch):
    def no_beam(self, *args, **kwargs):
        raise ModuleNotFoundError("No module named 'apache_beam'", name="apache_beam")

    with tfds.testing.mock_data():
        monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", no_beam)
        with pytest.raises(InputError, match="pip install apache_beam"):
            load_dataset("tfds:imdb_reviews", DataConfig(), seed=0)


def test_tensorflow_datasets_itself_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match="pip install tensorflow-datasets"):
        load_dataset("tfds:imdb_reviews", DataConfig(), seed=0)
