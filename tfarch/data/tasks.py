"""The data of several tasks that one encoder learns together: a `Dataset` for each, from a table with a column for each task, or from sets of their own.

No text trains that another task is tested on: the encoder is one, and it would have seen the text.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping

from tfarch.config import DataConfig
from tfarch.data.normal_form import normal_form
from tfarch.data.reading import MissingColumnError
from tfarch.data.sources import assembled, complete, load_dataset, read_source
from tfarch.data.split import cut
from tfarch.data.tables import Dataset, Table
from tfarch.errors import InputError, unknown
from tfarch.runtime.signature import SINGLE


def load_tasks(data: DataConfig, seed: int) -> dict[str, Dataset]:
    """The data set of each task of `data`, in their order; of one task alone under the name `SINGLE`.

    In a table with a column for each task a row may lack labels; parts that are split off it are the same rows for all tasks.

    Raises:
        InputError: see `load_dataset`; a task's name cannot be one, or a task of `data.task_data` is none of `data.tasks`.
    """
    if not data.tasks and not data.task_data:
        return {SINGLE: load_dataset(_path(data), data, seed)}
    tasks = list(data.tasks or data.task_data)
    for task in tasks:
        if not re.fullmatch("[a-z][a-z0-9_]*", task) or tasks.count(task) > 1:
            mend = "small letters, digits and _, each name once"
            raise InputError(f"data.tasks={tasks}: {task!r} cannot name a head of the model", mend=mend)
    for task in data.task_data:
        if task not in tasks:
            raise unknown("task", task, tasks, mend="data.task_data gives data of its own to one of data.tasks")
    if not data.task_data:
        datasets = _joint(tasks, data, seed)
    elif data.path is not None:
        raise InputError("both data for all tasks and data of its own for one", mend="give one of them")
    else:  # a task without data has no head
        own = dataclasses.replace(data, tasks=[], task_data={})
        datasets = {task: _own(task, data.task_data[task], own, seed) for task in tasks if task in data.task_data}
    return dict(_apart(datasets))


def _path(data: DataConfig) -> str:
    if data.path is None:
        raise InputError("no data", mend="give a folder, a CSV, TSV or JSONL file, or tfds:NAME")
    return data.path


def _own(task: str, path: str, data: DataConfig, seed: int) -> Dataset:
    try:
        return load_dataset(path, data, seed)
    except MissingColumnError:
        try:
            return load_dataset(path, dataclasses.replace(data, label_column=task), seed)
        except MissingColumnError as error:
            mend = f"its labels stand in a column {data.label_column!r} or {task!r}; name another with --label-column"
            raise InputError(error.message, file=error.file, line=error.line, mend=mend) from error


def _joint(tasks: list[str], data: DataConfig, seed: int) -> dict[str, Dataset]:
    settings = {task: dataclasses.replace(data, label_column=task) for task in tasks}
    sources = {task: read_source(_path(data), each) for task, each in settings.items()}
    given = {part for source in sources.values() for part in source.readings}
    # One table of all rows that have any label: its split and its cut are those of every task.
    united = {part: _united(source.readings[part].table for source in sources.values() if part in source.readings) for part in given}
    split = complete(united, sources[tasks[0]], data, seed)
    kept = set(united["train"].lines)
    if data.limit:
        kept = {united["train"].lines[row] for row in cut(united["train"], data.limit, seed)}
    datasets = {}
    for task, source in sources.items():
        tables = {}
        for part, table in united.items():
            rows = source.readings.get(part if part in given else "train")
            if rows is None:
                raise InputError(f"no {part} row has a label in the column {task!r}", file=source.file_of(part))
            tables[part] = _of_lines(rows.table, set(table.lines))
        chosen = [row for row, line in enumerate(tables["train"].lines) if line in kept]
        datasets[task] = assembled(source, tables, chosen, split, settings[task], seed)
    return datasets


def _united(tables: Iterable[Table]) -> Table:
    """The rows of all tables, which are of one file, each once, with the label of the first that has one."""
    rows: dict[int, tuple[str, str]] = {}
    file = ""
    for table in tables:
        file = table.file
        for line, text, label in zip(table.lines, table.texts, table.labels, strict=True):
            rows.setdefault(line, (text, label))
    lines = tuple(sorted(rows))
    return Table(tuple(rows[line][0] for line in lines), tuple(rows[line][1] for line in lines), lines, file)


def _of_lines(table: Table, lines: set[int]) -> Table:
    return table.select(row for row, line in enumerate(table.lines) if line in lines)


def _apart(datasets: Mapping[str, Dataset]) -> Iterator[tuple[str, Dataset]]:
    """The data sets without training rows whose text another task is validated or tested on."""
    held = {task: {normal_form(text) for part in ("valid", "test") for text in each.parts[part].texts} for task, each in datasets.items()}
    for task, dataset in datasets.items():
        others = set().union(*(forms for other, forms in held.items() if other != task))
        train = dataset.train
        yield (
            task,
            dataclasses.replace(
                dataset, train=train.select(row for row, text in enumerate(train.texts) if normal_form(text) not in others)
            ),
        )
