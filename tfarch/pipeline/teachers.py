"""A teacher that is not the model being made smaller: the bundle of another run, whatever its encoder and its size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tfarch.data.class_names import spoken
from tfarch.data.tokens import Tokens, tokenise
from tfarch.errors import InputError
from tfarch.pipeline.prepare import Tasks
from tfarch.progress import say
from tfarch.quiet import quiet
from tfarch.runtime import load
from tfarch.runtime.bundle import read_bundle
from tfarch.runtime.classifier import Classifier
from tfarch.runtime.multitask import MultitaskClassifier
from tfarch.runtime.tokeniser import Tokeniser

_LEAST = 1e-9  # a probability whose logarithm is still taken


def load_teacher(place: str | Path, tasks: Tasks) -> Mapping[str, Classifier]:
    """The classifier of each task from a bundle, or from the folder of a run that has one.

    Raises:
        InputError: there is none, or it tells other classes apart.
    """
    with quiet():
        model = load(_bundle_of(place))
    if not isinstance(model, (Classifier, MultitaskClassifier)):
        raise InputError("is no classifier: it cannot teach one", file=place)
    teachers = MultitaskClassifier.of(model)
    for task, prepared in tasks.items():
        if task not in teachers:
            raise InputError(f"knows no task {task!r}; its tasks: {', '.join(map(repr, teachers))}", file=place)
        missing, more = set(prepared.labels) - set(teachers[task].labels), set(teachers[task].labels) - set(prepared.labels)
        if missing or more:
            told = [f"{name} {', '.join(sorted(each)[:5])}" for name, each in (("it lacks", missing), ("it has besides", more)) if each]
            raise InputError(f"tells other classes apart: {'; '.join(told)}", file=place)
    return teachers


def teacher_facts(place: str | Path) -> dict[str, str]:
    """For the report: which folder it came from, and the SHA-256 of its file."""
    bundle = read_bundle(_bundle_of(place), verify=False).description
    return {"source": Path(place).name, "sha256": bundle["files"][bundle["model"]["file"]]}


def _bundle_of(place: str | Path) -> Path:
    beside = Path(place) / "bundle"
    return beside if beside.is_dir() else Path(place)


def taught_by(teachers: Mapping[str, Classifier], tasks: Tasks, texts: Sequence[str]) -> np.ndarray:
    """What teachers say of texts: logarithms of their probabilities in the order of the tasks' labels, and their text vectors, `[n, sum of classes + width]`."""
    say(f"asking the teacher about {len(texts):,} texts")
    columns, vectors = [], None
    for task, prepared in tasks.items():
        probabilities, vectors = teachers[task].answers(texts)
        order = [teachers[task].labels.index(label) for label in prepared.labels]
        columns.append(np.log(np.maximum(probabilities[:, order], _LEAST)))
    return np.concatenate([*columns, vectors], axis=1).astype(np.float32)


def require_like_vectors(own: int, teachers: int) -> None:
    """Text vectors of one width can be compared.

    Raises:
        InputError: these are of two.
    """
    if own != teachers:
        raise InputError(f"text_vectors: the teacher's have {teachers} numbers, this model's {own}")


def texts_of(tokens: Tokens, tasks: Tasks, tokeniser: Tokeniser, max_length: int, more: Sequence[str] = ()) -> list[str]:
    """The texts that these ids were made of: training rows, class names, or one of `more`.

    Raises:
        KeyError: a text is none of these.
    """
    known: dict[bytes, str] = {}
    for prepared in tasks.values():
        known |= zip(_rows(prepared.train.tokens), prepared.train.texts, strict=True)
        names = [spoken(label) for label in prepared.labels]
        known |= zip(_rows(tokenise(names, tokeniser, max_length)), names, strict=True)
    known |= zip(_rows(tokenise(more, tokeniser, max_length)), more, strict=True)
    return [known[row] for row in _rows(tokens)]


def _rows(tokens: Tokens) -> list[bytes]:
    return [tokens.ids[begin:end].tobytes() for begin, end in zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True)]
