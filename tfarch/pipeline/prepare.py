"""The first part of the main job: a table becomes checked, split, tokenised examples, and the structure that is trained on them is settled."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfarch.config import Config
from tfarch.data import Dataset, Finding, check
from tfarch.data.tasks import load_tasks
from tfarch.data.tokens import Tokens, tokenise
from tfarch.errors import InputError
from tfarch.models import Start, start_from
from tfarch.progress import say
from tfarch.runtime.tokeniser import Tokeniser

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Part:
    """One of train, valid, test: n texts, their tokens, and class numbers int32 `[n]` (-1: out of scope)."""

    texts: tuple[str, ...]
    tokens: Tokens
    targets: np.ndarray

    def where(self, chosen: np.ndarray) -> Part:
        """The rows where the boolean array `chosen` `[n]` holds."""
        return self.select(np.flatnonzero(chosen))

    def select(self, rows: np.ndarray) -> Part:
        """The rows with these numbers, in their order."""
        return Part(tuple(self.texts[row] for row in rows), self.tokens.select(rows), self.targets[rows])

    def read_by(self, tokeniser: Tokeniser, max_length: int, cache: Path | None = None) -> Part:
        """The same rows with this tokeniser's ids."""
        return dataclasses.replace(self, tokens=tokenise(self.texts, tokeniser, max_length + 1, cache).cut(max_length))

    @property
    def in_scope(self) -> Part:
        """The rows that have a class."""
        return self.where(self.targets >= 0)

    @property
    def out_of_scope(self) -> Part:
        """The rows that have none."""
        return self.where(self.targets < 0)


@dataclass(frozen=True)
class Prepared:
    """Everything that training and evaluation need to know of the data."""

    dataset: Dataset
    findings: list[Finding]
    labels: tuple[str, ...]
    start: Start
    train: Part  # in scope only
    valid: Part
    test: Part
    over_long_test: int  # of its rows, those that are cut

    def read_by(self, tokeniser: Tokeniser, max_length: int, cache: Path | None = None) -> Prepared:
        """The same data with this tokeniser's ids."""
        parts = {name: getattr(self, name).read_by(tokeniser, max_length, cache) for name in PARTS}
        return dataclasses.replace(self, start=dataclasses.replace(self.start, tokeniser=tokeniser), **parts)

    def facts(self) -> dict:
        """The report's section `data`."""
        return {
            "name": self.dataset.name,
            "train": len(self.train.texts),
            "valid": len(self.valid.texts),
            "test": len(self.test.texts),
            "over_long_test": self.over_long_test,
            "classes": len(self.labels),
            "out_of_scope_test": int((self.test.targets < 0).sum()),
            "split": self.dataset.split,
            "sha256": self.dataset.sha256,
            "findings": [finding.as_dict() for finding in self.findings],
        }


Tasks = Mapping[str, Prepared]  # what each task of a model is trained and measured on, over one structure


def some_rows(count: int, most: int, seed: int) -> np.ndarray:
    """Numbers of at most `most` of `count` rows, drawn by the seed, rising."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def spread_rows(targets: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Numbers of at most `most` rows of each class, drawn by the seed, rising."""
    rows = np.random.default_rng(seed).permutation(len(targets))
    chosen = [rows[targets[rows] == number][:most] for number in np.unique(targets)]
    return np.sort(np.concatenate(chosen))


def prepare(
    config: Config, cache: Path | None = None, *, start: Start | None = None, labels: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, Prepared]:
    """Loads, checks and tokenises the data that `config` names, of each task (see `load_tasks`); says on standard error what the check warns of.

    Args:
        cache: folder for token ids.
        start: the structure and tokeniser where a model exists already; else they are settled here.
        labels: the classes of that model, of each of its tasks.

    Raises:
        InputError: see `load_tasks`; or the data holds a label that the model lacks, or a part without a row in scope.
    """
    datasets = load_tasks(config.data, config.seed, config.train.task_weights)
    if labels is not None and set(labels) != set(datasets):
        told = [", ".join(each) or "one task without a name" for each in (datasets, labels)]
        raise InputError(f"the data are of {told[0]}, the model is of {told[1]}", mend="give data for every task of the model")
    texts = [text for dataset in datasets.values() for text in dataset.train.texts]
    start = start or start_from(config.model, texts, shorten_addresses=config.data.addresses == "shorten")
    if hasattr(start.spec, "positions") and config.data.max_length > start.spec.positions:
        raise InputError(f"data.max_length={config.data.max_length}: the encoder has {start.spec.positions} positions")
    return {
        task: _prepared(task, dataset, config, cache, start, dataset.labels if labels is None else labels[task])
        for task, dataset in datasets.items()
    }


def _prepared(task: str, dataset: Dataset, config: Config, cache: Path | None, start: Start, labels: tuple[str, ...]) -> Prepared:
    data, place = config.data, config.data.task_data.get(task, config.data.path)
    numbers = {label: number for number, label in enumerate(labels)}
    if not data.oos_is_class:
        numbers[data.oos_label] = -1
    parts, lengths = {}, {}
    for name in PARTS:
        table = getattr(dataset, name)
        unknown = sorted(set(table.labels) - set(numbers))
        if unknown:
            raise InputError(f"the {name} rows have the label {unknown[0]!r}, which the model does not know", file=place)
        if not any(numbers[label] >= 0 for label in table.labels):
            mend = "give it rows whose label is one of the classes"
            raise InputError(f"no {name} row ({table.file}) is in scope: all are {data.oos_label!r}", file=place, mend=mend)
        # One token more than is kept, so that `check` can count the texts that are cut.
        tokens = tokenise(table.texts, start.tokeniser, data.max_length + 1, cache)
        parts[name] = Part(table.texts, tokens.cut(data.max_length), np.array([numbers[label] for label in table.labels], np.int32))
        lengths[name] = tokens.lengths
    findings = check(dataset, data, lengths)
    for finding in findings:
        if finding.severity != "note":
            shown = [each for each in finding.examples if each.file not in finding.message]
            where = f" ({shown[0].file}, line {shown[0].line}; the verb check shows more)" if shown else ""
            say(f"warning: {task + ': ' if task else ''}{finding.message.rstrip('.')}{where}")
    over_long = int((lengths["test"] > data.max_length).sum())
    return Prepared(dataset, findings, labels, start, parts["train"].in_scope, parts["valid"], parts["test"], over_long)


def hashes(tasks: Mapping[str, Prepared]) -> dict[str, str]:
    """The sha256 of every file that the data were read from; files of tasks with data of their own as `task/file`."""
    different = len({tuple(sorted(each.dataset.sha256.items())) for each in tasks.values()}) > 1
    return {f"{task}/{file}" if different else file: value for task, each in tasks.items() for file, value in each.dataset.sha256.items()}
