"""Rows of a TensorFlow Datasets builder (`tfds:NAME[:CONFIG]`), downloaded and prepared where it is not yet.

TensorFlow and tensorflow-datasets are imported by this module alone, when such a name is asked for.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import logging
import sys
from collections.abc import Callable, Iterable
from typing import Any

from tfarch.config import DataConfig
from tfarch.data.reading import EmptyColumnError, MissingColumnError, Reading, RowCollector
from tfarch.data.sources import PART_NAMES, Source, provenance
from tfarch.errors import InputError

_LOG = logging.getLogger(__name__)


def read_tfds(place: str, data: DataConfig) -> Source:
    """Reads the train, validation and test splits of a builder.

    The text is the feature `data.text_column`, else the builder's only text feature; the label is `data.label_column`, else its only class
    label; that of one of several tasks, or one that `data.task_columns` names, is taken at its word. Classes go by their names. A split in which no
    row has a label (the test splits of some benchmarks) counts as absent.

    Args:
        place: `tfds:NAME` or `tfds:NAME:CONFIG`.
        data: columns and strictness.

    Raises:
        InputError: tensorflow-datasets is not there, the name is unknown, the data cannot be downloaded or prepared, a feature is missing
            or of another kind, or there is no labelled training split.
    """
    tfds = library(place)
    builder = builder_of(tfds, place)
    features = builder.info.features
    text_name = _feature_name(features, data.text_column, tfds.features.Text, "text", place)
    fallback = None if len(data.tasks) > 1 or data.task_columns else tfds.features.ClassLabel
    label_name = _feature_name(features, data.label_column, fallback, "label", place)
    if not isinstance(features[text_name], tfds.features.Text):
        raise InputError(f"feature {text_name!r} is no text", file=place, mend="name the right one with --text-column")
    label_of = _label_reader(features[label_name], isinstance(features[label_name], tfds.features.ClassLabel), label_name, place)
    prepare(builder, place)
    splits = list(builder.info.splits) or ["train"]  # without metadata (a mocked builder) it does not say which it has
    readings: dict[str, Reading] = {}
    files: dict[str, str] = {}
    for part, names in PART_NAMES.items():
        for split in (each for each in splits if each in names):
            examples = tfds.as_numpy(builder.as_dataset(split=split))
            rows = [(example[text_name].decode("utf-8", "surrogateescape"), label_of(example[label_name])) for example in examples]
            if any(label is not None for _, label in rows):
                readings[part] = _collect(rows, RowCollector(f"{place}/{split}", f"{builder.info.full_name}/{split}", data.strict))
                files[part] = split
    if "train" not in readings:
        raise EmptyColumnError(f"no labelled training split; its splits: {', '.join(splits)}", file=place, mend="take another dataset")
    hashes = {reading.table.file: reading.sha256 for reading in readings.values()}
    origin = provenance("tfds", builder.info.full_name, files, builder.info.redistribution_info.license)
    return Source(builder.info.full_name, place, readings, hashes, origin)


def library(place: str) -> Any:
    """tensorflow-datasets.

    Raises:
        InputError: it is not there.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise InputError(f"tensorflow-datasets cannot be imported: {error}", file=place, mend="pip install tensorflow-datasets") from error
    return tfds


def builder_of(tfds: Any, place: str) -> Any:
    """The builder that `tfds:NAME[:CONFIG]` names.

    Raises:
        InputError: there is none of this name; tells near ones.
    """
    name, _, config = place.removeprefix("tfds:").partition(":")
    try:
        return tfds.builder(f"{name}/{config}" if config else name)
    except Exception as error:  # a builder is other people's code: it raises what it likes, from ValueError to its network library's own
        alike = difflib.get_close_matches(name, tfds.list_builders(with_community_datasets=False), n=3)
        mend = f"did you mean {' or '.join(alike)}?" if alike and name not in alike else "the names are at tensorflow.org/datasets/catalog"
        raise InputError(f"no such TensorFlow dataset: {_first_line(error)}", file=place, mend=mend) from error


def prepare(builder: Any, place: str) -> None:
    """Downloads and prepares the data unless it is there; what tfds prints goes to standard error, where progress belongs.

    Raises:
        InputError: that cannot be done; says what is missing.
    """
    _LOG.info("preparing %s in %s (without a network tfds tries for some minutes)", place, builder.data_dir)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            builder.download_and_prepare()
    except Exception as error:  # see builder_of: network, checksum, disk, missing package, manual download
        missing = isinstance(error, ImportError) and error.name
        mend = f"pip install {error.name}" if missing else "it needs a network once; or give a folder or file of your own"
        raise InputError(f"cannot be downloaded or prepared: {_first_line(error)}", file=place, mend=mend) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _feature_name(features: Any, wanted: str, kind: type | None, option: str, place: str) -> str:
    """The feature called `wanted`, else the only one of `kind`, where one is given."""
    if wanted in features:
        return wanted
    fitting = [] if kind is None else [name for name, feature in features.items() if isinstance(feature, kind)]
    if len(fitting) == 1:
        return fitting[0]
    raise MissingColumnError(f"no feature {wanted!r}; its features: {', '.join(map(repr, features))}", option, file=place)


def _label_reader(feature: Any, is_class: bool, name: str, place: str) -> Callable[[Any], str | None]:
    """A function from a label as tfds gives it to its name; None stands for no label (a class number outside the classes, usually -1)."""
    if is_class:
        return lambda value: feature.int2str(int(value)) if 0 <= int(value) < feature.num_classes else None
    if feature.shape != ():
        raise InputError(f"feature {name!r} is not a single value", file=place, mend="name the right one with --label-column")
    return lambda value: value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _collect(rows: Iterable[tuple[str, str | None]], collector: RowCollector) -> Reading:
    """The rows as a reading; lines are example numbers from 1, the hash is that of all rows as JSON."""
    digest = hashlib.sha256()
    for number, (text, label) in enumerate(rows, start=1):
        digest.update(json.dumps([text, label]).encode() + b"\n")
        if label is None:
            collector.skip(number, "no label")
        else:
            collector.add(number, text, label)
    return collector.finish(digest.hexdigest())
